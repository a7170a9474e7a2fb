"""Orch's end of the driver: hands it one client command at a time and waits for the result."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import BenchmarkFailed, EngineError, EnvironmentFault
from orchestrator.inside import driver, program_text
from orchestrator.mask import NOTHING_HIDDEN, Mask
from orchestrator.node.node import Member
from orchestrator.plan.bench_command import client_target, job_folder, job_name, sent_folder
from orchestrator.plan.container import beside_server
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.vllm.client import is_rust
from orchestrator.vllm.flags import CLIENT_KEY, lookup
from orchestrator.workload.point import Measurement

PREPARE_S = 600.0
"""How long importing vLLM may take; ten seconds are usual, minutes are seen where weights load at the same time."""
LOOK_S = 0.25
"""How often the wait for a client looks at the server."""
ANSWERS = 2
"""How many answers the driver gives before its first client: who it is, and what it has prepared."""
ASK_S = 5.0
"""How long the driver may take to say whether a client waits."""
MARGIN_S = 30.0
"""What the driver may need beyond a client's deadline to kill it and answer."""
RUST_HINT = (
    "Official wheels of vLLM from 0.27 on carry vllm-rs; without it set bench.client to vllm, or to the path of a "
    "vllm-rs that is mounted."
)
DATASET_HINT = "Check bench.dataset.path; a file of the node is given as bench.dataset.file."
LOCAL = ("127.0.0.1", "localhost")
"""Reached without a proxy, as the server is wherever it listens: vLLM's client honours proxy variables."""


@dataclass(frozen=True)
class SeenFile:
    """What a file in the container holds."""

    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Client:
    """What the driver found in the container."""

    name: str
    """As the profile says it: `vllm`, `vllm-rs`, or a path."""
    program: str
    """The client as its command names it: for `vllm-rs` the path at which it was found."""
    vllm_version: str
    """Version of vLLM that the client is of."""
    file: SeenFile | None
    """What the client's own file holds, where it is one: a script, or the Rust client."""
    python_version: str
    options: frozenset[str] | None
    """Every option that the client's parser knows; None where it could not be asked."""
    datasets: frozenset[str] | None
    """Every dataset that it knows by name; None where it could not be asked."""
    backends: frozenset[str] | None
    """Every API that it speaks, by its own name; None where it could not be asked."""
    spread: bool | None
    """Its range ratio r means lengths from X·(1 - r) to X·(1 + r); None where its help was not asked."""
    dataset: SeenFile | None
    """The file of prompts as it is in the container, if there is one."""
    fork: bool
    """Each client is a fork of the driver instead of a process that imports everything anew."""
    reason: str
    """Why it is not."""
    unasked: str
    """Why a script could not be asked what it knows; empty where it was, or where nothing had to be asked."""
    import_s: float
    """How long importing took."""
    sent: frozenset[int]
    """Seeds whose prompts were sent to the server before this driver came."""

    @property
    def mode(self) -> str:
        """Say how clients come to be: `fork`, or `process` with the reason."""
        return "fork" if self.fork else f"process: {self.reason}"

    def measures_as(self, other: Client) -> bool:
        """Say whether figures of both belong in one run: the same program and the same prompts."""
        return (self.program, self.vllm_version, self.file, self.dataset) == (
            other.program, other.vllm_version, other.file, other.dataset
        )  # fmt: skip


@dataclass(frozen=True)
class ClientRun:
    """The result of one client command."""

    code: int
    """Its exit code; negative for a signal."""
    timed_out: bool
    """It was killed at its deadline."""
    wall_s: float
    cpu_s: float
    """Processor time that the client used."""
    runnable_at: tuple[tuple[float, float], ...]
    """Seconds since its start, and for how many of them it ran or waited for a processor; empty if the kernel does
    not say."""
    result: bytes | None
    """Its result file, byte for byte, if it left one."""
    log: bytes
    """Everything it printed."""


@dataclass(frozen=True)
class Wanted:
    """What a driver prepares before its first client."""

    client: str
    """What will be run: `vllm`, `vllm-rs`, or the path of a client in the container."""
    dataset: str | None = None
    """Path in the container of the file that prompts come from, if they come from one."""
    tokenizer: str | None = None
    """What the client will load its tokenizer from."""
    trust_remote_code: bool = False
    """Code that comes with the tokenizer may be run."""
    host: str = LOCAL[0]
    """Where the server is."""
    port: int | None = None
    """The server's port; None leaves it unknown whether a client waits."""
    command: tuple[str, ...] = ()
    """What starts the driver in the server's environment; empty for the driver alone."""


def driver_argv() -> list[str]:
    """Return the command of the driver itself."""
    return ["python3", "-u", "-c", program_text(driver)]


def wanted(profile: Profile, bench: Bench) -> Wanted:
    """Return what a driver prepares for the clients of a profile's sweep."""
    target = client_target(profile)
    tokenizer = str(lookup(bench.client_flags, "tokenizer") or target.model)
    command = tuple(beside_server(profile, driver_argv()))
    dataset = bench.dataset.container_path
    return Wanted(bench.client, dataset, tokenizer, target.trust_remote_code, target.host, target.port, command)


class Driver:
    """The driver in a container; closing it, or the end of orch, ends what it runs."""

    def __init__(self, member: Member, wanted: Wanted, key: str | None, mask: Mask = NOTHING_HIDDEN) -> None:
        """Start the driver, which imports vLLM's benchmark code in the background.

        Args:
            member: A running container.
            wanted: What the driver prepares.
            key: The server's API key, if the server wants one.
            mask: Hides secrets of the server's environment in the output of the driver and its clients.
        """
        self._name = wanted.client
        self._container = member.container
        self._sent = sent_folder(member.container)
        self._mask = mask
        self._port = wanted.port
        self._overtook: bytes | None = None
        """The answer of a client that ended while it was asked whether it waits."""
        self._session = member.node.engine.run_session(member.container, list(wanted.command) or driver_argv())
        env = {} if key is None else {CLIENT_KEY: key}  # over standard input: docker inspect shows what exec is told
        message = {
            "prepare": wanted.client,
            "env": env,
            "direct": list(dict.fromkeys([*LOCAL, wanted.host])),
            "dataset": wanted.dataset,
            "tokenizer": wanted.tokenizer,
            "trust_remote_code": wanted.trust_remote_code,
            "sent": self._sent,
        }
        self._session.send(json.dumps(message).encode())
        self._answers: list[dict[str, Any]] = []
        """What it has said so far: who it is, and what it has prepared."""
        self._client: Client | None = None
        self._failed: BenchmarkFailed | None = None

    def ready(self) -> bool:
        """Say at once whether the driver has finished preparing or failed; `client` then does not wait."""
        try:
            while len(self._answers) < ANSWERS:
                self._answers.append(self._answer(self._session.receive(0.0)))
        except TimeoutError:
            return False
        except BenchmarkFailed as error:
            self._failed = error
        return True

    def client(self, check: Callable[[], None] = lambda: None) -> Client:
        """Return what the driver found, once it is prepared.

        Args:
            check: Called several times a second until the driver is prepared; raises ServerFailed.

        Raises:
            ServerFailed: As soon as the server has failed.
            BenchmarkFailed: When the image's Python cannot run it.
            EnvironmentFault: When the container lacks vLLM, the Rust client or the file of prompts.
        """
        if self._failed is not None:
            raise self._failed
        if self._client is None:
            while len(self._answers) < ANSWERS:
                self._answers.append(self._receive(PREPARE_S, check))
            hello, prepared = self._answers
            if prepared["problem"]:
                lacks_client = is_rust(self._name) and prepared["program"] is None
                hint = RUST_HINT if lacks_client else DATASET_HINT
                raise EnvironmentFault(Text("in the container {text}", text=self._mask.text(prepared["problem"])), hint)
            version = prepared["version"] or hello["vllm"]
            if version is None:
                raise EnvironmentFault(
                    Text(
                        "the container's python3 has no vLLM: {text}", text=self._mask.text(str(hello.get("problem")))
                    ),
                    "The benchmark client is the image's own; use an image whose python3 can import vllm, and name "
                    "what must be sourced for that in container.source.",
                )
            self._client = Client(
                name=self._name,
                program=prepared["program"] or self._name,
                vllm_version=version,
                file=_seen(prepared["file"]),
                python_version=hello["python"],
                options=_set(prepared["options"]),
                datasets=_set(prepared["datasets"]),
                backends=_set(prepared["backends"]),
                spread=prepared["spread"],
                dataset=_seen(prepared["dataset"]),
                fork=prepared["fork"],
                reason=self._mask.text(prepared["reason"]),
                unasked=self._mask.text(prepared["unasked"]),
                import_s=prepared["seconds"],
                sent=frozenset(map(int, prepared["sent"])),
            )
        return self._client

    def run(
        self,
        measurement: Measurement,
        argv: Sequence[str],
        result: str,
        deadline_s: float,
        check: Callable[[], None],
    ) -> ClientRun:
        """Run one client to its end or its deadline, whichever comes first.

        Args:
            measurement: What the client takes.
            argv: The client's command.
            result: Name of its result file in the measurement's folder.
            deadline_s: When it is killed.
            check: Called several times a second until the client has ended; raises ServerFailed.

        Raises:
            ServerFailed: As soon as the server has failed; the client may still be running, close the driver.
            BenchmarkFailed: When the driver itself does not answer, or has ended.
            EnvironmentFault: When the client's file or the prompts were replaced since the driver was prepared.
        """
        job = job_name(measurement)
        message = {
            "id": job,
            "argv": list(argv),
            "folder": job_folder(job, self._container),
            "result": result,
            "mark": f"{self._sent}/{measurement.seed}",
            "deadline_s": deadline_s,
            "port": self._port,
        }
        self._session.send(json.dumps(message).encode())
        answer = self._answer_of_client(deadline_s + MARGIN_S, check)
        if "replaced" in answer:
            raise replaced(str(answer["replaced"]))
        raw = answer["result"]
        return ClientRun(
            code=answer["code"],
            timed_out=answer["timed_out"],
            wall_s=answer["wall_s"],
            cpu_s=answer["cpu_s"],
            runnable_at=tuple((since, runnable) for since, runnable in answer["runnable_at"]),
            result=None if raw is None else base64.b64decode(raw),
            log=self._mask.apply(base64.b64decode(answer["log"] or "")),
        )

    def client_waits(self) -> bool:
        """Say whether the running client has a connection to the server; true if that cannot be found out.

        A client that still makes its prompts, or pauses between requests, has none.
        """
        try:
            self._session.send(json.dumps({"waiting": None}).encode())
            line = self._session.receive(ASK_S)
            answer = self._answer(line)
        except (TimeoutError, BenchmarkFailed, EngineError):
            return True
        if "waiting" in answer:
            return answer["waiting"] is not False
        self._overtook = line
        return False

    def close(self) -> None:
        """End the driver and what it runs."""
        self._session.close()

    def _answer_of_client(self, timeout_s: float, check: Callable[[], None]) -> dict[str, Any]:
        while "waiting" in (answer := self._receive(timeout_s, check)):
            pass  # it was asked for, and came too late
        return answer

    def _receive(self, timeout_s: float, check: Callable[[], None] = lambda: None) -> dict[str, Any]:
        return self._answer(self._line(timeout_s, check))

    def _answer(self, line: bytes | None) -> dict[str, Any]:
        if line is None:
            said = self._mask.apply(bytes(self._session.errors)).decode(errors="replace").strip()
            raise BenchmarkFailed(
                Text("the benchmark driver in the container has ended{said}", said=f": {said}" if said else ""),
                "Has the server's container ended?  See: orch status, orch logs",
            )
        try:
            answer = json.loads(line)
        except ValueError:
            said = self._mask.apply(line).decode(errors="replace")
            raise BenchmarkFailed(Text("the container's python3 did not start the driver: {said}", said=said)) from None
        return dict(answer)

    def _line(self, timeout_s: float, check: Callable[[], None]) -> bytes | None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._overtook is not None:
                line, self._overtook = self._overtook, None
                return line
            with contextlib.suppress(TimeoutError):
                return self._session.receive(LOOK_S)
            check()
        raise BenchmarkFailed(
            Text("the benchmark driver in the container did not answer within {timeout_s:.0f} s", timeout_s=timeout_s),
            "Is the container frozen or out of memory?  See: orch status, docker stats",
        )


def replaced(what: str) -> EnvironmentFault:
    """Return the error for a client, or prompts, other than those that a sweep began with."""
    return EnvironmentFault(
        Text("{what} is no longer what the sweep began with", what=what),
        "Was a mounted file replaced?  Numbers from both would not be one run: begin a new one.",
    )


def _seen(file: dict[str, Any] | None) -> SeenFile | None:
    return None if file is None else SeenFile(file["sha256"], file["size"])


def _set(words: list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)

"""The near end of the driver: hands it one client command at a time and waits for what came of it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import BenchmarkFailed
from orchestrator.inside import driver, program_text
from orchestrator.plan.bench_command import job_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.engine import Engine, ExecSession
    from orchestrator.errors import ServerFailed

HELLO_S = 60.0
LOOK_S = 0.25
"""How often the wait for a client looks at the server."""
MARGIN_S = 30.0
"""What the driver may need beyond a client's deadline to kill it and answer."""
CLIENT_ENV = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
"""vLLM's client honours proxy variables; the server is never behind one."""


@dataclass(frozen=True)
class ClientRun:
    """What came of one client command."""

    code: int
    """Its exit code; negative for a signal."""
    timed_out: bool
    """It was killed at its deadline."""
    wall_s: float
    result: bytes | None
    """Its result file, byte for byte, if it left one."""
    log: bytes
    """Everything it printed."""


class Driver:
    """The driver in a container; closing it, or the end of orch, ends what it runs."""

    def __init__(self, engine: Engine, container: str) -> None:
        """Start it; raise BenchmarkFailed if the image's Python cannot run it or has no vLLM."""
        self._session: ExecSession = engine.run_session(container, ["python3", "-u", "-c", program_text(driver)])
        hello = self._receive(HELLO_S)
        self.python_version = str(hello["python"])
        if hello["vllm"] is None:
            self.close()
            raise BenchmarkFailed(
                f"the container's python3 has no vLLM: {hello.get('problem')}",
                "The benchmark client is the image's own; use an image whose python3 can import vllm.",
            )
        self.vllm_version = str(hello["vllm"])

    def run(
        self, job: str, argv: Sequence[str], result: str, deadline_s: float, failure: Callable[[], ServerFailed | None]
    ) -> ClientRun:
        """Run one client to its end or its deadline, whichever comes first.

        Args:
            job: Name of the job; its folder in the container bears it.
            argv: The client's command.
            result: Name of its result file in that folder.
            deadline_s: When it is killed.
            failure: Asked several times a second how the server has failed.

        Raises:
            ServerFailed: As soon as the server has failed; the client may still be running, close the driver.
            BenchmarkFailed: When the driver itself does not answer, or has ended.
        """
        message = {
            "id": job,
            "argv": list(argv),
            "env": CLIENT_ENV,
            "folder": job_folder(job),
            "result": result,
            "deadline_s": deadline_s,
        }
        self._session.send(json.dumps(message).encode())
        answer = self._receive(deadline_s + MARGIN_S, failure)
        raw = answer["result"]
        return ClientRun(
            code=answer["code"],
            timed_out=answer["timed_out"],
            wall_s=answer["wall_s"],
            result=None if raw is None else base64.b64decode(raw),
            log=base64.b64decode(answer["log"] or ""),
        )

    def close(self) -> None:
        """End the driver and what it runs."""
        self._session.close()

    def _receive(self, timeout_s: float, failure: Callable[[], ServerFailed | None] = lambda: None) -> dict[str, Any]:
        line = self._line(timeout_s, failure)
        if line is None:
            said = bytes(self._session.errors).decode(errors="replace").strip()
            raise BenchmarkFailed(
                f"the benchmark driver in the container has ended{f': {said}' if said else ''}",
                "Has the server's container ended?  See: orch status, orch logs",
            )
        try:
            answer = json.loads(line)
        except ValueError:
            said = line.decode(errors="replace")
            raise BenchmarkFailed(f"the container's python3 did not start the driver: {said}") from None
        return dict(answer)

    def _line(self, timeout_s: float, failure: Callable[[], ServerFailed | None]) -> bytes | None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                return self._session.receive(LOOK_S)
            except TimeoutError:
                failed = failure()
                if failed is not None:
                    raise failed from None
        raise BenchmarkFailed(
            f"the benchmark driver in the container did not answer within {timeout_s:.0f} s",
            "Is the container frozen or out of memory?  See: orch status, docker stats",
        )

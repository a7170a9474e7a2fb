"""A stand-in for a running container: what orch executes in it runs on this machine, over docker's own framing."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from fake_engine import member_of
from samples import a_run

from orchestrator.deployment.server import Server
from orchestrator.engine import Engine, ExecSession
from orchestrator.errors import ServerFailed
from orchestrator.events import Event, Failed
from orchestrator.mask import NOTHING_HIDDEN
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.measuring.measure import Sweep
from orchestrator.plan.sweep import sweep
from orchestrator.vllm.counters import Load, Served, read_served

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import IO

    from orchestrator.profile.schema.profile import Profile
    from orchestrator.runs.format.records import RunState
    from orchestrator.runs.run import Run

CONTAINER = "c" * 64

SERVE = """
import json, os, sys, time

def add_cli_args(parser):
    for name in sorted(OPTIONS):
        parser.add_argument(name, nargs="*" if name == "--goodput" else "?")

OPTIONS = {
    *("--backend", "--host", "--port", "--model", "--served-model-name", "--dataset-name", "--random-input-len"),
    *("--random-output-len", "--num-prompts", "--max-concurrency", "--request-rate", "--seed", "--temperature"),
    *("--percentile-metrics", "--metric-percentiles", "--result-dir", "--result-filename", "--behave", "--goodput"),
    *("--ignore-eos", "--disable-tqdm", "--save-result", "--save-detailed"),
}

def main(args):
    prompts, out = int(args.num_prompts), int(args.random_output_len)
    print("key", os.environ.get("OPENAI_API_KEY"), "proxy", os.environ.get("NO_PROXY"), os.environ.get("no_proxy"))
    if args.behave == "hang":
        time.sleep(600)
    if args.behave == "fail" or (args.behave == "cold" and prompts == 2):
        sys.exit("ValueError: Initial test run failed")
    if args.behave == "die":
        os.kill(os.getppid(), 9)
    result = {
        "duration": 0.5, "completed": prompts, "failed": 0, "total_input_tokens": prompts * 64,
        "total_output_tokens": 1 if args.behave == "short" else prompts * out, "request_throughput": 2.0,
        "output_throughput": 10.0, "total_token_throughput": 20.0, "mean_ttft_ms": 5.0 * int(args.max_concurrency or 1),
    }
    with open(os.path.join(args.result_dir, args.result_filename), "w") as file:
        json.dump(result, file)
"""
"""A benchmark client that behaves as `--behave` says; its TTFT grows with the concurrency."""


class LocalContainer(Engine):
    """An engine with one container, in which `python3` is this one and can import a vLLM of the test's.

    Where that is hidden, only a command that puts `site` on its PYTHONPATH can.
    """

    def __init__(self, folder: Path, *, hidden: bool = False) -> None:
        self.site = folder / "site"
        self._environment = {} if hidden else {"PYTHONPATH": str(self.site)}
        files = {
            "vllm/__init__.py": "",
            "vllm/benchmarks/__init__.py": "",
            "vllm/benchmarks/serve.py": SERVE,
            "vllm/utils/__init__.py": "from argparse import ArgumentParser as FlexibleArgumentParser\n",
            "vllm-0.32.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0\n",
        }
        for name, text in files.items():
            path = self.site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.sessions: list[Session] = []

    def run_session(self, container: str, argv: Sequence[str]) -> ExecSession:
        assert container == CONTAINER
        assert self.site.exists()
        argv = [sys.executable if word == "python3" else word for word in argv]
        session = Session(argv, {**os.environ, **self._environment})
        self.sessions.append(session)
        return session.near_end

    def close(self) -> None:
        for session in self.sessions:
            session.end()


class Session:
    """A process whose output is framed as the engine frames it."""

    def __init__(self, argv: Sequence[str], env: dict[str, str]) -> None:
        near, self._far = socket.socketpair()
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr  # noqa: PT018 - for the type checker
        self._lock = threading.Lock()
        self._pumps = [
            threading.Thread(target=self._out, args=(1, self.process.stdout)),
            threading.Thread(target=self._out, args=(2, self.process.stderr)),
            threading.Thread(target=self._in, args=(self.process.stdin,)),
        ]
        self._outputs_open = 2
        for pump in self._pumps:
            pump.start()
        self.near_end = ExecSession(_Connection(near))

    def end(self) -> None:
        self.near_end.close()
        self.process.kill()
        self.process.wait()
        for pump in self._pumps:
            pump.join()
        self._far.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):  # what was not read
                    stream.close()

    def _out(self, number: int, stream: IO[bytes]) -> None:
        while piece := os.read(stream.fileno(), 65536):
            with self._lock:
                try:
                    self._far.sendall(struct.pack(">BxxxL", number, len(piece)) + piece)
                except OSError:
                    return
        with self._lock:  # the engine ends the stream when both outputs have ended
            self._outputs_open -= 1
            if not self._outputs_open:
                self._far.shutdown(socket.SHUT_WR)

    def _in(self, stream: IO[bytes]) -> None:
        try:
            while piece := self._far.recv(65536):
                stream.write(piece)
                stream.flush()
            stream.close()
        except OSError:
            return


class _Connection:
    """What docker-py hands out for an exec."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = sock.makefile("rb")
        self._response = type("Response", (), {"raw": type("Raw", (), {"_fp": type("Fp", (), {"fp": self._buffer})})})

    def close(self) -> None:
        self._buffer.close()
        self._sock.close()


class LocalServer(Server):
    """A server that lives and dies as the test says."""

    key = None
    mask = NOTHING_HIDDEN

    def __init__(self, engine: LocalContainer) -> None:
        self.member = member_of(engine, CONTAINER)
        self.living = True
        self.idle = True
        self.tells = True
        self.looks = 0
        self.silent_look: int | None = None
        """The look, counted from 1, that gets no answer."""
        self.fails_during: ServerFailed | None = None
        self.restarts = 0
        self.asks_the_client = False
        self.client_waited: list[bool] = []

    def resume_watch(self) -> None:
        """Nothing to watch."""

    def settle(self, timeout_s: float) -> tuple[bool, Served | None]:
        assert timeout_s > 0
        return self.idle, self.served()

    def served(self) -> Served | None:
        """What it has served: after each look a hundred prompt tokens more."""
        self.looks += 1
        tells = self.tells and self.looks != self.silent_look
        return read_served({"vllm:prompt_tokens_total": 100.0 * self.looks}) if tells else None

    def peak_load(self) -> Load | None:
        return Load(running=4, waiting=2, kv_cache_usage=0.5) if self.tells else None

    def check_progress(self, client_waits: Callable[[], bool] = lambda: True) -> None:
        if self.asks_the_client:
            self.client_waited.append(client_waits())
        if self.fails_during is not None:
            raise self.fails_during

    def is_dead(self) -> bool:
        return not self.living

    def check_alive(self) -> None:
        if self.is_dead():
            raise self.diagnosed("the server has died")

    def check_responding(self) -> None:
        self.check_alive()

    def diagnosed(self, problem: str) -> ServerFailed:
        return ServerFailed(f"{problem}\nbecause", "read the log")

    def restart(self) -> None:
        self.restarts += 1
        self.living, self.fails_during = True, None


class UnderWay:
    """A sweep over one server, and what its listeners were told."""

    def __init__(self, tmp_path: Path, container: LocalContainer, profile: Profile) -> None:
        assert profile.bench is not None
        self.steps: list[tuple[int, RunState]] = []
        self.failures: list[str] = []
        self.directory: Run = a_run(tmp_path / "runs", profile)
        self.server = LocalServer(container)
        self.bench = profile.bench
        self.sweep = Sweep(self.server, profile, profile.bench, self.directory, self.tell)

    def tell(self, event: Event) -> None:
        if isinstance(event, MeasurementBegun | MeasurementEnded):
            self.steps.append((event.index, event.record.state))
            on_disk = self.directory.again().record(event.record.point, event.record.repetition)
            assert on_disk == event.record
        elif isinstance(event, Failed):
            self.failures.append(event.error.message)

    def run(self) -> list[RunState]:
        try:
            for record in self.sweep.run(sweep(self.bench)):
                assert record == self.directory.again().record(record.point, record.repetition)
        finally:
            self.sweep.close()
        return [record.state for record in self.directory.records()]

"""Runs the stub's server and client as processes of their own, the way an image would."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STUB = Path(__file__).resolve().parents[3] / "docker" / "stub"
DEADLINE_S = 20.0


def stub_env(**faults: object) -> dict[str, str]:
    """The environment of a stub process: ours without STUB_ variables, and `faults` as STUB_NAME=value."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("STUB_")}
    return {**env, "PYTHONPATH": str(STUB), **{f"STUB_{name}": str(value) for name, value in faults.items()}}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "vllm_stub.cli", *map(str, words)]


def eventually(condition: Callable[[], bool], what: str, within_s: float = DEADLINE_S) -> None:
    """Wait until `condition()` is true; fails when it is not within the deadline."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    pytest.fail(f"not within {within_s} s: {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Reply:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The payloads of a server-sent event stream; [DONE] as that string."""
        payloads = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    orphans: list[int] = field(default_factory=list)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def request(self, path: str, body: Mapping[str, object] | None = None, timeout_s: float = DEADLINE_S) -> Reply:
        """GET `path`, or POST `body` to it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("POST" if body is not None else "GET", path, json.dumps(body) if body else None)
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()

    def complete(self, **body: object) -> Reply:
        return self.request("/v1/completions", {"prompt": "a b c", "max_tokens": 8, "ignore_eos": True, **body})

    def healthy(self) -> bool:
        with contextlib.suppress(OSError):
            return self.request("/health").status == 200
        return False

    def wait_healthy(self) -> Server:
        def condition() -> bool:
            assert self.process.poll() is None, self.text()
            return self.healthy()

        eventually(condition, "healthy")
        return self

    def wait_exit(self, within_s: float = DEADLINE_S) -> int:
        return self.process.wait(within_s)

    def metric(self, name: str, **labels: str) -> float:
        """The value of the one sample `name` with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = self.request("/metrics").body.decode().splitlines()
        found = [line for line in lines if line.startswith(f"{name}{{") and all(w in line for w in wanted)]
        assert len(found) == 1, (name, found)
        return float(found[0].rsplit(" ", 1)[1])

    def bench(self, *flags: object, **faults: object) -> Bench:
        """Run the stub's client against this server; its result goes beside the server's log."""
        folder = self.log.parent
        words = command(
            "bench", "serve", "--model", "tiny", "--port", self.port, "--save-result",
            "--result-dir", folder, "--result-filename", "result.json", *flags,
        )  # fmt: skip
        done = subprocess.run(words, env=stub_env(**faults), capture_output=True, text=True, timeout=60, check=False)
        return Bench(done.returncode, done.stdout, done.stderr, folder / "result.json")


@dataclass
class Bench:
    code: int
    out: str
    err: str
    path: Path

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text(encoding="utf-8")))


@dataclass
class Serving:
    """Starts servers, and ends what is left of them."""

    folder: Path
    servers: list[Server] = field(default_factory=list)

    def start(
        self, *flags: object, model: str = "tiny", port: int | None = None, path: Path | None = None, **faults: object
    ) -> Server:
        """Start a server; `path` is where it finds further packages."""
        number = port or free_port()
        log = self.folder / f"server-{len(self.servers)}.log"
        with log.open("wb") as out:
            words = command("serve", model, "--host", "127.0.0.1", "--port", number, *flags)
            env = stub_env(**faults)
            env["PYTHONPATH"] += f":{path}" if path else ""
            process = subprocess.Popen(words, env=env, stdout=out, stderr=subprocess.STDOUT)
        server = Server(process, number, log)
        self.servers.append(server)
        return server

    def __call__(self, *flags: object, **settings: Any) -> Server:
        """Start a server and wait until it is healthy."""
        return self.start(*flags, **settings).wait_healthy()

    def end(self) -> None:
        """Kill the servers and what they left behind."""
        for server in self.servers:
            server.process.kill()
            server.process.wait()
            for orphan in server.orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)

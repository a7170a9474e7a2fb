"""The lease by the kernel: the server lives as long as its owner or its time, and not much longer.

The supervisor runs here as it does in a container, on a folder of the test's instead of /run/orch.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import alive, eventually, program, python, started
from samples import CANARY

from orchestrator.inside import supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = """
import json, os, signal, sys, time
folder, obedient, code = sys.argv[1], sys.argv[2] == "obedient", int(sys.argv[3])
def end(*_):
    open(folder + "/told", "w").close()
    if obedient:
        os._exit(code)
signal.signal(signal.SIGTERM, end)
with open(folder + "/server.tmp", "w") as file:
    json.dump({"pid": os.getpid(), "env": dict(os.environ), "argv": sys.argv}, file)
os.rename(folder + "/server.tmp", folder + "/server.json")
while True:
    time.sleep(0.05)
"""
"""A server that says who it is, and what it was told when it is asked to end."""

OWNER = """
import fcntl, sys, time
lease = open(sys.argv[1] + "/lease", "r+")
fcntl.flock(lease, fcntl.LOCK_EX)
print("owned", flush=True)
time.sleep(600)
"""


class Folder:
    """The folder that a container would see as /run/orch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lease(self, until: float | str | None = "") -> None:
        """Put a lease there: nothing in it, or what `until` says."""
        (self.path / "lease").write_text(until if isinstance(until, str) else json.dumps(until), encoding="utf-8")

    def owner(self) -> subprocess.Popen[bytes]:
        """Start a process that owns the lease."""
        process = subprocess.Popen(python("-c", OWNER, str(self.path)), stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"owned\n"
        return process

    def supervise(self, *argv: str) -> list[str]:
        return [*program(supervisor, {"/run/orch": str(self.path)}), *argv]

    def server(self, *, obedient: bool = True, code: int = 0) -> list[str]:
        return python("-c", SERVER, str(self.path), "obedient" if obedient else "deaf", str(code))

    def up(self) -> bool:
        return (self.path / "server.json").exists()

    def told_to_end(self) -> bool:
        return (self.path / "told").exists()

    def pid(self) -> int:
        return int(json.loads((self.path / "server.json").read_bytes())["pid"])

    def env(self) -> dict[str, str]:
        return dict(json.loads((self.path / "server.json").read_bytes())["env"])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def owner(folder: Folder) -> Iterator[subprocess.Popen[bytes]]:
    folder.lease()
    with folder.owner() as process:
        yield process
        process.kill()


def watched_twice() -> None:
    """Let the supervisor look at the lease a few times."""
    time.sleep(0.6)


def test_a_server_runs_while_its_owner_lives(folder: Folder, owner: subprocess.Popen[bytes]) -> None:
    with started(folder.supervise(*folder.server())) as process:
        eventually(folder.up, "the server is up")
        watched_twice()
        assert alive(folder.pid())
        assert process.poll() is None
        assert alive(owner.pid)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_server_ends_with_its_owner_however_that_ends(
    folder: Folder, owner: subprocess.Popen[bytes], signum: signal.Signals
) -> None:
    with started(folder.supervise(*folder.server()), stderr=subprocess.PIPE) as process:
        eventually(folder.up, "the server is up")
        owner.send_signal(signum)
        assert process.wait(timeout=30) in (0, 143)
        assert process.stderr is not None
        assert process.stderr.read() == b"orch: the server's owner is gone, stopping it\n"
        assert folder.told_to_end()
        assert not alive(folder.pid())


def test_a_server_that_will_not_end_does_not_keep_the_container(folder: Folder, owner: subprocess.Popen[bytes]) -> None:
    with started(folder.supervise(*folder.server(obedient=False)), stderr=subprocess.DEVNULL) as process:
        eventually(folder.up, "the server is up")
        owner.kill()
        assert process.wait(timeout=30) == 143  # the container's end takes the server with it
        assert folder.told_to_end()


def test_a_server_that_was_handed_over_for_good_runs_on_without_an_owner(
    folder: Folder, owner: subprocess.Popen[bytes]
) -> None:
    with started(folder.supervise(*folder.server())) as process:
        eventually(folder.up, "the server is up")
        folder.lease(None)
        owner.kill()
        owner.wait()
        watched_twice()
        assert process.poll() is None
        assert not folder.told_to_end()


def test_a_server_that_was_handed_over_for_a_time_runs_until_then(
    folder: Folder, owner: subprocess.Popen[bytes]
) -> None:
    with started(folder.supervise(*folder.server()), stderr=subprocess.PIPE) as process:
        eventually(folder.up, "the server is up")
        until = time.time() + 1
        folder.lease(until)
        owner.kill()
        assert process.wait(timeout=30) in (0, 143)
        assert time.time() >= until
        assert process.stderr is not None
        assert process.stderr.read() == b"orch: the server's time is up, stopping it\n"


def test_a_server_whose_time_is_over_when_it_starts_is_stopped(folder: Folder) -> None:
    folder.lease(time.time() - 1)
    with started(folder.supervise(*folder.server()), stderr=subprocess.DEVNULL) as process:
        assert process.wait(timeout=30) in (0, 143)


def test_a_server_whose_owner_died_before_it_started_is_stopped(folder: Folder) -> None:
    folder.lease()
    with started(folder.supervise(*folder.server()), stderr=subprocess.DEVNULL) as process:
        assert process.wait(timeout=30) in (0, 143)


def test_others_may_use_a_lease_that_was_handed_over(folder: Folder) -> None:
    folder.lease(None)
    with started(folder.supervise(*folder.server())) as process:
        eventually(folder.up, "the server is up")
        with folder.owner() as other:
            watched_twice()
            assert process.poll() is None
            other.kill()


def test_a_lease_that_is_just_being_written_is_read_again(folder: Folder) -> None:
    folder.lease("null")
    with started(folder.supervise(*folder.server())) as process:
        eventually(folder.up, "the server is up")
        folder.lease("null8.25")
        watched_twice()
        assert process.poll() is None
        folder.lease(time.time() - 1)
        assert process.wait(timeout=30) in (0, 143)


def test_without_a_lease_a_server_runs(folder: Folder) -> None:
    with started(folder.supervise(*folder.server())) as process:
        eventually(folder.up, "the server is up")
        watched_twice()
        assert process.poll() is None


def test_being_told_to_end_is_passed_on_to_the_server(folder: Folder, owner: subprocess.Popen[bytes]) -> None:
    with started(folder.supervise(*folder.server(code=7))) as process:
        eventually(folder.up, "the server is up")
        process.terminate()
        assert process.wait(timeout=30) == 7
        assert folder.told_to_end()
        assert alive(owner.pid)


@pytest.mark.parametrize(
    ("end", "code"),
    [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("os.kill(os.getpid(), 15)", 143)],
)
def test_the_server_s_exit_code_is_the_container_s(folder: Folder, end: str, code: int) -> None:
    argv = folder.supervise(*python("-c", f"import os, sys; {end}"))
    assert subprocess.run(argv, check=False, timeout=60).returncode == code


def test_secrets_reach_the_server_s_environment_and_nothing_else(folder: Folder) -> None:
    (folder.path / "secrets.json").write_text(json.dumps({"HF_TOKEN": CANARY, "PATH": "/mine"}), encoding="utf-8")
    with started(folder.supervise(*folder.server()), env={**os.environ, "PATH": "/usr/bin", "KEPT": "1"}) as process:
        eventually(folder.up, "the server is up")
        env = folder.env()
        assert (env["HF_TOKEN"], env["PATH"], env["KEPT"]) == (CANARY, "/mine", "1")
        for pid in (process.pid, folder.pid()):
            assert CANARY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert CANARY.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        process.terminate()
        process.wait(timeout=30)

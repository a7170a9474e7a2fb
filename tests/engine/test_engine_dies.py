"""T5: when the engine dies in the middle orch ends with an engine error, and the next command cleans up."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from engine.kit.command import STUB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

ENDS_S = 30.0
BRIDGE = "orcht0"


class PrivateEngine:
    """A second engine beside the node's, which a test may kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            "dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "--host", self.url,
            "--pidfile", f"{self.folder}/docker.pid", "--bridge", BRIDGE, "--iptables=false", "--storage-driver", "vfs",
        ]  # fmt: skip
        # A bridge of its own: an engine without one takes away the docker0 of the node's.
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], capture_output=True, check=False)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 60
        while subprocess.run(["docker", "--host", self.url, "version"], capture_output=True, check=False).returncode:
            assert time.monotonic() < end, (self.folder / "dockerd.log").read_text(errors="replace")[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            (self.folder / "docker.pid").unlink(missing_ok=True)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(60)
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False)
        for process in psutil.process_iter(["cmdline"]):  # shims of containers outlive an engine that is killed
            if str(self.folder) in " ".join(process.info["cmdline"] or ()):
                process.kill()
        # What the engine mounts outlives it, and would keep the folder from being removed.
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for mount in sorted((path for path in mounted if path.startswith(str(self.folder))), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)

    def docker(self, *args: str) -> str:
        done = subprocess.run(["docker", "--host", self.url, *args], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivateEngine]:
    found = PrivateEngine(tmp_path)
    found.start()
    try:
        saved = tmp_path / "stub.tar"
        subprocess.run(["docker", "save", "--output", str(saved), STUB], check=True)
        found.docker("load", "--input", str(saved))
        yield found
    finally:
        found.end()


def wait_for_the_watchdog(orch: Orch) -> None:
    """Wait until it has seen the engine again, and found nothing for long enough."""
    end = time.monotonic() + 120
    while any(str(orch.folder) in word for process in psutil.process_iter(["cmdline"]) for word in watchdog(process)):
        assert time.monotonic() < end
        time.sleep(0.2)


def watchdog(process: psutil.Process) -> list[str]:
    words = process.info["cmdline"] or []
    return words if "orchestrator.deployment.watchdog" in words else []


def test_the_engine_dies_in_the_middle_of_a_run(orch: Orch, private: PrivateEngine) -> None:
    name = orch.profile(
        "orphaned",
        container={"network": "host"},
        server={"env": {"STUB_TPOT_MS": "1000"}},
        bench={"lengths": [[8, 64]]},
    )
    environment = {**orch.environ(), "DOCKER_HOST": private.url}
    started = orch.start("run", name, env=environment)
    started.wait_for("ready http")
    private.kill()
    killed = time.monotonic()
    code = started.wait(ENDS_S + 60)
    took = time.monotonic() - killed
    assert code in (3, 70), started.err
    assert took < ENDS_S, f"{took:.0f} s"
    assert "engine" in started.err
    private.start()
    orch.ok("gc", env=environment)
    wait_for_the_watchdog(orch)
    end = time.monotonic() + 60
    while private.docker("ps", "--all", "--quiet") and time.monotonic() < end:
        time.sleep(0.5)
    assert private.docker("ps", "--all", "--quiet") == ""
    assert orch.json("results", "list")["runs"][0]["state"] in ("failed", "interrupted")

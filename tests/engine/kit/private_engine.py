"""A second Docker engine beside the node's, which a test may kill, or have for itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
from engine.kit.command import STUB

BRIDGE = "orcht0"


class PrivateEngine:
    """One engine, from start to end."""

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

    def load_stub(self) -> None:
        """Give it the stub's image of the node's engine."""
        saved = self.folder / "stub.tar"
        subprocess.run(["docker", "save", "--output", str(saved), STUB], check=True)
        self.docker("load", "--input", str(saved))

    def docker(self, *args: str) -> str:
        done = subprocess.run(["docker", "--host", self.url, *args], capture_output=True, text=True, check=True)
        return done.stdout

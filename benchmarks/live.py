"""A real vLLM server that stays up for a benchmark, and the two ways to it: orch, and docker exec by hand."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ORCH = Path(sys.executable).parent / "orch"
PROFILE = "cpu-tiny"


@dataclass(frozen=True)
class Live:
    """The server's deployment, in folders of its own."""

    name: str
    folder: Path

    @property
    def runs(self) -> Path:
        """Return where its runs lie."""
        return self.folder / "runs"

    def orch(self, *argv: str, accepted: tuple[int, ...] = (0,)) -> str:
        """Run orch and return what it prints; end the benchmark unless it ends with an accepted code."""
        environment = {**os.environ, "ORCH_STATE_DIR": f"{self.folder}/state", "ORCH_RUNS_DIR": str(self.runs)}
        done = subprocess.run([ORCH, *argv], env=environment, check=False, capture_output=True, text=True)
        if done.returncode not in accepted:
            sys.exit(f"orch {shlex.join(argv)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def in_container(self, *argv: str, may_fail: bool = False) -> str:
        """Run a command in the server's container and return what it prints."""
        words = ["docker", "exec", f"orch-{self.name}", *argv]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode and not may_fail:
            sys.exit(f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


@contextlib.contextmanager
def live_server(name: str, *sets: str) -> Iterator[Live]:
    """Keep the server of the profile cpu-tiny up, with overrides, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix=f"orch-{name}-") as folder:
        live = Live(name, Path(folder))
        live.orch("up", PROFILE, "--name", name, *(word for change in sets for word in ("--set", change)))
        try:
            yield live
        finally:
            live.orch("down", name)

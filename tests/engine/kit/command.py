"""The installed command, run as people run it, in folders and under names that no other test uses."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from engine.kit.files import manifest_in

import orchestrator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EXECUTABLE = Path(sys.executable).with_name("orch")
PATIENCE_S = 240.0
"""How long a command may take on a busy machine before the test gives up; no promise is measured by it."""
STUB = "orch-stub:dev"
NOBODY = 65534
SOURCES = (Path(orchestrator.__file__).parents[1], Path(yaml.__file__).parents[1])
"""Where the command and what it needs are imported from."""
NOT_INHERITED = ("FORCE_COLOR", "NO_COLOR", "COLUMNS")
"""Variables of whoever runs the tests that would change what a command writes; so would all of ORCH_*."""


@dataclass
class Started:
    """A command that runs beside the test; what it writes goes to files, so that it never waits for a reader."""

    process: subprocess.Popen[bytes]
    out_path: Path
    err_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        return self.out_path.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self.err_path.read_text(encoding="utf-8", errors="replace")

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self.process.wait(timeout_s)

    def wait_for(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it has written a text to standard error."""
        end = time.monotonic() + timeout_s
        while text not in self.err:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.err}"
            assert time.monotonic() < end, f"no '{text}' within {timeout_s:.0f} s:\n{self.err}"
            time.sleep(0.02)

    def signal(self, signum: int) -> None:
        """Send it a signal unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signum)

    def kill(self) -> None:
        """End it at once, if it has not ended, and wait for that."""
        self.signal(signal.SIGKILL)
        self.wait()


@dataclass
class Orch:
    """`orch` with its own state, runs and profiles folders; names of profiles and deployments begin with `prefix`."""

    folder: Path
    prefix: str
    command: Sequence[str | Path] = (EXECUTABLE,)
    variables: Mapping[str, str] = field(default_factory=dict)
    started: list[Started] = field(default_factory=list)
    _count: Iterable[int] = field(default_factory=itertools.count)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def profiles(self) -> Path:
        return self.folder / "profiles"

    def environ(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in NOT_INHERITED and not name.startswith(("ORCH_", "_ORCH_"))
        }
        own = {
            "ORCH_STATE_DIR": self.state,
            "ORCH_RUNS_DIR": self.runs,
            "ORCH_PROFILES_DIR": self.profiles,
            "ORCH_LOCKS_DIR": self.folder / "locks",
            "XDG_CACHE_HOME": self.folder / "cache",
        }
        return {**kept, **{name: str(path) for name, path in own.items()}, **self.variables}

    def __call__(
        self,
        *args: str | Path,
        launcher: Sequence[str] = (),
        timeout_s: float = PATIENCE_S,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, by a launcher if one is given."""
        options = {"env": self.environ(), "cwd": self.folder, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(
            [*launcher, *self.command, *map(str, args)],
            **options,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )

    def ok(self, *args: str | Path, **options: Any) -> str:
        """Run a command that must succeed and return its standard output."""
        done = self(*args, **options)
        assert done.returncode == 0, f"orch {' '.join(map(str, args))} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def json(self, *args: str | Path, **options: Any) -> dict[str, Any]:
        """Run a command that must succeed with `--json` and return what it says."""
        return dict(json.loads(self.ok(*args, "--json", **options)))

    def start(self, *args: str | Path, launcher: Sequence[str] = (), **options: Any) -> Started:
        """Run a command beside the test, by a launcher if one is given."""
        number = next(iter(self._count))
        out_path, err_path = self.folder / f"{number}.out", self.folder / f"{number}.err"
        options = {"env": self.environ(), "cwd": self.folder, "stdin": subprocess.DEVNULL, **options}
        with out_path.open("wb") as out, err_path.open("wb") as err:
            options = {"stdout": out, "stderr": err, **options}
            process = subprocess.Popen([*launcher, *self.command, *map(str, args)], **options)
        running = Started(process, out_path, err_path)
        self.started.append(running)
        return running

    def profile(self, label: str, **sections: Mapping[str, Any]) -> str:
        """Write a profile of the stub server, its sections laid over ready ones key by key, and return its name."""
        ready: dict[str, dict[str, Any]] = {
            "container": {"image": STUB, "pull": "never"},
            "server": {"model": "/opt/models/stub", "port": free_port()},
            "health": {"deadline": "3m"},
            "bench": {
                "lengths": [[8, 4]], "concurrency": 2, "num_prompts": 4, "warmup": 0, "deadline": "2m",
            },
        }  # fmt: skip
        name = f"{self.prefix}-{label}"
        text = yaml.safe_dump(
            {key: {**ready.get(key, {}), **sections.get(key, {})} for key in {**ready, **sections}}, sort_keys=False
        )
        self.profiles.mkdir(exist_ok=True)
        (self.profiles / f"{name}.yaml").write_text(text, encoding="utf-8")
        return name

    def another_user(self) -> Orch:
        """Return the command as somebody else has it: same profiles and locks, other uid, state and runs."""
        count = next(iter(self._count))
        folder = self.folder / f"user{count}"
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
        temporary = Path(tempfile.gettempdir())
        for parent in folder.parents:
            if temporary in parent.parents and not open_to_all(parent):  # pytest's are closed to all others
                parent.chmod(parent.stat().st_mode | 0o011)
        shared = {name: self.environ()[name] for name in ("ORCH_PROFILES_DIR", "ORCH_LOCKS_DIR")}
        own = {"HOME": str(folder), "PYTHONPATH": os.pathsep.join(map(str, SOURCES)), "PYTHONDONTWRITEBYTECODE": "1"}
        return dataclasses.replace(
            self, folder=folder, command=somebody_else(), variables={**self.variables, **shared, **own}
        )

    def run_directory(self) -> Path:
        """Return the only run directory."""
        found = sorted(self.runs.iterdir())
        assert len(found) == 1, found
        return found[0]

    def run_of(self, profile: str) -> Path:
        """Return the only run directory of a profile."""
        found = sorted(self.runs.glob(f"????????-??????-{profile}-????"))
        assert len(found) == 1, found
        return found[0]

    def study_of(self, profile: str) -> list[Path]:
        """Return the run directories of a profile's only study, in their order."""
        found = sorted(self.runs.glob(f"????????-??????-{profile}-????-??"))
        assert len({path.name[:-3] for path in found}) == 1, found
        return found

    def manifest_of(self, profile: str) -> dict[str, Any]:
        """Return the manifest of a profile's only run."""
        return dict(manifest_in(self.run_of(profile)))


def somebody_else() -> list[str]:
    """Return the command by its modules, run by a user who may use the engine, and a Python that he can reach."""
    group = Path("/var/run/docker.sock").stat().st_gid
    pythons = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    python = next((python for python in pythons if all(map(open_to_all, Path(python).resolve().parents))), None)
    assert python, f"none of {', '.join(pythons)} can be run by another user; install Debian's python3"
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={group}", python, "-m", "orchestrator"]


def open_to_all(folder: Path) -> bool:
    """Say whether everybody may enter a folder."""
    return bool(folder.stat().st_mode & 0o001)


def answers_at(port: int, deadline_s: float = PATIENCE_S) -> None:
    """Wait until a server says on this machine that it is healthy."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer,
        ):
            assert answer.status == 200
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody is healthy at port {port} within {deadline_s:.0f} s")


def free_port() -> int:
    """Return a port that nobody listens on, outside the range that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(20000, 30000)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

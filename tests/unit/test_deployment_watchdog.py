"""Promises T1, T3 and T4: when orch dies without being able to, a process of its own says so in the record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from processes import alive, eventually, python, started
from samples import a_record, a_run

from orchestrator.deployment.watching import Watch
from orchestrator.runs.format.records import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.runs.run import Run

ORCH = """
import json, os, sys
from pathlib import Path
from orchestrator.deployment.watching import Watch, Watchdog
watch, log, inherit = json.loads(sys.argv[1])
watchdog = Watchdog(Watch(*watch), dict(os.environ), Path(log), inherit)
for file in inherit:
    os.close(file)
print("watched", flush=True)
for line in sys.stdin:
    watchdog.dismiss()
    print("dismissed", flush=True)
"""
"""An orch with a watchdog, that dismisses it when it is told to, as often as it is told to."""


class Orch:
    """An orch with a watchdog."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def watchdog(self) -> psutil.Process:
        found: list[psutil.Process] = []

        def look() -> bool:
            children = psutil.Process(self.process.pid).children()
            found[:] = [child for child in children if "orchestrator.deployment.watchdog" in child.cmdline()]
            return bool(found)

        eventually(look, "the watchdog has started")
        return found[0]

    def dismiss(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"dismiss\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"dismissed\n"

    def remarks(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextlib.contextmanager
def an_orch(tmp_path: Path, watch: Watch, inherit: tuple[int, ...] = (), **environ: str) -> Iterator[Orch]:
    log = tmp_path / "watchdog.log"
    argv = python("-c", ORCH, json.dumps([[watch.launch, watch.folder, watch.run], str(log), inherit]))
    env = {**os.environ, **environ}
    with started(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, pass_fds=inherit) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"watched\n"
        yield Orch(process, log)
        if process.poll() is None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=30)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    directory = a_run(tmp_path / "runs", state=RunState.RUNNING)
    point, repetition = directory.manifest().measurements[0]
    directory.write_record(a_record(point=point, repetition=repetition, state=RunState.RUNNING, metrics=None))
    return directory


def test_a_watchdog_that_is_dismissed_goes_and_leaves_everything_as_it_is(run: Run, tmp_path: Path) -> None:
    with an_orch(tmp_path, Watch(None, None, str(run.path))) as orch:
        watchdog = orch.watchdog
        orch.dismiss()
        eventually(lambda: not alive(watchdog.pid), "it has gone")
        orch.dismiss()
        assert run.again().manifest().state == RunState.RUNNING
        assert orch.remarks() == ""


def test_a_watchdog_that_is_gone_already_can_be_dismissed(run: Run, tmp_path: Path) -> None:
    with an_orch(tmp_path, Watch(None, None, str(run.path))) as orch:
        watchdog = orch.watchdog
        watchdog.kill()
        eventually(lambda: not alive(watchdog.pid), "it has gone")
        orch.dismiss()


@pytest.mark.parametrize("everybody", [False, True], ids=["orch alone", "its whole process group"])
def test_the_run_of_an_orch_that_was_killed_says_interrupted(run: Run, tmp_path: Path, *, everybody: bool) -> None:
    with an_orch(tmp_path, Watch(None, None, str(run.path))) as orch:
        if everybody:
            os.killpg(orch.process.pid, signal.SIGKILL)
        else:
            orch.process.kill()
        orch.process.wait()
    eventually(lambda: run.again().manifest().state == RunState.INTERRUPTED, "the record says so")
    assert run.again().manifest().reason == "orch was killed"
    assert run.again().manifest().ended is not None
    (record,) = run.again().records()
    assert (record.state, record.reasons) == (RunState.INTERRUPTED, ("orch was killed",))


def ignores(pid: int, signum: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1]
    return bool(int(ignored, 16) >> (signum - 1) & 1)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_watchdog_outlives_the_signals_that_end_orch(run: Run, tmp_path: Path, signum: signal.Signals) -> None:
    with an_orch(tmp_path, Watch(None, None, str(run.path))) as orch:
        watchdog = orch.watchdog
        eventually(lambda: ignores(watchdog.pid, signum), "it listens")
        watchdog.send_signal(signum)
        orch.process.kill()
    eventually(lambda: run.again().manifest().state == RunState.INTERRUPTED, "the record says so")


def test_while_the_engine_is_away_a_watchdog_waits_and_says_so(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    watch = Watch("0a1b2c3d", str(folder), str(run.path))
    with an_orch(tmp_path, watch, DOCKER_HOST=f"unix://{tmp_path}/no.sock") as orch:
        watchdog = orch.watchdog
        orch.process.kill()
        try:
            eventually(lambda: "launch 0a1b2c3d: no Docker engine answers" in orch.remarks(), "it says so")
            assert alive(watchdog.pid)
            assert folder.exists()
            assert run.again().manifest().state == RunState.INTERRUPTED
        finally:
            watchdog.kill()


def test_what_a_watchdog_inherits_stays_open_until_it_goes(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with an_orch(tmp_path, Watch(None, None, None), (writing,)) as orch, os.fdopen(reading, "rb", 0) as pipe:
        os.close(writing)
        os.set_blocking(reading, False)
        assert pipe.read(1) is None
        orch.dismiss()
        os.set_blocking(reading, True)
        assert pipe.read(1) == b""

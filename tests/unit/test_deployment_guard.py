"""Promises T2, T4 and T9: a launch is torn down whatever ends it, unless it was handed over on purpose.

Each case is an orch of its own, because a guard has signals, a lock and a process.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest
from processes import OF_TESTS, alive, eventually, python

from orchestrator.deployment.lease import Tenure, read_tenure

PROGRAM = """
import json, os, signal, sys
from pathlib import Path

from fake_engine import GONE, FakeEngine, a_container
from orchestrator.deployment import guard as module, teardown
from orchestrator.deployment.guard import guarded
from orchestrator.deployment.hold import Hold
from orchestrator.deployment.lease import read_tenure
from orchestrator.errors import Interrupted, OrchError
from orchestrator.interruption import Interruption
from orchestrator.plan.container import Identity, container_spec
from samples import a_profile

module.LATE_CREATE_S = 0.2
teardown.POLL_S = 0.01
teardown.DEADLINE_S = 0.1
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
identity = Identity("tiny", "0a1b2c3d", str(folder))
engine = FakeEngine()
spec = container_spec(a_profile(), identity)

def kill(signum):
    os.kill(os.getpid(), signum)

def say(**words):
    print(json.dumps(words), flush=True)

ended = "well"
try:
    with Interruption() as interruption:
        log = folder.parents[1] / "log"
        with guarded(engine, identity, interruption, dict(os.environ), log, Hold((), ())) as guard:
            assert read_tenure(folder).owned
            {body}
except Interrupted as interrupted:
    ended = interrupted.signum
except OrchError as error:
    ended = error.message
except ValueError:
    ended = "error"
say(ended=ended, containers=len(engine.containers), folder=folder.exists(), asked=engine.asked)
{after}
"""

TORN_DOWN = {"containers": 0, "folder": False, "watchdogs": 0}


def run(tmp_path: Path, body: str, after: str = "") -> dict[str, object]:
    """Run a body under guard; return how it ended and what was left."""
    program = PROGRAM.replace("{body}", body.strip().replace("\n", "\n            ")).replace("{after}", after)
    env = {**os.environ, "PYTHONPATH": OF_TESTS, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    done = subprocess.run(
        python("-W", "ignore::ResourceWarning", "-c", program, str(tmp_path / "deployments" / "folder")),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    watchdogs = end_watchdogs(tmp_path)
    assert done.stderr == ""
    return {**json.loads(done.stdout), "watchdogs": watchdogs}


def decided(pid: int, log: Path) -> bool:
    return not alive(pid) or "launch" in log.read_text(encoding="utf-8")


def end_watchdogs(tmp_path: Path) -> int:
    """End the watchdogs that have something to do for the launch of this test; return how many there were."""
    log = tmp_path / "log"
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path / "deployments" / "folder") in " ".join(process.info["cmdline"] or ())
    ]
    for process in found:
        eventually(partial(decided, process.pid, log), "it decides")
    at_work = [process for process in found if alive(process.pid)]
    for process in at_work:
        process.kill()
    return len(at_work)


@pytest.mark.parametrize(
    ("body", "ended"),
    [
        ("guard.create(spec)", "well"),
        ("guard.create(spec)\nraise ValueError", "error"),
        ("guard.create(spec)\nkill(signal.SIGTERM)\nraise AssertionError", 15),
        ("pass", "well"),
    ],
)
def test_a_launch_is_torn_down_however_it_ends(tmp_path: Path, body: str, ended: object) -> None:
    found = run(tmp_path, body)
    assert found["ended"] == ended
    assert found.items() >= TORN_DOWN.items()


def test_signals_during_the_teardown_hurry_it_and_do_not_stop_it(tmp_path: Path) -> None:
    body = """
guard.create(spec)
engine.containers = [a_container("0a1b2c3d")]
find = engine.find
engine.find = lambda wanted: (kill(signal.SIGINT), kill(signal.SIGTERM), find(wanted))[-1]
kill(signal.SIGHUP)
"""
    found = run(tmp_path, body)
    assert found["ended"] == 1
    assert found["asked"] == [["remove", f"{1:064x}", "0.0"]]
    assert found.items() >= TORN_DOWN.items()


def test_a_container_whose_create_call_was_cut_short_is_waited_for_and_left_to_the_watchdog(tmp_path: Path) -> None:
    body = """
engine.late = {5: a_container("0a1b2c3d", 1, "created")}
engine.on_create = lambda: kill(signal.SIGINT)
guard.create(spec)
"""
    found = run(tmp_path, body)
    assert found["ended"] == 2
    assert (found["containers"], found["folder"], found["watchdogs"]) == (0, True, 1)


def test_a_deployment_that_was_handed_over_stays(tmp_path: Path) -> None:
    found = run(tmp_path, "guard.create(spec)\nguard.hand_over(None)\nkill(signal.SIGTERM)")
    assert (found["ended"], found["containers"], found["folder"]) == ("well", 1, True)
    assert found["watchdogs"] == 0
    assert read_tenure(tmp_path / "deployments" / "folder") == Tenure(owned=False, known=True, until=None)


def test_a_deployment_can_be_handed_over_for_a_time(tmp_path: Path) -> None:
    run(tmp_path, "guard.create(spec)\nguard.hand_over(3600.0)")
    tenure = read_tenure(tmp_path / "deployments" / "folder")
    assert tenure.until is not None
    assert not tenure.expired(tenure.until - 1)


def test_a_teardown_that_fails_is_loud_and_leaves_the_rest_to_the_watchdog(tmp_path: Path) -> None:
    body = (
        "guard.create(spec)\nengine.refusals = [GONE] * 100000\nteardown.teardown.__kwdefaults__['deadline_s'] = 0.05"
    )
    found = run(tmp_path, body)
    assert str(found["ended"]).startswith("teardown is incomplete")
    assert (found["containers"], found["folder"], found["watchdogs"]) == (1, True, 1)

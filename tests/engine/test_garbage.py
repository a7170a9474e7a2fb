"""T6, T7, T9: `ps` and `gc` tell and clean the truth; what is wanted, or is not ours, is never touched."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from engine.kit import containers
from engine.kit.command import STUB
from engine.kit.moments import Stage
from engine.kit.together import together

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Session
    from engine.kit.command import Orch
    from engine.kit.private_engine import PrivateEngine
    from engine.kit.proxy import Proxy

pytestmark = pytest.mark.engine


def test_gc_removes_what_a_killed_orch_left_and_nothing_else(orch: Orch, session: Session) -> None:
    other = orch.another_user()
    kept, theirs = orch.profile("kept"), orch.profile("theirs")
    orch.ok("up", kept)
    other.ok("up", theirs)
    owned = Stage(orch, session).begin("loading weights", label="owned-")
    dead = Stage(orch, session).begin("capturing graphs", label="dead-")
    foreign = containers.docker("run", "--detach", "--name", f"orch-{orch.prefix}-x", STUB, "sleep", "inf").strip()
    try:
        kill_with_watchdog(dead.started.process.pid)
        dead.started.wait()
        told = other.json("gc")
        assert containers.listed(dead.name) == []
        assert not {row["name"] for row in told["removed"]} & {kept, theirs, owned.name}
        states = {container.deployment: container.state for container in containers.listed(orch.prefix)}
        assert states == {kept: "running", theirs: "running", owned.name: "running"}
        assert containers.inspect(foreign)["State"]["Running"]
        again = orch.json("gc")
        assert not {row["name"] for row in again["removed"]} & set(states)
    finally:
        containers.docker("rm", "--force", foreign)
    owned.started.signal(signal.SIGINT)
    assert owned.started.wait() == 130
    assert orch.json("status", kept)["healthy"]
    assert other.json("status", theirs)["healthy"]
    orch.ok("down", kept)
    other.ok("down", theirs)


def test_ps_tells_whose_a_deployment_is(orch: Orch, session: Session) -> None:
    run = Stage(orch, session).begin("sizing the KV cache")
    row = next(row for row in orch.json("ps")["deployments"] if row["name"] == run.name)
    assert row["owned"]
    assert f"pid {run.started.pid}" in row["held"]
    done = orch("down", run.name)
    assert done.returncode == 75, "a living orch owns it"
    assert "--force" in done.stderr
    assert orch.ok("down", run.name, "--force") == f"{run.name} is down\n"
    assert run.started.wait() == 1
    assert containers.listed(run.name) == []


def test_all_is_what_nobody_owns_and_with_force_the_rest(orch: Orch, private: PrivateEngine) -> None:
    environment = {**orch.environ(), "DOCKER_HOST": private.url}
    up, running = orch.profile("up"), orch.profile("running", server={"env": {"STUB_PHASE_HANG": "load"}})
    orch.ok("up", up, env=environment)
    started = orch.start("run", running, env=environment)
    started.wait_for("loading weights")
    both = orch("down", up, "--all", env=environment)
    assert (both.returncode, both.stdout) == (2, "")
    assert orch.ok("down", "typo", env=environment) == "nothing was ended\n"
    assert orch.ok("down", "--all", env=environment) == f"{up} is down\n"
    assert orch.ok("down", "--all", env=environment) == "nothing was ended\n"
    assert orch.json("down", "--all", "--force", env=environment)["ended"] == [running]
    assert started.wait() == 1
    assert private.docker("ps", "--all", "--quiet") == ""
    assert orch.ok("down", "--all", env=environment) == "nothing was up\n"


def test_two_users_see_and_spare_each_others_deployments(orch: Orch, session: Session) -> None:
    other = orch.another_user()
    mine = orch.profile("mine")
    orch.ok("up", mine)
    running = Stage(other, session).begin("measuring")
    for user in (orch, other):
        assert {mine, running.name} <= {row["name"] for row in user.json("ps")["deployments"]}
        removed = {row["name"] for row in user.json("gc")["removed"]}
        assert not removed & {mine, running.name}
        assert user.json("status", mine)["healthy"]
    done = other("up", mine, "--set", "server.port=20002")
    assert done.returncode == 75
    assert f"the deployment {mine} exists" in done.stderr
    running.started.signal(signal.SIGTERM)
    assert running.started.wait() == 143
    assert {container.deployment for container in containers.listed(orch.prefix)} == {mine}
    orch.ok("down", mine)


def test_a_time_to_live_ends_the_server_without_any_client(orch: Orch) -> None:
    name = orch.profile("ttl")
    told = orch.json("up", name, "--ttl", "4s")
    assert told["state"] == "healthy"
    row = next(row for row in orch.json("ps")["deployments"] if row["name"] == name)
    assert not row["owned"]
    assert row["until"] is not None
    following = orch.start("logs", name, "--follow")
    assert following.wait() == 0, "the log ends with the container"
    assert "orch: the server's time is up, stopping it" in following.out
    status = orch("status", name)
    assert status.returncode in (1, 2)
    for row in orch.json("ps")["deployments"]:  # another orch may have cleaned it away by now
        assert row["name"] != name or row["held"].startswith("by nobody: its time was up")
    orch.ok("gc")
    assert containers.listed(name) == []


def test_a_time_that_is_no_time(orch: Orch) -> None:
    done = orch("up", orch.profile("ttl"), "--ttl", "soon")
    assert done.returncode == 2
    assert "'soon' is not a duration" in done.stderr


def test_down_four_times_at_once(orch: Orch) -> None:
    name = orch.profile("four", server={"env": {"STUB_IGNORE_SIGTERM": "1"}})
    orch.ok("up", name)
    done = together(lambda _: orch("down", name), range(4)).values()
    gone = f"orch: no deployment is named {name}"  # what one says that comes when the others are ready
    assert all(result.returncode == 0 or gone in result.stderr for result in done), done
    assert [result.returncode for result in done].count(0) >= 1
    assert containers.listed(name) == []


def test_a_teardown_that_cannot_finish_is_loud_and_says_how_to_end_it_by_hand(
    orch: Orch, proxied: Callable[..., Proxy]
) -> None:
    name = orch.profile("stuck")
    orch.ok("up", name)
    stuck = containers.only(name).id[:12]
    way = proxied(refuses="DELETE /")
    done = orch("down", name, env={**orch.environ(), "DOCKER_HOST": way.url})
    assert (done.returncode, done.stdout) == (70, "")
    message, command = done.stderr.splitlines()
    assert message.startswith(f"orch: teardown is incomplete, {stuck} may still be there: ")
    assert "device or resource busy" in message
    assert command.strip() == f"docker rm -f {stuck}"
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=120)
    assert containers.listed(name) == []


def test_a_server_deaf_to_signals_with_a_child_of_its_own_session_is_ended(orch: Orch) -> None:
    name = orch.profile("deaf", server={"env": {"STUB_IGNORE_SIGTERM": "1", "STUB_SPAWN_CHILD": "1"}})
    orch.ok("up", name)
    pids = [int(line.split()[0]) for line in containers.processes(f"orch-{name}")]
    assert len(pids) >= 3
    orch.ok("down", name)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def kill_with_watchdog(pid: int) -> None:
    """Kill a run of orch and its watchdog in the same instant."""
    for victim in [*(child.pid for child in psutil.Process(pid).children()), pid]:
        os.kill(victim, signal.SIGKILL)

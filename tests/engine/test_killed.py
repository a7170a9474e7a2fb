"""T1, T3, T4: SIGKILL at any moment leaves nothing behind within 15 s, and a record that says `interrupted`."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from engine.kit import containers
from engine.kit.files import record_in
from engine.kit.moments import MOMENTS, Stage, assert_whole, wait_for_state
from engine.kit.together import together

if TYPE_CHECKING:
    from conftest import Session
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

KILLS, AT_ONCE = 30, 10


def test_killed_at_each_named_moment(orch: Orch, session: Session) -> None:
    stage = Stage(orch, session)
    runs = together(stage.begin, MOMENTS, len(MOMENTS))
    for run in runs.values():
        run.started.signal(signal.SIGKILL)
    killed = time.monotonic()
    assert containers.left_after(orch.prefix) == []
    for moment, run in runs.items():
        assert run.started.wait() == -signal.SIGKILL, moment
        if moment == "getting the image":
            assert not list(orch.runs.glob(f"*-{run.name}-????")), "a run begins when nothing stands in its way"
            continue
        manifest = wait_for_state(orch, run.name, killed + containers.GONE_S - time.monotonic())
        assert (moment, manifest["state"]) == (moment, "interrupted")
        assert manifest["reason"] == "orch was killed"
        assert_whole(orch.run_of(run.name))
    creating = runs["creating the container"].proxy
    assert creating is not None
    creating.wait_for_created()
    assert creating.created == [201], "the engine made the container after orch was dead"
    assert containers.left_after(orch.prefix) == []
    measuring = orch.run_of(runs["measuring"].name)
    records = [record_in(path.parent) for path in measuring.glob("points/*/r1/record.json")]
    assert sorted((record["parameters"]["output_len"], record["state"]) for record in records) == [
        (1, "done"), (64, "interrupted"),
    ]  # fmt: skip
    assert len(list(measuring.glob("points/*/r1/result.json"))) == 1
    assert "Automatically detected platform" in (measuring / "logs" / "server.log").read_text(encoding="utf-8")
    listed = {row["profile"]: row for row in orch.json("results", "list")["runs"]}
    assert {row["state"] for row in listed.values()} == {"interrupted"}
    assert (listed[runs["measuring"].name]["done"], listed[runs["measuring"].name]["planned"]) == (1, 2)


def test_killed_at_moments_spread_over_a_whole_run(orch: Orch) -> None:
    server = {"env": {"STUB_STARTUP_S": "1"}}
    bench = {"lengths": [[8, 4], [8, 8]], "num_prompts": 4, "warmup": 1}
    names = [orch.profile(f"spread{number}", server=server, bench=bench) for number in range(KILLS + 1)]
    began = time.monotonic()
    orch.ok("run", names[KILLS])
    whole_s = 1.5 * (time.monotonic() - began)  # side by side they take longer

    def run_and_kill(number: int) -> int:
        started = orch.start("run", names[number])
        time.sleep(whole_s * (number + 0.5) / KILLS)
        started.signal(signal.SIGKILL)
        return started.wait()

    codes: dict[int, int] = {}
    for first in range(KILLS // AT_ONCE):
        codes |= together(run_and_kill, range(first, KILLS, KILLS // AT_ONCE), AT_ONCE)
        assert containers.left_after(orch.prefix) == []
    assert set(codes.values()) <= {0, -signal.SIGKILL}
    assert list(codes.values()).count(-signal.SIGKILL) >= KILLS // 2
    orch.ok("results", "list")  # settles what was killed before its watchdog was there
    for number, code in codes.items():
        for folder in orch.runs.glob(f"*-{names[number]}-????"):
            assert_whole(folder)
            if not (folder / "manifest.json").exists():
                continue  # it had not become a run
            state = wait_for_state(orch, names[number])["state"]
            assert state == "done" or (code != 0 and state == "interrupted"), (number, code, state)


def test_kill_of_the_whole_process_group(orch: Orch, session: Session) -> None:
    run = Stage(orch, session).begin("measuring", start_new_session=True)
    assert os.getpgid(run.started.pid) == run.started.pid
    os.killpg(run.started.pid, signal.SIGKILL)
    assert run.started.wait() == -signal.SIGKILL
    assert containers.left_after(run.name) == []
    assert wait_for_state(orch, run.name)["state"] == "interrupted"


def test_a_killed_bench_leaves_the_deployment_and_ends_the_client_in_it(orch: Orch) -> None:
    name = orch.profile("attached", server={"env": {"STUB_TPOT_MS": "5000"}}, bench={"lengths": [[8, 64]]})
    orch.ok("up", name)
    started = orch.start("bench", "--name", name)
    while not clients(name):
        assert started.process.poll() is None, started.err
        time.sleep(0.1)
    started.kill()
    end = time.monotonic() + containers.GONE_S
    while clients(name) and time.monotonic() < end:
        time.sleep(0.1)
    assert clients(name) == []
    assert wait_for_state(orch, name)["state"] == "interrupted"
    assert_whole(orch.run_of(name))
    assert orch.json("status", name)["healthy"]
    assert orch.json("down", name)["ended"] == [name]


def test_without_a_watchdog_the_server_stops_by_itself_and_gc_removes_it(orch: Orch, session: Session) -> None:
    stage = Stage(orch, session)
    moments = ("loading weights", "measuring")
    runs = together(stage.begin, moments)
    seen = {moment: containers.only(run.name) for moment, run in runs.items()}
    for run in runs.values():
        victims = psutil.Process(run.started.pid).children()
        assert ["orchestrator.deployment.watchdog" in child.cmdline() for child in victims] == [True]
        for process in victims:
            process.kill()
        run.started.process.kill()
    end = time.monotonic() + 10
    while any(container.state == "running" for container in containers.listed(orch.prefix)):
        assert time.monotonic() < end, "the lease has ended, the container has not"
        time.sleep(0.1)
    for container in containers.listed(orch.prefix):
        assert "orch: the server's owner is gone, stopping it" in containers.docker("logs", container.id, both=True)
    orch.ok("gc")
    assert containers.listed(orch.prefix) == []
    assert {container.deployment for container in seen.values()} == {run.name for run in runs.values()}
    assert list((orch.state / "deployments").iterdir()) == []
    assert {row["state"] for row in orch.json("results", "list")["runs"]} == {"interrupted"}


def clients(name: str) -> list[str]:
    return [line for line in containers.processes(f"orch-{name}") if "bench serve" in line]


def test_without_a_watchdog_gc_removes_what_the_image_was_looked_into_with(orch: Orch, session: Session) -> None:
    run = Stage(orch, session).begin("looking into the image")
    for process in psutil.Process(run.started.pid).children():
        process.kill()
    run.started.process.kill()
    assert run.proxy is not None
    run.proxy.wait_for_created()
    assert [(seen.deployment, seen.state) for seen in containers.listed(orch.prefix)] == [(run.name, "created")]
    orch.ok("gc")
    assert containers.listed(orch.prefix) == []

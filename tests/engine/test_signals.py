"""T2, T3: signals, one or many, at any moment: nothing is left behind, and the exit code is 128 + the first of them."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.moments import Run, Stage, assert_whole
from engine.kit.terminal import IN_A_TERMINAL
from engine.kit.together import together

if TYPE_CHECKING:
    from conftest import Session
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

INT, TERM, HUP, QUIT = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT
LADDERS = {
    "getting the image": ([INT], [TERM, TERM], [HUP] * 10, [QUIT]),
    "looking into the image": ([INT], [TERM] * 10, [HUP, HUP], [QUIT]),
    "creating the container": ([INT, INT], [TERM] * 10, [HUP], [QUIT, INT]),
    "loading weights": ([INT] * 10, [TERM], [HUP, HUP], [QUIT] * 10),
    "measuring": ([INT], [TERM, INT], [HUP] * 10, [QUIT, QUIT]),
    "tearing down": ([INT, TERM], [TERM] * 10, [HUP], [QUIT]),
}
"""The signals that one run after another gets at each moment; the first decides the exit code."""
SPACING_S = 0.05


@pytest.mark.parametrize("moment", LADDERS)
def test_signals_end_a_run_and_leave_nothing(moment: str, orch: Orch, session: Session) -> None:
    stage, ladders = Stage(orch, session), LADDERS[moment]
    runs = together(lambda number: stage.begin(moment, label=f"s{number}-"), range(len(ladders)))
    codes = together(lambda number: send(runs[number], ladders[number]), range(len(ladders)))
    assert list(codes.values()) == [128 + ladder[0] for ladder in ladders]
    assert containers.left_after(orch.prefix) == []
    for number, ladder in enumerate(ladders):
        run = runs[number]
        assert "Traceback" not in run.started.err
        if run.proxy is not None:
            run.proxy.wait_for_created()
        if moment == "getting the image":
            assert not orch.runs.exists()
            continue
        manifest = orch.manifest_of(run.name)
        assert_whole(orch.run_of(run.name))
        assert (orch.run_of(run.name) / "summary.csv").exists()
        if moment == "tearing down":
            assert manifest["state"] in ("done", "interrupted")
        else:
            assert manifest["state"] == "interrupted"
            assert manifest["reason"] == f"orch received {signal.Signals(ladder[0]).name}"
        if moment == "measuring":
            assert "1" in orch.ok("results", "csv", manifest["id"]).splitlines()[1]
    assert containers.left_after(orch.prefix) == [], "a create that came late"


def test_a_signal_to_up_ends_the_deployment(orch: Orch) -> None:
    name = orch.profile("hung", server={"env": {"STUB_PHASE_HANG": "memory"}})
    started = orch.start("up", name)
    started.wait_for("sizing the KV cache")
    started.signal(INT)
    assert started.wait() == 130
    assert containers.listed(name) == []
    assert started.out == ""
    assert list((orch.state / "deployments").iterdir()) == []


def test_a_signal_to_bench_leaves_the_deployment_up(orch: Orch) -> None:
    name = orch.profile("kept", server={"env": {"STUB_TPOT_MS": "5000"}}, bench={"lengths": [[8, 1], [8, 64]]})
    orch.ok("up", name)
    started = orch.start("bench", "--name", name)
    started.wait_for("[1/2]")
    started.signal(TERM)
    assert started.wait() == 143
    assert started.err.endswith("\norch: ended by SIGTERM\n"), "the end of a nightly log says why it ends"
    assert orch.manifest_of(name)["state"] == "interrupted"
    assert orch.json("status", name)["healthy"]
    end = time.monotonic() + containers.GONE_S
    while any("bench serve" in line for line in containers.processes(f"orch-{name}")):
        assert time.monotonic() < end, "the client goes on"
        time.sleep(0.1)
    orch.ok("down", name)


def test_a_closed_terminal(orch: Orch) -> None:
    ours, its = os.openpty()
    options: dict[str, Any] = {"launcher": IN_A_TERMINAL, "stdin": its, "stdout": its, "stderr": its}
    started = orch.start("run", orch.profile("tty", server={"env": {"STUB_PHASE_HANG": "memory"}}), **options)
    os.close(its)
    shown = b""
    while b"sizing the KV cache" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    code = started.wait()
    assert containers.left_after(orch.prefix) == []
    assert orch.manifest_of(f"{orch.prefix}-tty")["reason"] == "orch received SIGHUP"
    assert code == 128 + HUP


def test_nohup_keeps_it_running(orch: Orch) -> None:
    name = orch.profile("nohup", server={"env": {"STUB_STARTUP_S": "2"}})
    started = orch.start("up", name, launcher=("nohup",))
    started.wait_for("starting vLLM")
    started.signal(HUP)
    assert started.wait() == 0
    assert orch.ok("down", name) == f"{name} is down\n"


def send(run: Run, ladder: list[signal.Signals]) -> int:
    """Send one signal after another and return the exit code."""
    for number in ladder:
        run.started.signal(number)
        time.sleep(SPACING_S)
    return run.started.wait()

"""Promises C2 and K2: data on standard output, JSON that always parses, colour only where a person wants it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from processes import COVERAGE, OF_TESTS, python
from samples import a_record, result_bytes

from orchestrator.cli.live import Live, TimeLeft, outcome_text
from orchestrator.errors import ServerFailed
from orchestrator.events import Failed
from orchestrator.jobs.events import TornDown
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.phases import Phase, PhaseReached
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = """
from orchestrator.cli.output import emit_json, say
say("a remark")
emit_json("thing", {"text": "é \\u001b[1m \\n", "number": 0.1, "nothing": None})
"""
TABLE = """
from orchestrator.cli.grid import Grid
from orchestrator.cli.output import emit_table
emit_table(Grid(("heading", "x"), [("cell", "y" * 150)], title="title"))
"""
LIVE = """
import time
from samples import a_record
from orchestrator.cli.live import Live
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.phases import Phase, PhaseReached
with Live().shown() as tell:
    tell(PhaseReached(Phase.WEIGHTS, "50 %"))
    tell(MeasurementBegun(1, 2, a_record(state=RunState.RUNNING)))
    tell(MeasurementEnded(1, 2, a_record()))
    time.sleep(0.3)
    tell(MeasurementEnded(2, 2, a_record()))
    tell(PhaseReached(Phase.IMAGE, "of the second"))
    time.sleep(0.3)
"""
ESCAPE = b"\x1b["


def spoken(program: str, environ: Mapping[str, str], *, terminal: bool) -> tuple[bytes, bytes]:
    """What a program writes to standard output and standard error, to a terminal or to pipes."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": OF_TESTS,
        "TERM": "xterm-256color",
        "COLUMNS": "200",
        **COVERAGE,
        **environ,
    }
    if not terminal:
        done = subprocess.run(python("-c", program), env=env, capture_output=True, check=True)
        return done.stdout, done.stderr
    out, out_of_child = pty.openpty()
    err, err_of_child = pty.openpty()
    with subprocess.Popen(python("-c", program), env=env, stdout=out_of_child, stderr=err_of_child) as process:
        os.close(out_of_child)
        os.close(err_of_child)
        said = everything(out), everything(err)
        assert process.wait() == 0
    return said


def everything(terminal: int) -> bytes:
    """What was written to a terminal until its last writer closed it."""
    pieces = []
    try:
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    except OSError:  # how Linux tells the end
        pass
    finally:
        os.close(terminal)
    return b"".join(pieces)


COLOURS = [{}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": ""}, {"NO_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}]


@pytest.mark.parametrize("environ", COLOURS, ids=str)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_json_parses_wherever_it_is_written(environ: dict[str, str], *, terminal: bool) -> None:
    out, err = spoken(JSON, environ, terminal=terminal)
    assert json.loads(out) == {
        "schema_version": 2,
        "kind": "thing",
        "text": "é \x1b[1m \n",
        "number": 0.1,
        "nothing": None,
    }
    assert err.strip() == b"a remark"


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "0"}, False)],
    ids=str,
)
def test_a_table_is_coloured_on_a_terminal_unless_no_color_is_set_and_not_empty(
    environ: dict[str, str], *, coloured: bool
) -> None:
    out, _ = spoken(TABLE, environ, terminal=True)
    assert (b"\x1b[1m" in out) is coloured
    assert b"cell" in out


@pytest.mark.parametrize("environ", COLOURS, ids=str)
def test_a_table_in_a_pipe_has_no_colour_and_is_not_cut(environ: dict[str, str]) -> None:
    out, err = spoken(TABLE, {**environ, "COLUMNS": "20"}, terminal=False)
    assert ESCAPE not in out
    assert b"y" * 150 in out
    assert err == b""


def test_on_a_terminal_a_live_line_shows_what_happens() -> None:
    out, err = spoken(LIVE, {}, terminal=True)
    assert out == b""
    assert ESCAPE in err
    assert b"loading weights" in err
    assert b"[1/2]" in err
    assert b"s left" in err
    assert b"s left" not in err[err.rindex(b"of the second") :]


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_is_the_mean_of_what_measurements_took_and_runs_down() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    said = []
    left.begun()  # a warm-up of 30 s, then ten measurements, each of ten minutes
    clock.now += 30
    for done in range(11):
        left.reached(done, 10)
        said.append(str(left))
        clock.now += 600
    assert said[0] == ""
    assert said[1] == "1h 34m left"
    assert said[9] == "10m 03s left"
    assert said[10] == ""


def test_the_time_left_runs_down_within_a_measurement_and_not_below_nothing() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.reached(0, 2)
    clock.now += 100
    left.reached(1, 2)
    assert str(left) == "1m 40s left"
    clock.now += 70
    assert str(left) == "30s left"
    clock.now += 70
    assert str(left) == "0s left"


def test_the_time_left_begins_anew_with_another_sweep() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.reached(0, 2)
    clock.now += 100
    left.reached(2, 2)
    left.reached(0, 2)
    assert str(left) == ""
    clock.now += 5
    left.reached(1, 2)
    assert str(left) == "5s left"


def test_elsewhere_plain_lines_do() -> None:
    out, err = spoken(LIVE, {"FORCE_COLOR": "1"}, terminal=False)
    assert out == b""
    assert ESCAPE not in err
    first, second, *_ = err.decode().splitlines()
    assert first.endswith("s  loading weights 50 %")
    assert second.endswith("s  [1/2] 64/16 × 8 prompts: 512.0 tok/s out, TTFT 1.5 ms, TPOT 2.5 ms, 0.25 s")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was said, without the time of each line."""
    out, err = capsys.readouterr()
    assert out == ""
    return [line.partition(" s  ")[2] for line in err.splitlines()]


def test_a_phase_is_said_once_and_never_backwards(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Live()
    for phase in (Phase.IMAGE, Phase.IMAGE, Phase.STARTING, Phase.WEIGHTS, Phase.STARTING, Phase.READY):
        tell(PhaseReached(phase))
    assert lines(capsys) == [Phase.IMAGE.label, Phase.STARTING.label, Phase.WEIGHTS.label, Phase.READY.label]


def test_a_measurement_is_said_when_it_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Live()
    tell(MeasurementEnded(0, 2, a_record(repetition=0)))
    tell(MeasurementBegun(1, 2, a_record(state=RunState.RUNNING)))
    tell(MeasurementEnded(1, 2, a_record(state=RunState.FAILED, reasons=("7 of 8", "zero"))))
    tell(TornDown())
    warmup, failed, last = lines(capsys)
    assert warmup.startswith("warm-up 64/16")
    assert failed == "[1/2] 64/16 × 8 prompts: FAILED: 7 of 8; zero"
    assert last == "torn down"


def test_quiet_says_nothing_while_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    with Live(quiet=True).shown() as tell:
        tell(PhaseReached(Phase.READY))
        tell(MeasurementEnded(1, 1, a_record()))
        tell(TornDown())
    assert lines(capsys) == []


def test_a_server_that_died_is_said_with_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    Live()(Failed(ServerFailed("the server exited", "The whole log: /l")))
    _, err = capsys.readouterr()
    assert "the server exited" in err
    assert "The whole log: /l" in err


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({}, "512.0 tok/s out, TTFT 1.5 ms, TPOT 2.5 ms, 0.25 s"),
        ({"mean_tpot_ms": None}, "512.0 tok/s out, TTFT 1.5 ms, TPOT ?, 0.25 s"),
    ],
)
def test_an_outcome_is_told_in_one_phrase(metrics: dict[str, Any], text: str) -> None:
    assert outcome_text(a_record(metrics=read_metrics(result_bytes(**metrics)))) == text

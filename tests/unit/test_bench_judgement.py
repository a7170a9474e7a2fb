"""Promise V1: from what a client left to done, or to failed with every reason."""

from __future__ import annotations

from typing import Any

import pytest
from samples import a_measurement, result_bytes

from orchestrator.causes import told
from orchestrator.measuring.driver import ClientRun
from orchestrator.measuring.judge import begin, busy, failed, judge, last_words
from orchestrator.runs.format.records import RunState

MEASUREMENT = a_measurement()
RUNNING = begin(MEASUREMENT, ["vllm", "bench", "serve"])


def outcome(**fields: object) -> ClientRun:
    usual: dict[str, Any] = {
        "code": 0,
        "timed_out": False,
        "wall_s": 15.5,
        "cpu_s": 12.5,
        "runnable_at": ((0.0, 0.0), (15.25, 12.25), (15.5, 12.5)),
        "result": result_bytes(),
        "log": b"",
    }
    return ClientRun(**{**usual, **fields})


def test_a_measurement_that_begins_is_running_and_knows_what_it_runs() -> None:
    assert (RUNNING.state, RUNNING.argv) == (RunState.RUNNING, ("vllm", "bench", "serve"))
    assert (RUNNING.point, RUNNING.repetition, RUNNING.seed) == (MEASUREMENT.point.id, 1, MEASUREMENT.seed)
    assert RUNNING.parameters == MEASUREMENT.point.parameters()
    assert RUNNING.label == MEASUREMENT.point.label()
    assert RUNNING.started


def test_a_client_that_left_a_complete_result_is_done() -> None:
    ended = judge(RUNNING, MEASUREMENT, outcome())
    assert (ended.state, ended.reasons, ended.client_code) == (RunState.DONE, (), 0)
    assert (ended.wall_s, ended.cpu_s, ended.client_busy) == (15.5, 12.5, 1.0)
    assert ended.metrics is not None
    assert ended.metrics.output_throughput == 512.0
    assert ended.started == RUNNING.started


def test_how_busy_the_client_was_leaves_out_what_it_did_before_it_measured() -> None:
    prompts_then_waiting = [(0.0, 0.0), (10.0, 10.0), (15.0, 10.5), (20.0, 11.0)]
    assert busy(prompts_then_waiting, 10.0) == pytest.approx(0.1)
    assert busy(prompts_then_waiting, 12.5) == pytest.approx(3.5 / 12.5)
    assert busy(prompts_then_waiting, 99.0) == pytest.approx(11.0 / 20.0)
    assert busy([(4.0, 2.0)], 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("runnable_at", "duration_s"), [([], 1.0), ([(0.0, 0.0), (9.0, 0.0)], 1.0), ([(2.0, 1.0)], 0.0)]
)
def test_how_busy_it_was_is_not_made_up(runnable_at: list[tuple[float, float]], duration_s: float) -> None:
    assert busy(runnable_at, duration_s) is None


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"timed_out": True, "code": -15, "result": None}, ["the client was killed at its deadline"]),
    ({"code": 2, "result": None, "log": b"usage\nerror: no\n\n"}, ["the client exited with code 2: error: no"]),
    ({"code": -9, "result": None}, ["the client exited with code -9: it printed nothing"]),
    ({"result": None}, ["the client left no result"]),
    ({"result": b"{"}, ["the client's result cannot be read: JSONDecodeError"]),
    ({"result": b"{}"}, ["the client's result cannot be read: KeyError: 'duration'"]),
    ({"code": 1, "log": b"KeyError: p99"}, ["the client exited with code 1: KeyError: p99"]),
    ({"result": result_bytes(completed=7, failed=1)}, ["7 of 8 requests completed", "1 requests failed"]),
    (
        {"code": 1, "log": b"x", "result": result_bytes(total_output_tokens=5)},
        ["the client exited with code 1: x", "5 of 128 output tokens"],
    ),
]


@pytest.mark.parametrize(("fields", "reasons"), CASES, ids=lambda value: str(value)[:60])
def test_anything_less_has_failed_with_every_reason(fields: dict[str, Any], reasons: list[str]) -> None:
    ended = judge(RUNNING, MEASUREMENT, outcome(**fields))
    assert ended.state == RunState.FAILED
    assert len(ended.reasons) == len(reasons)
    assert all(found.startswith(reason) for found, reason in zip(ended.reasons, reasons, strict=True))


def test_figures_of_a_client_that_failed_are_kept_beside_the_reasons() -> None:
    ended = judge(RUNNING, MEASUREMENT, outcome(code=1))
    assert ended.metrics is not None


def test_a_measurement_can_have_one_more_reason() -> None:
    ended = failed(judge(RUNNING, MEASUREMENT, outcome(result=None)), told("the server died"))
    assert (ended.state, ended.reasons) == (RunState.FAILED, ("the client left no result", "the server died"))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"", ""),
        (b" \n\n", ""),
        (b"one\n two \n\n", "two"),
        (b"\xff\n", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_last_words_of_a_log_are_its_last_line_that_says_anything(log: bytes, words: str) -> None:
    assert last_words(log) == words

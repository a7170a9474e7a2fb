"""Objectives are decided on the mean of a point's repetitions, and it is said where that is not certain."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from samples import a_measurement, a_record, result_bytes

from orchestrator.metrics.objectives import parse_objective
from orchestrator.results.kept import Judged, judged
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from orchestrator.runs.format.records import MeasurementRecord

BELOW = parse_objective("mean_ttft_ms<100")


def measured(*values: float | None) -> list[MeasurementRecord]:
    return [
        a_record(a_measurement(), metrics=read_metrics(result_bytes(mean_ttft_ms=value)), repetition=number)
        for number, value in enumerate(values, start=1)
    ]


@pytest.mark.parametrize(
    ("values", "kept", "certain"),
    [
        ((105.0, 106.0, 107.0), False, True),
        ((90.0, 104.0, 130.0), False, False),
        ((80.0, 99.0, 101.0), True, False),
    ],
)
def test_an_objective_is_decided_on_the_mean(values: tuple[float, ...], *, kept: bool, certain: bool) -> None:
    (found,) = judged([BELOW], measured(*values))
    assert (found.kept, found.certain) == (kept, certain)
    assert f"{sum(values) / 3:.4g} ±" in found.text
    assert ("the bound lies within" in found.text) is not certain


def test_a_mean_that_keeps_well_to_its_bound_needs_no_word() -> None:
    assert judged([BELOW], measured(80.0, 81.0, 82.0)) == []
    assert judged([BELOW], measured(80.0)) == []


def test_a_single_repetition_counts_as_it_is() -> None:
    (found,) = judged([BELOW], measured(100.0))
    assert found == Judged(kept=False, certain=True, text=found.text)
    assert found.text.endswith("repetition 1: mean_ttft_ms<100 is missed: 100")


def test_what_some_repetition_did_not_report_is_missed() -> None:
    reported, *_ = measured(50.0)
    silent = a_record(a_measurement(), metrics=read_metrics(result_bytes(p99_ttft_ms=None)), repetition=2)
    (found,) = judged([parse_objective("p99_ttft_ms<100")], [reported, silent])
    assert (found.kept, "not reported" in found.text) == (False, True)


def test_repetitions_that_failed_do_not_count() -> None:
    bad = a_record(metrics=read_metrics(result_bytes(mean_ttft_ms=500.0)), state=RunState.FAILED, reasons=("no",))
    assert judged([BELOW], [*measured(50.0), bad.model_copy(update={"repetition": 2})]) == []


@pytest.mark.parametrize("repetitions", [1, 3, 10])
def test_measuring_more_often_does_not_make_an_objective_that_is_kept_look_missed(repetitions: int) -> None:
    """The mean lies 5 % inside its bound, and repetitions scatter by 5 %."""
    draw, missed = random.Random(repetitions), 0
    for _ in range(200):
        found = judged([BELOW], measured(*(draw.gauss(95.0, 4.75) for _ in range(repetitions))))
        missed += any(not each.kept for each in found)
    assert missed <= (50 if repetitions == 1 else 200 * 0.06)

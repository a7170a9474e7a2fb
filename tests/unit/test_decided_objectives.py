"""Promise V6: Objectives are met, missed or not to be told by the mean over repetitions, never by the worst."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_profile, a_record, a_run, result_bytes

from orchestrator.errors import ExitCode
from orchestrator.metrics.objectives import parse_objective
from orchestrator.plan.sweep import measurement, points
from orchestrator.report.meaning import exit_code
from orchestrator.report.remarks import missed_objectives
from orchestrator.results.decided import Decision, decide
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.runs.run import Run

POINT = "64/16 × 2 prompts: mean_ttft_ms<100"
BELOW, ABOVE = parse_objective("mean_ttft_ms<100"), parse_objective("output_throughput>=100")


@pytest.mark.parametrize(
    ("values", "below", "above"),
    [
        ([90.0], Decision.MET, Decision.MISSED),
        ([110.0], Decision.MISSED, Decision.MET),
        ([90.0, 91.0, 92.0], Decision.MET, Decision.MISSED),
        ([110.0, 111.0, 112.0], Decision.MISSED, Decision.MET),
        ([99.0, 80.0, 101.0], Decision.CANNOT_TELL, Decision.CANNOT_TELL),
        ([90.0, 91.0, None], Decision.MISSED, Decision.MISSED),
        ([], Decision.MISSED, Decision.MISSED),
    ],
)
def test_a_bound_is_kept_or_missed_where_the_whole_interval_is_on_one_side(
    values: list[float | None], below: Decision, above: Decision
) -> None:
    assert (decide(BELOW, values)[0], decide(ABOVE, values)[0]) == (below, above)


@pytest.mark.parametrize("repetitions", [2, 3, 5, 10])
def test_a_mean_well_inside_its_bound_is_not_missed_however_often_it_is_measured(repetitions: int) -> None:
    drawn = random.Random(repetitions)
    found = [decide(BELOW, [drawn.gauss(95.0, 5.0) for _ in range(repetitions)]) for _ in range(2000)]
    missed = [decision for decision, _, _ in found if decision is Decision.MISSED]
    assert len(missed) / len(found) <= 0.01
    failing = [mean for _, mean, _ in found if mean is not None and mean >= 100.0]
    assert len(failing) / len(found) <= 0.09, "of single values 16 % miss, and of ten at least one in 82 %"


@pytest.mark.parametrize("truth", [99.999, 100.001])
def test_a_mean_at_its_bound_is_decided_wrongly_in_one_of_forty_cases(truth: float) -> None:
    drawn = random.Random(1)
    found = [decide(BELOW, [drawn.gauss(truth, 5.0) for _ in range(5)])[0] for _ in range(4000)]
    wrong = found.count(Decision.MISSED if truth < 100.0 else Decision.MET)
    assert wrong / len(found) == pytest.approx(0.025, abs=0.008)


def a_measured_run(folder: Path, *ttfts: float, **bench: Any) -> Run:
    """Make a run of one point with these mean TTFTs and the objective of 100 ms."""
    profile = a_profile(bench={"num_prompts": [2], "repetitions": len(ttfts), **bench}, objectives=["mean_ttft_ms<100"])
    run = a_run(folder, profile, measurements=())
    assert profile.bench is not None
    point = points(profile.bench)[0]
    run.plan_further(measurement(profile.bench, point, number) for number in range(1, len(ttfts) + 1))
    for number, ttft in enumerate(ttfts, start=1):
        metrics = read_metrics(result_bytes(mean_ttft_ms=ttft, duration=10.0, mean_e2el_ms=100.0))
        run.write_record(a_record(measurement(profile.bench, point, number), metrics=metrics))
    return run


@pytest.mark.parametrize(
    ("ttfts", "code", "said"),
    [
        ((90.0,), ExitCode.OK, []),
        (
            (110.0,),
            ExitCode.OBJECTIVE_MISSED,
            ["MISSED: 64/16 × 2 prompts, repetition 1: mean_ttft_ms<100 is missed: 110"],
        ),
        ((90.0, 91.0, 92.0), ExitCode.OK, []),
        (
            (110.0, 111.0, 112.0),
            ExitCode.OBJECTIVE_MISSED,
            ["MISSED: 64/16 × 2 prompts: mean_ttft_ms<100 is missed: mean 111 ± 2.5 over 3 repetitions"],
        ),
        (
            (90.0, 95.0, 106.0),
            ExitCode.OK,
            [f"CANNOT TELL: {POINT}: the mean 97 ± 20 over 3 repetitions keeps to the bound, but not surely"],
        ),
        (
            (95.0, 100.0, 111.0),
            ExitCode.OBJECTIVE_MISSED,
            [f"CANNOT TELL: {POINT}: the mean 102 ± 20 over 3 repetitions misses the bound, but not surely"],
        ),
    ],
)
def test_a_run_fails_where_a_mean_misses_and_says_how_sure_that_is(
    tmp_path: Path, ttfts: tuple[float, ...], code: ExitCode, said: list[str]
) -> None:
    run = a_measured_run(tmp_path, *ttfts)
    assert exit_code(run) == code
    assert missed_objectives(run) == said

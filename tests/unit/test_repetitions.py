"""V2: repetitions until a mean is known: when the rule stops, what a round holds, how often its interval is right."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from samples import a_bench, a_profile, a_record, a_run, result_bytes

from orchestrator.measuring.repetitions import further, one_more
from orchestrator.plan.estimate import CLIENT_START_S, estimate, point_seconds
from orchestrator.plan.sweep import measurement, measurements, points, repetition_range, sweep
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.precision import Precision
from orchestrator.report.remarks import missed_objectives, remarks
from orchestrator.report.repeated import repeated
from orchestrator.results.statistics import mean_interval, t_quantile
from orchestrator.runs.format.records import MeasurementRecord, RunState
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.profile.schema.bench import Bench

RULE = Precision()
AUTO: dict[str, Any] = {"repetitions": {"auto": {"at_least": 2, "at_most": 4, "width": 0.05}}}


@pytest.mark.parametrize(
    ("freedom", "tabulated"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (99, 1.9842)],
)
def test_the_quantiles_are_those_of_the_tables(freedom: int, tabulated: float) -> None:
    assert t_quantile(freedom) == pytest.approx(tabulated, abs=5e-5)


def test_an_interval_is_the_textbook_s() -> None:
    interval = mean_interval([9.0, 10.0, 11.0])
    assert interval is not None
    assert (interval.n, interval.mean) == (3, 10.0)
    assert interval.half_width == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert interval.relative == pytest.approx(0.24842, rel=1e-4)
    assert mean_interval([1.0]) is None
    zero = mean_interval([-1.0, 1.0])
    assert zero is not None
    assert zero.relative == float("inf")


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ([], True),
        ([100.0, 100.0], True),
        ([100.0, 101.0, 100.0], False),
        ([100.0, 110.0, 90.0], True),
        ([100.0, 110.0, 90.0] * 3, True),
        ([100.0, 110.0, 90.0] * 3 + [100.0], False),
        ([100.0, None, 101.0], True),
        ([100.0, None, 100.1, 100.0], False),
        ([100.0, None, None], True),
        ([None, None, None], False),
    ],
)
def test_a_point_is_measured_until_its_mean_is_known_or_the_budget_is_spent(
    values: list[float | None], *, more: bool
) -> None:
    assert one_more(RULE, values) is more


COVERED = {(0.02, 3): 0.95, (0.03, 3): 0.95, (0.05, 3): 0.93, (0.08, 3): 0.91, (0.05, 5): 0.95, (0.08, 5): 0.93}
"""Part of the points whose interval holds the true mean, by scatter and fewest repetitions."""


def stopped(scatter: float, at_least: int) -> list[tuple[bool, bool]]:
    """Simulate points of a true mean of 100; say of each whether it was held, and whether the interval was narrow."""
    rule, chance = Precision(at_least=at_least), random.Random(7)
    found = []
    for _ in range(4000):
        values: list[float] = []
        while one_more(rule, values):
            values.append(chance.gauss(100.0, 100.0 * scatter))
        interval = mean_interval(values)
        assert interval is not None
        found.append((abs(interval.mean - 100.0) <= interval.half_width, interval.relative <= rule.width))
    return found


@pytest.mark.parametrize(("scatter", "at_least"), COVERED)
def test_stopping_at_a_favourable_moment_costs_what_the_docstring_says(scatter: float, at_least: int) -> None:
    found = stopped(scatter, at_least)
    assert sum(held for held, _ in found) / len(found) == pytest.approx(COVERED[scatter, at_least], abs=0.015)


def test_a_point_that_scatters_too_much_and_ends_early_is_wrong_every_fifth_time() -> None:
    early = [held for held, narrow in stopped(0.08, 3) if narrow]
    assert sum(early) / len(early) == pytest.approx(0.80, abs=0.03)


def record(bench: Bench, index: int, repetition: int, throughput: float, **fields: Any) -> MeasurementRecord:
    metrics = read_metrics(result_bytes(output_throughput=throughput))
    return a_record(measurement(bench, points(bench)[index], repetition), **{"metrics": metrics, **fields})


def test_a_round_holds_one_more_repetition_of_each_point_that_is_not_known() -> None:
    bench = a_bench(num_prompts=[2, 4], **AUTO)
    steady = [record(bench, 0, number, 100.0) for number in (1, 2)]
    varied = [record(bench, 1, 1, 100.0), record(bench, 1, 2, 130.0)]
    assert further(bench, [*steady, *varied]) == [measurement(bench, points(bench)[1], 3)]
    assert further(bench, [*varied, *steady]) == [measurement(bench, points(bench)[1], 3)]
    both = [record(bench, 0, number, value) for number, value in ((1, 100.0), (2, 120.0))]
    assert [item.point for item in further(bench, [*both, *varied])] == list(points(bench))


def test_a_failed_repetition_is_spent_and_says_nothing() -> None:
    bench = a_bench(**AUTO)
    failed = [record(bench, 0, number, 1.0, state=RunState.FAILED) for number in (2, 3)]
    assert further(bench, [record(bench, 0, 1, 100.0), *failed[:1]]) == [measurement(bench, points(bench)[0], 3)]
    assert further(bench, [record(bench, 0, 1, 100.0), *failed, record(bench, 0, 4, 130.0)]) == []
    assert further(bench, failed) == []


def test_a_number_of_repetitions_leaves_nothing_to_decide() -> None:
    bench = a_bench(repetitions=2)
    assert further(bench, [record(bench, 0, 1, 1.0), record(bench, 0, 2, 1000.0)]) == []


@pytest.mark.parametrize("written", ["auto", {"auto": {}}])
def test_the_word_alone_means_the_usual_rule(written: object) -> None:
    bench = a_bench(repetitions=written)
    assert not isinstance(bench.repetitions, int)
    assert bench.repetitions.auto == RULE
    assert repetition_range(bench) == (3, 10)
    assert len(sweep(bench)) == 3


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"metric": "speed"}, "'speed' is not a metric"),
        ({"at_least": 5, "at_most": 4}, "at_least is 5 and at_most 4"),
        ({"at_least": 1}, "greater than or equal to 2"),
        ({"width": 0}, "greater than 0"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        a_bench(repetitions={"auto": rule})


def test_the_rule_is_kept_with_the_run(tmp_path: Path) -> None:
    profile = a_profile(bench={"repetitions": {"auto": {"metric": "mean_ttft_ms", "width": 0.1}}})
    path = tmp_path / "profile.yaml"
    path.write_bytes(dump_profile(profile).encode())
    assert load_profile(str(path), ()).bench == profile.bench


def test_a_measurement_is_the_same_however_it_is_come_by() -> None:
    bench = a_bench(num_prompts=[2, 4], repetitions=3)
    named = [(item.point.id, item.repetition) for item in sweep(bench)]
    assert measurements(bench, named) == list(sweep(bench))


def test_the_estimate_says_what_further_repetitions_may_add() -> None:
    assert estimate(a_profile(bench={"repetitions": 3})).further_s == 0
    profile = a_profile(bench=AUTO)
    assert profile.bench is not None
    each = sum(CLIENT_START_S + point_seconds(point, profile.bench) for point in points(profile.bench))
    assert estimate(profile).further_s == pytest.approx(2 * each)


def test_a_run_says_how_closely_the_mean_of_its_points_is_known(tmp_path: Path) -> None:
    profile = a_profile(bench={"num_prompts": [2, 4], "repetitions": 3})
    run = a_run(tmp_path, profile)
    bench = profile.bench
    assert bench is not None
    for number, value in enumerate((9.0, 10.0, 11.0), start=1):
        run.write_record(record(bench, 0, number, value))
    run.write_record(record(bench, 1, 1, 5.0))
    (only,) = repeated(run)
    assert only.line() == (
        "64/16 × 2 prompts: output_throughput 10.00 ± 24.8% (95% confidence interval of the mean, 3 repetitions)"
    )
    assert (only.as_data()["repetitions"], only.as_data()["mean"]) == (3, statistics.fmean((9, 10, 11)))


def test_the_mean_of_a_percentile_of_too_few_requests_is_marked(tmp_path: Path) -> None:
    bench = {"num_prompts": [2], "repetitions": {"auto": {"metric": "p99_ttft_ms"}}}
    profile = a_profile(bench=bench, objectives=["p99_ttft_ms<1", "mean_ttft_ms<1"])
    run = a_run(tmp_path, profile)
    assert profile.bench is not None
    shown = {}
    for requests in (661, 662):
        for number in (1, 2):
            metrics = read_metrics(result_bytes(completed=requests))
            run.write_record(record(profile.bench, 0, number, 1.0, metrics=metrics))
        (only,) = repeated(run)
        shown[requests] = (only.line().partition(" ±")[0], only.as_data()["thin"])
    assert shown == {
        661: ("64/16 × 2 prompts: p99_ttft_ms ~1.50", True),
        662: ("64/16 × 2 prompts: p99_ttft_ms 1.50", False),
    }


def test_an_objective_missed_by_a_percentile_of_too_few_requests_is_marked_with_the_legend(tmp_path: Path) -> None:
    profile = a_profile(bench={"num_prompts": [2]}, objectives=["p99_ttft_ms<1", "mean_ttft_ms<1"])
    run = a_run(tmp_path, profile)
    assert profile.bench is not None
    run.write_record(record(profile.bench, 0, 1, 1.0))
    assert missed_objectives(run) == [
        "MISSED: 64/16 × 2 prompts, repetition 1: p99_ttft_ms<1 is missed: ~1.5",
        "MISSED: 64/16 × 2 prompts, repetition 1: mean_ttft_ms<1 is missed: 1.5",
    ]
    legend = "~ marks a percentile of too few requests to be relied on (P90 wants 64, P95 130, P99 662)"
    assert legend in remarks(run)

"""V2: repetitions until a mean is known: when the rule stops, what a round holds, how often its interval is right."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass
from functools import cache
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
from orchestrator.results.counted import counted
from orchestrator.results.distributions import t_quantile
from orchestrator.results.statistics import mean_interval, trend
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
        ([100.0, 101.0, 100.0, 101.0], True),
        ([100.0, 101.0, 100.0, 101.0, 100.0], False),
        ([100.0, 110.0, 90.0, 110.0, 90.0], True),
        ([100.0, 110.0, 90.0] * 3, True),
        ([100.0, 110.0, 90.0] * 3 + [100.0], False),
        ([100.0, None, 100.0, 100.0, 101.0], True),
        ([100.0, None, 100.0, 100.0, 101.0, 100.0], False),
        ([100.0, None, None, None, None], True),
        ([100.0] * 4 + [None] * 6, False),
        ([None, None, None, None, None], False),
    ],
)
def test_a_point_is_measured_until_its_mean_is_known_or_the_budget_is_spent(
    values: list[float | None], *, more: bool
) -> None:
    assert one_more(RULE, values) is more


class Repetitions:
    """What the repetitions of a point measure, in their order, and what they scatter about."""

    def __init__(self, seed: int, scatter: float, **kind: float | str) -> None:
        self._chance = random.Random(f"{seed} {scatter} {sorted(kind.items())}")
        self._scatter, self._kind = scatter, kind
        self._state = self._chance.gauss(0.0, 1.0)
        self._number = 0

    def next(self) -> tuple[float, float]:
        """Return the next value, and what it scatters about."""
        along = float(self._kind.get("along", 0.0))
        self._state = along * self._state + (1.0 - along**2) ** 0.5 * self._chance.gauss(0.0, 1.0)
        level = 100.0 * (1.0 + float(self._kind.get("drift", 0.0)) * self._number)
        self._number += 1
        if self._kind.get("shape") == "lognormal":
            return level * math.exp(self._scatter * self._state - self._scatter**2 / 2.0), level
        slow = self._chance.random() < float(self._kind.get("outlying", 0.0))
        return level * (1.0 + self._scatter * self._state) * (0.8 if slow else 1.0), level


@dataclass(frozen=True)
class Point:
    """What the rule made of one point."""

    held: bool
    narrow: bool
    trend: float | None


@cache
def simulated(scatter: float, at_least: int = 5, **kind: float | str) -> list[Point]:
    """Simulate 1500 points that are measured by the rule."""
    rule, found = Precision(at_least=at_least), []
    for number in range(1500):
        point = Repetitions(number, scatter, **kind)
        values: list[float] = []
        levels: list[float] = []
        while one_more(rule, values):
            value, level = point.next()
            values.append(value)
            levels.append(level)
        interval = mean_interval(values)
        assert interval is not None
        held = interval.low <= statistics.fmean(levels) <= interval.high
        found.append(Point(held, interval.relative <= rule.width, trend(values)))
    return found


COVERED: list[tuple[float, dict[str, float | str], float]] = [
    (0.02, {}, 0.95),
    (0.05, {}, 0.95),
    (0.08, {}, 0.93),
    (0.08, {"at_least": 3}, 0.91),
    (0.08, {"shape": "lognormal"}, 0.93),
    (0.30, {"shape": "lognormal"}, 0.94),
    (0.03, {"outlying": 0.05}, 0.95),
    (0.05, {"along": 0.5}, 0.76),
]
"""Part of the points whose interval holds what their repetitions scatter about, by their scatter and their kind."""


@pytest.mark.parametrize(("scatter", "kind", "part"), COVERED)
def test_stopping_at_a_favourable_moment_costs_what_the_docstring_says(
    scatter: float, kind: dict[str, Any], part: float
) -> None:
    found = simulated(scatter, **kind)
    assert sum(point.held for point in found) / len(found) == pytest.approx(part, abs=0.018)


@pytest.mark.parametrize(("at_least", "part"), [(5, 0.86), (3, 0.82)])
def test_a_point_that_scatters_too_much_and_ends_early_is_wrong_more_often(at_least: int, part: float) -> None:
    early = [point.held for point in simulated(0.08, at_least) if point.narrow]
    assert sum(early) / len(early) == pytest.approx(part, abs=0.04)


@pytest.mark.parametrize(
    ("scatter", "drift", "least", "most"), [(0.02, 0.05, 0.99, 1.0), (0.01, 0.02, 0.6, 0.75), (0.03, 0.0, 0.0, 0.02)]
)
def test_a_trend_over_repetitions_is_seen_and_hardly_ever_where_there_is_none(
    scatter: float, drift: float, least: float, most: float
) -> None:
    found = simulated(scatter, drift=drift)
    seen = [point.trend for point in found if point.trend is not None]
    assert least <= len(seen) / len(found) <= most
    if drift:
        assert statistics.median(seen) == pytest.approx(drift, rel=0.35)


def test_values_without_any_scatter_have_no_trend_unless_they_lie_on_a_line() -> None:
    assert trend([1.0] * 6) is None
    assert trend([1.0, 2.0, 3.0]) is None
    assert trend([1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.4)
    assert trend([-1.0, 1.0, -1.0, 1.0]) is None


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


@pytest.mark.parametrize(
    ("taken", "next_round"),
    [
        ([(1, "abc"), (2, "cba")], "abc"),
        ([(1, "abc"), (2, "cba"), (3, "abc")], "cba"),
        ([(1, "cab"), (2, "cab")], "cab"),
        ([(1, "cab"), (2, "cab"), (3, "cab")], "cab"),
        ([(1, "abc"), (2, "cb")], "abc"),
    ],
)
@pytest.mark.parametrize("order", ["seeded", "written"])
def test_a_run_goes_on_in_the_order_that_it_has_whatever_a_new_one_would_have(
    order: str, taken: list[tuple[int, str]], next_round: str
) -> None:
    bench = a_bench(order=order, num_prompts=[2, 4, 6], repetitions={"auto": {"at_least": 2, "at_most": 9}})
    names = dict(zip("abc", points(bench), strict=True))
    records = [
        record(bench, "abc".index(name), number, 50.0 if number % 2 else 100.0)
        for number, each in taken
        for name in each
    ]
    if taken[-1][1] == "cb":
        records.append(record(bench, 0, 2, 1.0, state=RunState.FAILED))
    found = {point.id: name for name, point in names.items()}
    assert "".join(found[item.point.id] for item in further(bench, records)) == next_round


SOUND: dict[str, Any] = {"duration": 10.0, "mean_e2el_ms": 100.0}
"""What makes the usual result one that nothing speaks against."""


def sound(bench: Bench, repetition: int, throughput: float, **fields: Any) -> MeasurementRecord:
    metrics = read_metrics(result_bytes(**SOUND, output_throughput=throughput))
    return record(bench, 0, repetition, throughput, metrics=metrics, **fields)


def test_a_doubted_repetition_is_measured_again_instead_of_counted() -> None:
    bench = a_bench(**AUTO)
    first, doubted = sound(bench, 1, 100.0), sound(bench, 2, 60.0, idle_before=False)
    assert further(bench, [first, doubted]) == [measurement(bench, points(bench)[0], 3)]
    assert further(bench, [first, doubted, sound(bench, 3, 100.0)]) == []
    again = [sound(bench, number, 100.0, idle_before=False) for number in (3, 4)]
    assert further(bench, [first, doubted, *again]) == [], "at most four, doubted ones among them"


def test_where_every_repetition_is_doubted_the_doubt_is_about_the_point_and_all_count() -> None:
    bench = a_bench(**AUTO)
    doubted = [sound(bench, number, value, idle_before=False) for number, value in ((1, 100.0), (2, 100.0))]
    assert further(bench, doubted) == []
    assert counted(bench, doubted).suspect == 2


def test_a_mean_says_how_many_of_its_repetitions_are_doubted_or_were_measured_again(tmp_path: Path) -> None:
    shown = {}
    for repetitions in (3, AUTO["repetitions"]):
        profile = a_profile(bench={"num_prompts": [2], "repetitions": repetitions})
        run = a_run(tmp_path / str(isinstance(repetitions, int)), profile, measurements=())
        bench = profile.bench
        assert bench is not None
        run.plan_further(measurement(bench, points(bench)[0], number) for number in (1, 2, 3))
        for number, value in enumerate((100.0, 100.0, 97.0), start=1):
            run.write_record(sound(bench, number, value, idle_before=number != 3))
        (only,) = repeated(run)
        shown[isinstance(repetitions, int)] = only.line().partition("mean, ")[2]
        assert (only.as_data()["suspect"], only.as_data()["left_out"]) in ((1, 0), (0, 1))
    assert shown == {True: "3 repetitions, 1 of 3 SUSPECT)", False: "2 repetitions, 1 more SUSPECT and not counted)"}


def test_a_trend_over_the_repetitions_is_said_beside_the_mean(tmp_path: Path) -> None:
    profile = a_profile(bench={"num_prompts": [2], "repetitions": 5})
    run = a_run(tmp_path, profile)
    assert profile.bench is not None
    for number in range(1, 6):
        run.write_record(sound(profile.bench, number, 100.0 - number))
    (only,) = repeated(run)
    assert only.line().endswith("5 repetitions, falling by 1.0% from one to the next, so that no mean describes them)")
    assert only.as_data()["trend"] == pytest.approx(-1.0 / 97.0)


def test_a_number_of_repetitions_leaves_nothing_to_decide() -> None:
    bench = a_bench(repetitions=2)
    assert further(bench, [record(bench, 0, 1, 1.0), record(bench, 0, 2, 1000.0)]) == []


@pytest.mark.parametrize("written", ["auto", {"auto": {}}])
def test_the_word_alone_means_the_usual_rule(written: object) -> None:
    bench = a_bench(repetitions=written)
    assert not isinstance(bench.repetitions, int)
    assert bench.repetitions.auto == RULE
    assert repetition_range(bench) == (5, 10)
    assert len(sweep(bench)) == 5


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
        "64/16 × 2 prompts: output_throughput 10.00 ± 24.8% (95% confidence interval of the mean, 3 repetitions, "
        "3 of 3 SUSPECT)"
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

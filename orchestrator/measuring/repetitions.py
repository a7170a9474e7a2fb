"""Decides from the results how often a point is measured: until the mean of a metric is known closely enough.

The rule looks again after each round of repetitions, and stops a point as soon as the 95 % confidence interval of the
mean is narrow enough. A repetition that is SUSPECT by itself is measured again instead of counted, unless all are:
see `orchestrator.results.counted`. One that failed or was doubted is spent, so that `at_most` bounds them all.

Looking often and stopping at a favourable moment has its price: values that happen to lie close together end it early,
and the interval then misses the true mean more often than one time in twenty. With the rule's defaults (5 to 10
repetitions, ±5 %) and independent values it holds the true mean of this server start in 95 % of points that scatter
by up to 5 %, and in 93 % at 8 %, normal or lognormal; of the points that scatter by 8 % and end early all the same, in
86 %. Repetitions that depend on each other are worse: with a correlation of one half from one to the next, and 5 %
scatter, it holds in 76 %. Where one repetition in twenty is slower by a fifth, it holds the usual level in 95 %. A
drift of 5 % a repetition at 2 % scatter always shows as a trend, one of 2 % at 1 % scatter in two of three points;
without a drift one point in a hundred shows one. tests/unit/test_repetitions.py simulates all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.metrics.objectives import metric_value
from orchestrator.plan.sweep import measurement, points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.precision import Precision
from orchestrator.results.counted import counted
from orchestrator.results.statistics import mean_interval
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.workload.point import Measurement


def one_more(rule: Precision, values: Sequence[float | None]) -> bool:
    """Say whether a point is to be measured once more.

    Args:
        rule: When it has been measured often enough.
        values: What the metric was in each repetition so far; None for one that failed, was doubted or does not report
            it. Such a repetition is spent all the same, and where none has a value another one is no use.
    """
    known = [value for value in values if value is not None]
    if len(values) < rule.at_least:
        return True
    if len(values) >= rule.at_most or not known:
        return False
    if len(known) < rule.at_least:
        return True
    interval = mean_interval(known)
    return interval is None or interval.relative > rule.width


def further(bench: Bench, records: Sequence[MeasurementRecord]) -> list[Measurement]:
    """Return the next round: one more repetition of each point that is not known closely enough.

    The rounds depend on the records alone, so an interrupted run goes on as it would have without the interruption.

    Args:
        bench: The sweep.
        records: All its measurements, each of which has ended.
    """
    if isinstance(bench.repetitions, int):
        return []
    rule = bench.repetitions.auto
    by_point: dict[str, list[MeasurementRecord]] = {}
    for record in records:
        by_point.setdefault(record.point, []).append(record)
    values = {point: _values(bench, taken, rule.metric) for point, taken in by_point.items()}
    by_id = {point.id: point for point in points(bench)}
    known = [point for point in _in_turn(records) if point in by_id]
    return [
        measurement(bench, by_id[point], len(values[point]) + 1) for point in known if one_more(rule, values[point])
    ]


def _in_turn(records: Sequence[MeasurementRecord]) -> list[str]:
    """Return the ids of points in the order of the next round, by that of the rounds on record.

    A run goes on in its own order, whatever this version would begin a new one with: one that turned round goes on
    turning round.
    """
    rounds: dict[int, list[str]] = {}
    for record in records:
        rounds.setdefault(record.repetition, []).append(record.point)
    first, second = rounds.get(1, []), rounds.get(2, [])
    both = [point for point in first if point in second]
    turns = len(both) > 1 and [point for point in second if point in both] == both[::-1]
    known = list(dict.fromkeys([*first, *(record.point for record in records)]))
    return known[::-1] if turns and len(rounds) % 2 else known


def _values(bench: Bench, taken: Sequence[MeasurementRecord], metric: str) -> list[float | None]:
    """Return a value for each repetition of a point that has been measured; None for one that does not count."""
    these = counted(bench, taken).records
    return [metric_value(metric, record.metrics) if record in these and record.metrics else None for record in taken]

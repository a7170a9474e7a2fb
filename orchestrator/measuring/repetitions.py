"""Decides from the results how often a point is measured: until the mean of a metric is known closely enough.

The rule looks again after each round of repetitions, and stops a point as soon as the 95 % confidence interval of the
mean is narrow enough. Looking often and stopping at a favourable moment has its price: values that happen to lie close
together end it early, and the interval then misses the true mean more often than one time in twenty. With independent
normal values and the rule's defaults (3 to 10 repetitions, ±5 %) it holds the true mean in 95 % of points that scatter
by up to 3 %, in 93 % at 5 % and in 91 % at 8 %; with `at_least: 5`, in 93 to 95 %. A point that scatters too much for
the rule mostly spends the budget and has a wide interval, which is honest; but where such a point ends early, it is
wrong often: at 8 % scatter every fifth time. tests/unit/test_repetitions.py simulates it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.metrics.objectives import metric_value
from orchestrator.plan.sweep import measurement, points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.precision import Precision
from orchestrator.results.statistics import mean_interval
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.workload.point import Measurement


def one_more(rule: Precision, values: Sequence[float | None]) -> bool:
    """Say whether a point is to be measured once more.

    Args:
        rule: When it has been measured often enough.
        values: What the metric was in each repetition so far; None for one that failed or does not report it. Such a
            repetition is spent all the same, and where none has a value another one is no use.
    """
    if len(values) < rule.at_least:
        return True
    known = [value for value in values if value is not None]
    if len(values) >= rule.at_most or not known:
        return False
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
    values: dict[str, list[float | None]] = {}
    for record in records:
        measured = record.outcome if isinstance(record.outcome, Measured) else None
        value = metric_value(rule.metric, measured.metrics) if measured else None
        values.setdefault(record.point, []).append(value)
    return [
        measurement(bench, point, len(values[point.id]) + 1)
        for point in points(bench)
        if point.id in values and one_more(rule, values[point.id])
    ]

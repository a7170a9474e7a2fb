"""How much a metric changes between two servers, by pairs of measurements that had the same prompts.

What prompts do to a figure is the same on both sides of a pair and cancels out, so that pairs tell apart what two
separate intervals cannot. Changes are ratios: the mean of the logarithm of after / before, with its interval by
Student's t over the pairs. Servers of one start each are compared as these two starts: their luck is in the change.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.metrics.objectives import metric_value
from orchestrator.results.distributions import t_quantile, within_t
from orchestrator.results.statistics import CONFIDENCE
from orchestrator.runs.format.records import MeasurementRecord, RunState

LEAST_SCATTER = 0.002
"""Standard deviation of a ratio that is assumed in any case: figures are rounded, and few may agree by chance."""

Pair = tuple[MeasurementRecord, MeasurementRecord]


@dataclass(frozen=True)
class Change:
    """The change of a metric over some pairs, as a part: 0.05 is 5 % more."""

    pairs: int
    change: float
    low: float | None
    """Lower end of the confidence interval; None for a single pair, as the upper end is."""
    high: float | None
    p: float | None
    """Chance of a change as large or larger where there is none, to either side; None for a single pair."""


def paired_change(logarithms: Sequence[float], confidence: float = CONFIDENCE) -> Change | None:
    """Return the change over pairs; None without any.

    Args:
        logarithms: ln(after / before) of each pair.
        confidence: Of the interval.
    """
    n = len(logarithms)
    if not n:
        return None
    mean = statistics.fmean(logarithms)
    if n == 1:
        return Change(1, math.expm1(mean), None, None, None)
    error = max(statistics.stdev(logarithms), LEAST_SCATTER) / math.sqrt(n)
    half_width = t_quantile(n - 1, confidence) * error
    p = 1.0 - within_t(abs(mean) / error, n - 1)
    return Change(n, math.expm1(mean), math.expm1(mean - half_width), math.expm1(mean + half_width), p)


def paired(before: Iterable[MeasurementRecord], after: Iterable[MeasurementRecord]) -> list[Pair]:
    """Return the measurements of two runs that belong together: one point, repetition and seed, and both done.

    A server that had seen the prompts before got others, by another seed: such a pair would compare prompts too.
    """

    def key(record: MeasurementRecord) -> tuple[str, int, int]:
        return record.point, record.repetition, record.seed

    others = {key(record): record for record in before if _is_done(record)}
    return [(others[key(record)], record) for record in after if _is_done(record) and key(record) in others]


def change_of(pairs: Sequence[Pair], metric: str) -> Change | None:
    """Return the change of a metric over the pairs of one point; None where no pair has it on both sides."""
    found = (_logarithm(pair, metric) for pair in pairs)
    return paired_change([value for value in found if value is not None])


def change_over_points(pairs: Sequence[Pair], metric: str) -> Change | None:
    """Return the change of a metric over all points together: one value a repetition, the mean over its points.

    Only points with a pair in each repetition count, so that the repetitions are means of the same points. None where
    there is no such point.
    """
    found: dict[str, dict[int, float]] = {}
    for pair in pairs:
        value = _logarithm(pair, metric)
        if value is not None:
            found.setdefault(pair[1].point, {})[pair[1].repetition] = value
    repetitions = sorted({number for values in found.values() for number in values})
    whole = [values for values in found.values() if len(values) == len(repetitions)]
    if not whole:
        return None
    return paired_change([statistics.fmean(values[number] for values in whole) for number in repetitions])


def _logarithm(pair: Pair, metric: str) -> float | None:
    """Return ln(after / before) of a metric; None where a side does not report it or its value is not positive."""
    before, after = (metric_value(metric, record.metrics) if record.metrics else None for record in pair)
    return math.log(after / before) if before and after and before > 0.0 and after > 0.0 else None


def _is_done(record: MeasurementRecord) -> bool:
    return record.state is RunState.DONE and record.metrics is not None

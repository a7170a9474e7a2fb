"""What few repetitions say together: the mean with its confidence interval by Student's t, and a trend over them.

All of it holds for the server start on which the repetitions were taken: they share its luck, and another start of the
same server may lie elsewhere.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.results.distributions import t_quantile

CONFIDENCE = 0.95
SURE_OF_TREND = 0.99
"""How sure a trend must be to be said: of twenty points without one, fewer than one in five runs has a false one."""
FEWEST_FOR_TREND = 4
"""Repetitions from which on a trend is looked for: a line through three fits by chance too often."""


@dataclass(frozen=True)
class Interval:
    """The mean of some values and how closely it is known, if they are independent and about normal."""

    n: int
    mean: float
    half_width: float
    """The interval is `mean` plus or minus this, in the values' own unit."""

    @property
    def low(self) -> float:
        """Return the lower end, in the values' own unit."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Return the upper end, in the values' own unit."""
        return self.mean + self.half_width

    @property
    def relative(self) -> float:
        """Return the half-width as a part of the mean; infinite for a mean of zero."""
        return self.half_width / abs(self.mean) if self.mean else math.inf


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the confidence interval of the mean, or None for fewer than two values."""
    if len(values) < 2:  # noqa: PLR2004 - one value says nothing about its spread
        return None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return Interval(len(values), statistics.fmean(values), t_quantile(len(values) - 1, confidence) * error)


def trend(values: Sequence[float]) -> float | None:
    """Return how much the values rise from one to the next, as a part of their mean; None unless it is sure.

    The slope of the least-squares line over the order of the values is compared with its standard error, by Student's t
    at `SURE_OF_TREND`. Values that drift have no mean that an interval could hold.
    """
    n = len(values)
    if n < FEWEST_FOR_TREND:
        return None
    slope, start = statistics.linear_regression(range(n), values)
    squares = math.fsum((value - start - slope * index) ** 2 for index, value in enumerate(values))
    error = math.sqrt(squares / (n - 2) / ((n**3 - n) / 12.0))
    mean = statistics.fmean(values)
    if not mean or abs(slope) <= t_quantile(n - 2, SURE_OF_TREND) * error:
        return None
    return slope / abs(mean)

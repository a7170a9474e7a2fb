"""The confidence interval of a mean of few values, by Student's t distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

CONFIDENCE = 0.95
PRECISION = 1e-9
"""How closely a quantile is searched for: far below what any measurement resolves."""


@dataclass(frozen=True)
class Interval:
    """The mean of some values and how closely it is known, if they are independent and about normal."""

    n: int
    mean: float
    half_width: float
    """The interval is `mean` plus or minus this, in the values' own unit."""

    @property
    def relative(self) -> float:
        """Return the half-width as a part of the mean; infinite for a mean of zero."""
        return self.half_width / abs(self.mean) if self.mean else math.inf


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % confidence interval of the mean, or None for fewer than two values."""
    if len(values) < 2:  # noqa: PLR2004 - one value says nothing about its spread
        return None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return Interval(len(values), statistics.fmean(values), t_quantile(len(values) - 1) * error)


@cache
def t_quantile(freedom: int) -> float:
    """Return what Student's t with so many degrees of freedom stays within, on both sides, with 95 %."""
    low, high = 0.0, 13.0  # 12.706 for one degree of freedom; it only falls
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Return the chance that Student's t lies within ±t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2.0 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))

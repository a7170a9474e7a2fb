"""How far chance alone takes a value: quantiles of the distributions by which repetitions are judged."""

from __future__ import annotations

import math
import statistics
from functools import cache

PRECISION = 1e-6


def normal_beyond(part: float) -> float:
    """Return what a normal value stays within, on both sides, but for so small a part."""
    return statistics.NormalDist().inv_cdf(1.0 - part / 2.0)


@cache
def student_beyond(part: float, freedom: int) -> float:
    """Return what Student's t stays within, on both sides, but for so small a part."""
    low, high = 0.0, 1.0
    while _student_within(high, freedom) < 1.0 - part:
        low, high = high, 2.0 * high
    while high - low > PRECISION * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _student_within(middle, freedom) < 1.0 - part else (low, middle)
    return high


def chi_square_beyond(part: float, freedom: int) -> float:
    """Return what a chi-square value exceeds by chance in so small a part of cases (Wilson and Hilferty, 1931)."""
    z = statistics.NormalDist().inv_cdf(1.0 - part)
    spread = 2.0 / (9.0 * freedom)
    return float(freedom * (1.0 - spread + z * math.sqrt(spread)) ** 3)


def _student_within(t: float, freedom: int) -> float:
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

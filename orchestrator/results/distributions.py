"""The beta, the binomial and Student's t distribution, without a library: all three from the incomplete beta function.

Sources: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.8 (continued fraction), 26.5.24 (binomial) and
26.7.1 (Student's t); the continued fraction is evaluated by the modified method of Lentz (Applied Optics 15, 1976).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

TINY = 1e-300
"""Stands for a denominator of zero in the continued fraction."""
CLOSE = 1e-15
"""Relative change from which on the continued fraction counts as converged."""
MOST_TERMS = 10_000
"""Terms of the continued fraction; it needs about the square root of the larger parameter."""
HALVINGS = 100
"""Steps of a bisection: more than a double has bits."""


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) for 0 ≤ x ≤ 1 and positive a and b."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast below
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _inverse(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = _inverse(1.0 + term * d)
            c = 1.0 + term / c or TINY
            value *= c * d
        if abs(c * d - 1.0) < CLOSE:
            break
    return value


def _inverse(value: float) -> float:
    return 1.0 / (value or TINY)


def binomial_at_least(least: int, n: int, chance: float) -> float:
    """Return the probability that at least so many of n independent trials succeed, each with the same chance."""
    if least <= 0 or least > n:
        return 1.0 if least <= 0 else 0.0
    return incomplete_beta(chance, least, n - least + 1)


def within_t(t: float, freedom: float) -> float:
    """Return the probability that Student's t with so many degrees of freedom lies within ±t."""
    return 1.0 - incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)


@cache
def t_quantile(freedom: float, confidence: float = 0.95) -> float:
    """Return what Student's t with so many degrees of freedom stays within, on both sides, with that probability."""
    most = 1.0
    while within_t(most, freedom) < confidence:
        most *= 2.0
    return _root(lambda t: within_t(t, freedom) - confidence, most)


@cache
def at_least(successes: int, trials: int, confidence: float) -> float:
    """Return the exact one-sided lower bound of the chance of success (Clopper and Pearson, Biometrika 26, 1934).

    Whatever the true chance is, the bound lies above it with a probability of at most 1 - confidence; 0 without trials.
    """
    if not successes:
        return 0.0
    return _root(lambda chance: binomial_at_least(successes, trials, chance) - (1.0 - confidence), 1.0)


def at_most(successes: int, trials: int, confidence: float) -> float:
    """Return the exact one-sided upper bound of the chance of success; 1 without trials."""
    return 1.0 - at_least(trials - successes, trials, confidence)


def _root(rises: Callable[[float], float], most: float) -> float:
    """Return where a function that rises passes zero, between zero and an upper end."""
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if rises(middle) < 0.0 else (low, middle)
    return high

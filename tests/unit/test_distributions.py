"""Distributions without a library: they agree with tables, with sums that need no formula, and with each other."""

from __future__ import annotations

import math
import random

import pytest

from orchestrator.results.distributions import at_least, at_most, binomial_at_least, t_quantile, within_t


@pytest.mark.parametrize("n", [1, 5, 50, 400])
@pytest.mark.parametrize("chance", [0.01, 0.3, 0.5, 0.99])
def test_the_binomial_distribution_is_the_sum_of_its_terms(n: int, chance: float) -> None:
    terms = [math.comb(n, k) * chance**k * (1.0 - chance) ** (n - k) for k in range(n + 1)]
    for least in range(-1, n + 2):
        assert binomial_at_least(least, n, chance) == pytest.approx(math.fsum(terms[max(least, 0) :]), abs=1e-11)


@pytest.mark.parametrize(
    ("freedom", "confidence", "tabulated"),
    [
        (1, 0.99, 63.657),
        (3, 0.99, 5.8409),
        (2.5, 0.95, 3.5747),
        (4, 0.90, 2.13185),
        (10, 0.999, 4.5869),
        (1e6, 0.95, 1.9599664),
    ],
)
def test_student_s_quantiles_are_those_of_the_tables(freedom: float, confidence: float, tabulated: float) -> None:
    assert t_quantile(freedom, confidence) == pytest.approx(tabulated, rel=2e-5)
    assert within_t(t_quantile(freedom, confidence), freedom) == pytest.approx(confidence, abs=1e-10)


@pytest.mark.parametrize(
    ("met", "n", "confidence", "bound"),
    [(3, 3, 0.95, 0.3684), (5, 10, 0.975, 0.1871), (9, 10, 0.95, 0.6058), (0, 7, 0.95, 0.0), (20, 20, 0.99, 0.7943)],
)
def test_a_bound_is_clopper_s_and_pearson_s(met: int, n: int, confidence: float, bound: float) -> None:
    assert at_least(met, n, confidence) == pytest.approx(bound, abs=5e-5)
    assert at_most(n - met, n, confidence) == pytest.approx(1.0 - bound, abs=5e-5)


def test_nothing_tried_bounds_nothing() -> None:
    assert (at_least(0, 0, 0.95), at_most(0, 0, 0.95)) == (0.0, 1.0)


@pytest.mark.parametrize("chance", [0.05, 0.37, 0.6, 0.95])
@pytest.mark.parametrize("n", [3, 10])
def test_a_bound_holds_whatever_the_chance_is(n: int, chance: float) -> None:
    drawn = random.Random(f"{n} {chance}")
    held = [at_least(sum(drawn.random() < chance for _ in range(n)), n, 0.95) <= chance for _ in range(4000)]
    assert sum(held) / len(held) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 4000)

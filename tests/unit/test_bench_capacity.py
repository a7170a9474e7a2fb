"""The search for the highest load that meets all objectives: it ends, it is right, and it says how sure it is."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.measuring.capacity import CapacitySearch

if TYPE_CHECKING:
    from collections.abc import Callable


def searched(met: Callable[[int], bool], **bounds: Any) -> tuple[CapacitySearch, list[int]]:
    """Search with a server that meets what it is told to; return the search and the loads in their order."""
    search = CapacitySearch(**{"lowest": 1, "highest": 1024, "repetitions": 1, **bounds})
    loads: list[int] = []
    while (load := search.next()) is not None:
        loads.append(load)
        assert len(loads) < 1000
        search.tell(load, met=met(load))
    return search, loads


def test_it_doubles_and_then_closes_in() -> None:
    search, loads = searched(lambda load: load <= 11)
    assert loads == [1, 2, 4, 8, 16, 12, 10, 11]
    assert (search.capacity(), search.limit()) == (11, 12)


def test_both_sides_of_the_boundary_are_measured_again() -> None:
    _, loads = searched(lambda load: load <= 2, repetitions=3)
    assert loads == [1, 2, 4, 3, 2, 2, 3, 3]


def test_it_ends_as_close_as_it_was_asked_to() -> None:
    search, loads = searched(lambda load: load <= 100, resolution=0.25)
    assert loads == [1, 2, 4, 8, 16, 32, 64, 128, 96, 112]
    assert (search.capacity(), search.limit()) == (96, 112)


@given(st.integers(1, 64), st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 4))
def test_with_a_steady_server_it_finds_the_boundary(lowest: int, more: int, capacity: int, repetitions: int) -> None:
    highest = lowest + more
    search, loads = searched(lambda load: load <= capacity, lowest=lowest, highest=highest, repetitions=repetitions)
    expected = min(capacity, highest)
    assert search.capacity() == (expected if expected >= lowest else None)
    assert search.limit() == (None if capacity >= highest else max(capacity + 1, lowest))
    assert all(lowest <= load <= highest for load in loads)
    assert len(loads) <= 24 + 2 * repetitions


@given(st.data(), st.integers(1, 5))
def test_with_any_server_at_all_it_ends(data: Any, repetitions: int) -> None:
    search, loads = searched(lambda _: data.draw(st.booleans()), highest=64, repetitions=repetitions)
    assert max(loads.count(load) for load in set(loads)) <= repetitions
    below, above = search.capacity(), search.limit()
    assert below is None or above is None or below < above


STATEMENTS: list[tuple[Callable[[int], bool], dict[str, Any], str]] = [
    (
        lambda load: load <= 2,
        {"repetitions": 3},
        (
            "the highest concurrency that meets the objectives is 2: met in 3 of 3 at concurrency 2, met in 0 of 3 at "
            "concurrency 3, with 95% confidence concurrency 2 meets them in at least 37% of measurements"
        ),
    ),
    (
        lambda _: False,
        {"lowest": 4},
        "not even the lowest concurrency that was tried meets the objectives: met in 0 of 1 at concurrency 4",
    ),
    (
        lambda load: load <= 100,
        {"resolution": 0.25},
        (
            "the highest concurrency that meets the objectives is at least 96 and less than 112: met in 1 of 1 at "
            "concurrency 96, met in 0 of 1 at concurrency 112, with 95% confidence concurrency 96 meets them in at "
            "least 5% of measurements"
        ),
    ),
    (
        lambda _: True,
        {"highest": 8},
        (
            "the highest concurrency that meets the objectives is 8: met in 1 of 1 at concurrency 8, no higher "
            "concurrency than 8 was tried, with 95% confidence concurrency 8 meets them in at least 5% of measurements"
        ),
    ),
]


@pytest.mark.parametrize(("met", "bounds", "statement"), STATEMENTS, ids=["found", "none", "between", "all"])
def test_it_says_what_it_found_and_how_sure_that_is(
    met: Callable[[int], bool], bounds: dict[str, Any], statement: str
) -> None:
    search, _ = searched(met, **bounds)
    assert search.statement("concurrency") == statement


def test_a_load_that_was_missed_once_in_a_while_is_not_said_to_be_sure() -> None:
    search = CapacitySearch(1, 1, 3)
    for met in (True, False, True):
        search.tell(1, met=met)
    assert search.capacity() == 1
    assert "confidence" not in search.statement("concurrency")


def test_a_load_that_is_missed_as_often_as_met_is_missed() -> None:
    search = CapacitySearch(2, 8, 3)
    for met in (True, False):
        search.tell(2, met=met)
    assert (search.capacity(), search.limit()) == (None, 2)
    assert search.next() == 2


CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda part: part,
    "hockey-stick": lambda part: max(0.3, 1.0 + 3.5 * (part - 1.0)),
    "step": lambda part: 0.5 if part <= 1.0 else 4.0,
    "exponential": lambda part: math.exp(3.0 * (part - 1.0)),
}
"""Latency by load as a part of the capacity, both in units of what is just allowed."""
CAPACITIES = (20, 25, 33, 50, 64, 100, 200)


def noisy(curve: str, capacity: int, noise: float, seed: int) -> tuple[CapacitySearch, list[int]]:
    """Search with latencies that scatter by a part of themselves, normally."""
    chance = random.Random(f"{curve} {capacity} {seed}")
    return searched(
        lambda load: CURVES[curve](load / capacity) * chance.gauss(1.0, noise) <= 1.0, highest=512, repetitions=3
    )


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.02, 0.05])
def test_whatever_the_curve_it_finds_the_capacity_with_a_third_of_a_scan(curve: str, noise: float) -> None:
    # Within one step, unless loads further away differ from the bound by less than three sigma of the noise. The scan
    # goes from 1 up to the first load that is missed, and measures each as often as the search its boundary.
    latency = CURVES[curve]
    for capacity in CAPACITIES:
        if noise == 0.05 and capacity < 25:
            continue  # with so much noise, a capacity of 20 takes up to 0.4 of a scan
        for seed in range(25):
            search, loads = noisy(curve, capacity, noise, seed)
            below, above = search.capacity(), search.limit()
            assert below is not None
            assert above is not None
            assert above == below + 1, "both sides of the boundary are one step apart"
            told_apart = latency(below / capacity) > 1 + 3 * noise or latency(above / capacity) < 1 - 3 * noise
            assert abs(below - capacity) <= 1 or not told_apart, (capacity, seed, below)
            assert 3 * len(loads) <= 3 * (capacity + 1), (capacity, seed, len(loads))


@pytest.mark.parametrize("curve", CURVES)
def test_without_noise_it_is_exact(curve: str) -> None:
    for capacity in CAPACITIES:
        search, _ = noisy(curve, capacity, 0.0, 0)
        assert (search.capacity(), search.limit()) == (capacity, capacity + 1)


@pytest.mark.parametrize(("repetitions", "least"), [(1, 35), (2, 17), (3, 11), (5, 9)])
def test_from_which_capacity_on_it_takes_at_most_a_third_of_a_scan(repetitions: int, least: int) -> None:
    for capacity in range(least, 400):
        _, loads = searched(capacity.__ge__, repetitions=repetitions)
        assert 3 * len(loads) <= repetitions * (capacity + 1), capacity

"""Promise V2: The search for the highest load ends, is right, and says how sure it is."""

from __future__ import annotations

import math
import random
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.measuring.capacity import CONFIDENCE, CapacitySearch

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
    assert loads == [1, 2, 4, 8, 16, 12, 10, 11, 11, 12]
    assert (search.capacity(), search.limit()) == (11, 12)


def test_both_sides_of_the_boundary_are_measured_again_by_turns() -> None:
    _, loads = searched(lambda load: load <= 2, repetitions=3)
    assert loads == [1, 2, 4, 3, 2, 3, 2, 3, 2, 3]


def told(search: CapacitySearch, results: str) -> list[int]:
    """Answer what a search asks for, a plus for what is met; return the loads."""
    loads = []
    for met in (result == "+" for result in results):
        load = search.next()
        assert load is not None
        loads.append(load)
        search.tell(load, met=met)
    return loads


def test_the_measurement_that_chose_a_load_is_no_evidence_of_it() -> None:
    search = CapacitySearch(1, 2, 2)
    told(search, "+-")
    assert (search.capacity(), search.repeats(1), search.at_least(1)) == (1, [], None)
    assert search.statement("concurrency").endswith("missed in the one measurement at concurrency 2")
    assert told(search, "+-+-") == [1, 2, 1, 2]
    assert search.repeats(1) == [True, True]
    assert search.at_least(1) == pytest.approx((0.05 * 0.8) ** 0.5)


def test_a_capacity_that_its_repeats_refute_is_left_as_soon_as_that_is_sure() -> None:
    search = CapacitySearch(1, 4, 3)
    assert told(search, "++--") == [1, 2, 4, 3]
    assert told(search, "---+-++") == [2, 3, 2, 1, 1, 1, 2]
    assert (search.capacity(), search.limit(), search.next()) == (1, 2, None)
    assert search.repeats(1) == [True, False, True]


def test_a_limit_that_its_repeats_clear_becomes_the_capacity_and_is_measured_anew() -> None:
    search = CapacitySearch(1, 3, 2)
    assert told(search, "++-") == [1, 2, 3]
    assert told(search, "++++") == [2, 3, 2, 3]
    assert (search.capacity(), search.limit(), search.repeats(3)) == (3, None, [])
    assert told(search, "++") == [3, 3]
    assert search.next() is None
    assert search.at_least(3) == pytest.approx((0.05 * 0.8 * 0.2) ** 0.5), "the allowance is spent on two loads"


def test_it_ends_as_close_as_it_was_asked_to() -> None:
    search, loads = searched(lambda load: load <= 100, resolution=0.25)
    assert loads == [1, 2, 4, 8, 16, 32, 64, 128, 96, 112, 96, 112]
    assert (search.capacity(), search.limit()) == (96, 112)


@given(st.integers(1, 64), st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 4))
def test_with_a_steady_server_it_finds_the_boundary(lowest: int, more: int, capacity: int, repetitions: int) -> None:
    highest = lowest + more
    search, loads = searched(lambda load: load <= capacity, lowest=lowest, highest=highest, repetitions=repetitions)
    expected = min(capacity, highest)
    assert search.capacity() == (expected if expected >= lowest else None)
    assert search.limit() == (None if capacity >= highest else max(capacity + 1, lowest))
    assert all(lowest <= load <= highest for load in loads)
    assert len(loads) <= 26 + 2 * repetitions


@given(st.data(), st.integers(1, 5))
def test_with_any_server_at_all_it_ends(data: Any, repetitions: int) -> None:
    search, loads = searched(lambda _: data.draw(st.booleans()), highest=64, repetitions=repetitions)
    assert max(loads.count(load) for load in set(loads)) <= 1 + 2 * repetitions
    below, above = search.capacity(), search.limit()
    assert below is None or above is None or below < above


STATEMENTS: list[tuple[Callable[[int], bool], dict[str, Any], str]] = [
    (
        lambda load: load <= 2,
        {"repetitions": 3},
        (
            "the highest concurrency that meets the objectives is 2: met in 3 of 3 at concurrency 2, met in 0 of 3 at "
            "concurrency 3, with 95% confidence concurrency 2 meets them in at least 34% of measurements on this "
            "server start"
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
            "least 4% of measurements on this server start"
        ),
    ),
    (
        lambda _: True,
        {"highest": 8},
        (
            "the highest concurrency that meets the objectives is 8: met in 1 of 1 at concurrency 8, no higher "
            "concurrency than 8 was tried, with 95% confidence concurrency 8 meets them in at least 4% of measurements "
            "on this server start"
        ),
    ),
]


@pytest.mark.parametrize(("met", "bounds", "statement"), STATEMENTS, ids=["found", "none", "between", "all"])
def test_it_says_what_it_found_and_how_sure_that_is(
    met: Callable[[int], bool], bounds: dict[str, Any], statement: str
) -> None:
    search, _ = searched(met, **bounds)
    assert search.statement("concurrency") == statement


def test_a_load_that_was_missed_once_in_a_while_has_a_bound_that_says_so() -> None:
    search = CapacitySearch(1, 1, 3)
    told(search, "++-+")
    assert (search.capacity(), search.next()) == (1, None)
    assert "met in 2 of 3 at concurrency 1" in search.statement("concurrency")
    assert "in at least 12% of measurements" in search.statement("concurrency")


def test_a_load_that_is_missed_as_often_as_met_is_missed() -> None:
    search = CapacitySearch(2, 2, 1)
    told(search, "+-")
    assert (search.capacity(), search.limit(), search.next()) == (None, 2, None)


class Server:
    """A server whose latency is the bound at its capacity and scatters about it; measurements, and starts, may differ.

    Args:
        scatter: Standard deviation of the logarithm of the latency on one start.
        along: Correlation of a measurement with the one before.
        starts: Standard deviation of the logarithm of the latency between starts.
    """

    def __init__(self, seed: str, capacity: float, scatter: float, along: float = 0.0, starts: float = 0.0) -> None:
        self._chance = random.Random(seed)
        self._capacity, self._scatter, self._along = capacity, scatter, along
        self._start = self._chance.gauss(0.0, starts)
        self._state = self._chance.gauss(0.0, 1.0)

    def _excess(self, load: int) -> float:
        return math.log(load / self._capacity) + self._start

    def met(self, load: int) -> bool:
        self._state = self._along * self._state + math.sqrt(1.0 - self._along**2) * self._chance.gauss(0.0, 1.0)
        return self._excess(load) + self._scatter * self._state <= 0.0

    def chance_to_meet(self, load: int) -> float:
        """Return the part of measurements on this start that meet the bound."""
        return NormalDist().cdf(-self._excess(load) / self._scatter)


KINDS: tuple[dict[str, float], ...] = ({}, {"starts": 0.05}, {"along": 0.5})
COVERAGE = [(scatter, repetitions, kind) for scatter in (0.05, 0.10) for repetitions in (3, 5, 10) for kind in KINDS]


@pytest.mark.parametrize(("scatter", "repetitions", "kind"), COVERAGE)
def test_the_printed_bound_holds_at_least_as_often_as_it_says(
    scatter: float, repetitions: int, kind: dict[str, float]
) -> None:
    held = []
    for number in range(160):
        capacity = (6.5, 20.5, 37.0, 90.0)[number % 4]
        server = Server(f"{scatter} {repetitions} {number}", capacity, scatter, **kind)
        search, _ = searched(server.met, highest=256, repetitions=repetitions)
        found = search.capacity()
        assert found is not None
        bound = search.at_least(found)
        assert bound is not None
        assert f"in at least {bound:.0%} of measurements" in search.statement("concurrency")
        held.append(bound <= server.chance_to_meet(found))
    assert sum(held) / len(held) >= CONFIDENCE


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
    # goes from 1 up to the first load that is missed, and measures each as often as the search its boundary:
    # once, and three times again.
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
            assert 3 * len(loads) <= 4 * (capacity + 1), (capacity, seed, len(loads))


@pytest.mark.parametrize("curve", CURVES)
def test_without_noise_it_is_exact(curve: str) -> None:
    for capacity in CAPACITIES:
        search, _ = noisy(curve, capacity, 0.0, 0)
        assert (search.capacity(), search.limit()) == (capacity, capacity + 1)


@pytest.mark.parametrize(("repetitions", "least"), [(1, 17), (2, 12), (3, 12), (5, 10)])
def test_from_which_capacity_on_it_takes_at_most_a_third_of_a_scan(repetitions: int, least: int) -> None:
    for capacity in range(least, 400):
        _, loads = searched(capacity.__ge__, repetitions=repetitions)
        assert 3 * len(loads) <= (1 + repetitions) * (capacity + 1), capacity

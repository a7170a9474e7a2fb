"""Simulates how often what orch states of a mean and of a capacity is true; needs no engine and takes minutes.

    .venv/bin/python benchmarks/coverage.py [--trials N]

The rules are the program's own; measurements are drawn. `along` is the correlation of a measurement with the one before
it, `starts` the scatter between starts of the server, of which each search and each point has one.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

from orchestrator.measuring.capacity import CapacitySearch
from orchestrator.measuring.repetitions import one_more
from orchestrator.profile.schema.precision import Precision
from orchestrator.results.statistics import mean_interval, trend

CAPACITIES = (6.5, 20.5, 37.0, 150.0)
STEEPNESS = (1.0, 3.0)
"""Powers of the load by which the latency grows."""
HIGHEST = 512


def course(chance: random.Random, along: float) -> Iterator[float]:
    """Yield standard normal values, each correlated with the one before."""
    state = chance.gauss(0.0, 1.0)
    while True:
        yield state
        state = along * state + math.sqrt(1.0 - along**2) * chance.gauss(0.0, 1.0)


def searched(
    seed: str, capacity: float, power: float, scatter: float, repetitions: int, along: float, starts: float
) -> tuple[bool, int]:
    """Return whether the bound that a search states is true, and how many measurements the search took."""
    chance = random.Random(seed)
    start, values = chance.gauss(0.0, starts), course(chance, along)
    search, taken = CapacitySearch(1, HIGHEST, repetitions), 0

    def excess(load: int) -> float:
        return power * math.log(load / capacity) + start

    while (load := search.next()) is not None:
        search.tell(load, met=excess(load) + scatter * next(values) <= 0.0)
        taken += 1
    found = search.capacity()
    bound = None if found is None else search.at_least(found)
    return found is None or bound is None or bound <= NormalDist().cdf(-excess(found) / scatter), taken


def searches(trials: int) -> None:
    """Print how often the bound of a search is true."""
    print("orch search: how often the stated bound is true, and the measurements of a search")
    print(f"{'along':>6}{'starts':>8}{'scatter':>9}{'repetitions':>13}{'true':>8}{'measurements':>14}")
    kinds = [(along, starts) for along, starts in ((0.0, 0.0), (0.0, 0.05), (0.5, 0.0), (0.8, 0.0))]
    for along, starts in kinds:
        for scatter in (0.05, 0.10):
            for repetitions in (3, 5, 10):
                found = [
                    searched(f"{capacity} {power} {number}", capacity, power, scatter, repetitions, along, starts)
                    for capacity in CAPACITIES
                    for power in STEEPNESS
                    for number in range(trials // 8)
                ]
                true = statistics.fmean(held for held, _ in found)
                taken = statistics.fmean(count for _, count in found)
                print(f"{along:6.1f}{starts:8.0%}{scatter:9.0%}{repetitions:13d}{true:8.3f}{taken:14.1f}")


def repeated(
    seed: str, rule: Precision, scatter: float, *, lognormal: bool, along: float, drift: float, outlying: float
) -> tuple[bool, bool, bool, int]:
    """Return of a point whether its interval is true, is narrow, has a trend beside it, and how often it was taken."""
    chance = random.Random(seed)
    values: list[float] = []
    levels: list[float] = []
    states = course(chance, along)
    while one_more(rule, values):
        level, state = 100.0 * (1.0 + drift * len(values)), next(states)
        factor = math.exp(scatter * state - scatter**2 / 2.0) if lognormal else 1.0 + scatter * state
        values.append(level * factor * (0.8 if chance.random() < outlying else 1.0))
        levels.append(level)
    interval = mean_interval(values)
    if interval is None:
        raise ValueError("the rule asked for fewer than two repetitions")
    true = interval.low <= statistics.fmean(levels) <= interval.high
    return true, interval.relative <= rule.width, trend(values) is not None, len(values)


def repetitions(trials: int) -> None:
    """Print how often the interval of `repetitions: auto` is true."""
    print("repetitions: auto: how often the interval is true, that of points which end early, trends, repetitions")
    print(f"{'values':<28}{'at_least':>9}{'true':>8}{'early':>8}{'true early':>12}{'trend':>8}{'taken':>8}")
    usual: dict[str, Any] = {"lognormal": False, "along": 0.0, "drift": 0.0, "outlying": 0.0}
    kinds: list[tuple[str, float, dict[str, Any]]] = [
        (f"normal, {scatter:.0%}", scatter, {}) for scatter in (0.02, 0.03, 0.05, 0.08, 0.12)
    ]
    kinds += [(f"lognormal, {scatter:.0%}", scatter, {"lognormal": True}) for scatter in (0.08, 0.30)]
    kinds += [("5 % are 20 % slower, 3%", 0.03, {"outlying": 0.05})]
    kinds += [(f"correlation 0.5, {scatter:.0%}", scatter, {"along": 0.5}) for scatter in (0.03, 0.05)]
    kinds += [
        (f"drift {drift:.0%}, {scatter:.0%}", scatter, {"drift": drift})
        for drift, scatter in ((0.02, 0.01), (0.05, 0.02))
    ]
    for name, scatter, kind in kinds:
        for at_least in (3, 5):
            rule = Precision(at_least=at_least)
            found = [repeated(f"{name} {number}", rule, scatter, **{**usual, **kind}) for number in range(trials)]
            early = [true for true, narrow, _, _ in found if narrow]
            true_early = f"{statistics.fmean(early):.3f}" if early else "-"
            true, trends, taken = (statistics.fmean(row[index] for row in found) for index in (0, 2, 3))
            print(
                f"{name:<28}{at_least:9d}{true:8.3f}{len(early) / trials:8.2f}{true_early:>12}{trends:8.3f}{taken:8.1f}"
            )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2000, help="simulated searches, and points, for each row")
    trials = parser.parse_args().trials
    searches(trials)
    print()
    repetitions(trials)


if __name__ == "__main__":
    main()

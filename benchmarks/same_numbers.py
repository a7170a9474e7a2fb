"""Whether orch measures what vLLM's own benchmark measures when it is called by hand, on one live server.

In each round both ways take the same points with the same prompts: orch in one sweep, and a person who types the very
commands that `orch plan` prints into the container, one fresh client process each. They take turns in going first. For
each point and metric the differences within rounds are put to an exact sign-flip permutation test (the null hypothesis:
the two ways are the same), and the p-values are corrected for their number by Holm's method.

    python benchmarks/same_numbers.py [--rounds 10] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from live import PROFILE, live_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live import Live

NAME, PORT = "same-numbers", 18020
SWEEP = ("bench.lengths=[[64, 16], [128, 16], [64, 64], [128, 64], [256, 32]]", "bench.concurrency=[4]")
METRICS = {"output_throughput": "output tok/s", "mean_ttft_ms": "TTFT ms", "mean_tpot_ms": "TPOT ms"}
SIGNIFICANT = 0.05

Figures = dict[tuple[str, str], float]
"""By point and metric."""


@dataclass(frozen=True)
class Compared:
    """One metric of one point, both ways."""

    point: str
    metric: str
    by_hand: float
    """Median over the rounds."""
    by_orch: float
    difference: float
    """Median of the differences within rounds, as a part of the median by hand."""
    p: float
    """Of the permutation test, uncorrected."""
    significant: bool
    """After correction."""


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with live_server(NAME, f"server.port={PORT}") as live:
        one_round(live, 0)  # the server's first requests are slow, whoever sends them
        rounds = [one_round(live, number) for number in range(1, arguments.rounds + 1)]
    compared = compare([hand for hand, _ in rounds], [orch for _, orch in rounds])
    if arguments.json:
        print(json.dumps([asdict(item) for item in compared], indent=2))
        return
    print(f"{arguments.rounds} rounds, taking turns; medians")
    print(f"{'point':<46} {'metric':<13} {'by hand':>9} {'by orch':>9} {'difference':>10} {'p':>7}")
    for item in compared:
        row = f"{item.point:<46} {item.metric:<13} {item.by_hand:>9.2f} {item.by_orch:>9.2f} {item.difference:>+10.1%}"
        print(f"{row} {item.p:>7.3f}{'  DIFFERENT' if item.significant else ''}")
    different = sum(item.significant for item in compared)
    print(f"{different} of {len(compared)} differ significantly (Holm, {SIGNIFICANT:.0%})")


def one_round(live: Live, number: int) -> tuple[Figures, Figures]:
    """Take all points by hand and by orch, with the round's own prompts; return the figures of both."""
    ways = [by_hand, by_orch] if number % 2 else [by_orch, by_hand]
    taken = {way: way(live, number) for way in ways}
    return taken[by_hand], taken[by_orch]


def by_hand(live: Live, number: int) -> Figures:
    """Type the client's command of each point into the container."""
    figures: Figures = {}
    plan = json.loads(live.orch("plan", PROFILE, "--json", *sets(number)))
    for planned in plan["measurements"]:
        argv = shlex.split(planned["command"])
        folder = argv[argv.index("--result-dir") + 1]
        live.in_container("mkdir", "-p", folder)
        live.in_container(*argv)
        result = json.loads(live.in_container("cat", f"{folder}/result.json"))
        live.in_container("rm", "-r", folder)
        figures |= of(planned["point"], result)
    return figures


def by_orch(live: Live, number: int) -> Figures:
    """Let orch take the points in the deployment that is up."""
    live.orch("bench", PROFILE, "--name", NAME, "--quiet", *sets(number))
    run = max(live.runs.iterdir())
    figures: Figures = {}
    for path in run.glob("points/*/r1/result.json"):
        figures |= of(path.parts[-3], json.loads(path.read_bytes()))
    return figures


def sets(number: int) -> list[str]:
    """Return the overrides of a round: its points, and the seed from which its prompts derive."""
    changes = (*SWEEP, f"bench.seed={number}", f"server.port={PORT}")
    return [word for change in changes for word in ("--set", change)]


def of(point: str, result: dict[str, Any]) -> Figures:
    """Return the compared figures of one result of vLLM's client."""
    return {(point, metric): float(result[metric]) for metric in METRICS}


def compare(by_hand: Sequence[Figures], by_orch: Sequence[Figures]) -> list[Compared]:
    """Compare each metric of each point over the rounds."""
    found = []
    for point, metric in by_hand[0]:
        hand, orch = ([figures[point, metric] for figures in way] for way in (by_hand, by_orch))
        differences = [b - a for a, b in zip(hand, orch, strict=True)]
        found.append((point, METRICS[metric], hand, orch, differences, sign_flip_p(differences)))
    accepted = holm([item[-1] for item in found])
    return [
        Compared(
            point, metric, statistics.median(hand), statistics.median(orch),
            statistics.median(differences) / statistics.median(hand), p, significant,
        )
        for (point, metric, hand, orch, differences, p), significant in zip(found, accepted, strict=True)
    ]  # fmt: skip


def sign_flip_p(differences: Sequence[float]) -> float:
    """Return how often random signs give a mean difference at least as far from 0: two-sided and exact."""
    observed = abs(sum(differences)) * (1 - 1e-12)
    flips = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(sign * value for sign, value in zip(signs, differences, strict=True))) for signs in flips]
    return sum(value >= observed for value in sums) / len(sums)


def holm(values: Sequence[float]) -> list[bool]:
    """Say which of several p-values are significant, the largest allowed share of false alarms being kept for all."""
    order = sorted(range(len(values)), key=values.__getitem__)
    significant = [False] * len(values)
    for rank, index in enumerate(order):
        if values[index] > SIGNIFICANT / (len(values) - rank):
            break
        significant[index] = True
    return significant


if __name__ == "__main__":
    main()

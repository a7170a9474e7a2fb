"""Promise V2: Tails of latencies: order statistics bound a percentile as often as they say, whatever the values are."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING

import pytest
from samples import a_measurement, a_profile, a_record, a_result, a_run

from orchestrator.measuring.driver import ClientRun
from orchestrator.measuring.judge import begin, judge
from orchestrator.plan.sweep import measurement, points
from orchestrator.report.remarks import remarks
from orchestrator.results.tails import PERCENTILES, ranks, tail, tails, upper_rank
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DRAWN: dict[str, tuple[Callable[[random.Random], float], Callable[[float], float]]] = {
    "exponential": (lambda chance: chance.expovariate(1.0), lambda part: -math.log1p(-part)),
    "heavy": (lambda chance: chance.paretovariate(1.5), lambda part: (1.0 - part) ** (-1.0 / 1.5)),
}
"""What draws a value, and the true quantile."""


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize(("name", "n"), [("p90", 64), ("p95", 130), ("p99", 662), ("p99", 64), ("p90", 5)])
def test_a_percentile_lies_within_its_bounds_as_often_as_they_say(kind: str, name: str, n: int) -> None:
    draw, quantile = DRAWN[kind]
    chance, true = random.Random(f"{kind} {n}"), quantile(PERCENTILES[name])
    below = above = 0
    for _ in range(600):
        found = tail([draw(chance) for _ in range(n)])
        assert found is not None
        low, high = found.bounds[name]
        below += low is not None and low > true
        above += high is not None and high < true
    assert max(below, above) / 600 <= 0.025 + 3 * math.sqrt(0.025 / 600)


@pytest.mark.parametrize(("part", "fewest"), [(0.99, 299), (0.95, 59), (0.90, 29)])
def test_from_so_many_values_on_the_largest_is_an_upper_bound(part: float, fewest: int) -> None:
    assert upper_rank(fewest - 1, part) is None
    assert upper_rank(fewest, part) == fewest
    assert part**fewest <= 0.05 < part ** (fewest - 1)


def test_with_662_values_the_second_largest_bounds_p99_with_99_percent() -> None:
    assert upper_rank(662, 0.99, 0.99) == 661
    assert upper_rank(661, 0.99, 0.99) == 661, "of one fewer, only the largest does"


def test_the_median_of_few_has_the_ranks_of_the_tables() -> None:
    assert ranks(10, 0.5) == (2, 9)
    assert ranks(6, 0.5) == (1, 6)
    assert ranks(5, 0.5) == (None, None)


def test_itl_counts_in_gaps_and_e2el_is_ttft_and_the_gaps() -> None:
    raw = json.dumps({"ttfts": [0.1, 0.2], "itls": [[0.01, 0.03], [0.02, 0.02]]}).encode()
    found = tails(raw)
    assert {name: each.n for name, each in found.items()} == {"ttft": 2, "e2el": 2, "itl": 4}
    assert found["e2el"].largest == pytest.approx(240.0)
    assert found["itl"].largest == pytest.approx(30.0)
    low, high = found["ttft"].bounds["p99"]
    assert low == pytest.approx(200.0), "nearly all of two values lie below it"
    assert high is None


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"torn", b'{"ttfts": null, "itls": 3}', b'{"ttfts": ["a"]}'])
def test_what_holds_no_single_values_has_no_tails(raw: bytes) -> None:
    assert tails(raw) == {}


def test_a_measurement_keeps_the_tails_of_its_latencies() -> None:
    taken = a_measurement(num_prompts=8)
    result = json.dumps({**a_result(), "ttfts": [0.1] * 7 + [0.3], "itls": [[0.01] * 15] * 8}).encode()
    outcome = ClientRun(code=0, timed_out=False, result=result, log=b"", wall_s=1.0, cpu_s=1.0, runnable_at=())
    found = judge(begin(taken, ()), taken, outcome)
    assert found.tails["ttft"].largest == pytest.approx(300.0)
    assert found.tails["itl"].n == 120


def test_a_thin_percentile_that_an_objective_bounds_is_said_with_its_bounds(tmp_path: Path) -> None:
    profile = a_profile(bench={"num_prompts": [2]}, objectives=["p99_ttft_ms<5000", "p90_ttft_ms<5000"])
    run = a_run(tmp_path, profile)
    assert profile.bench is not None
    values = {"ttfts": [number / 1000.0 for number in range(1, 62)], "itls": [[0.01]] * 61}
    metrics = read_metrics(json.dumps({**a_result(completed=61), **values}).encode())
    taken = measurement(profile.bench, points(profile.bench)[0], 1)
    run.write_record(a_record(taken, metrics=metrics, tails=tails(json.dumps(values).encode())))
    said = sorted(line for line in remarks(run) if "largest" in line)
    name = "note: 64/16 × 2 prompts, repetition 1:"
    assert said == [
        f"{name} p90_ttft_ms is between 50 and 60, with 95% confidence; the largest of 61 is 61",
        f"{name} p99_ttft_ms is at least 59 and not bounded above, with 95% confidence; the largest of 61 is 61",
    ]

"""How long a run will take, roughly: start-up by the profile's hints, points by its guess of the server's speed.

A point of n prompts at concurrency c is ⌈n / c⌉ waves, each of one time to first token and the rest of the output at
the time per output token; a request rate stretches it to at least n / rate. Each client adds the cost of its fork;
importing vLLM happens once, while the weights load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.plan.sweep import points, repetition_range, sweep, warmups
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.workload.point import Point

CLIENT_START_S = 0.3
"""What one forked client adds to its measurement; see benchmarks/sweep_overhead.py."""
UNKNOWN_OUTPUT = 256
"""Output tokens of a request whose dataset decides."""


@dataclass(frozen=True)
class Estimated:
    """Seconds, roughly."""

    start_s: float | None
    """Start-up of the server; None where the profile gives no hints."""
    clients_s: float
    """Start-up of the benchmark clients."""
    measuring_s: float
    further_s: float = 0.0
    """What further repetitions add at most, clients included, where the results decide how many there are."""

    @property
    def total_s(self) -> float:
        """Return the whole, without what is not known and without further repetitions."""
        return (self.start_s or 0.0) + self.clients_s + self.measuring_s


def estimate(profile: Profile) -> Estimated:
    """Return the estimate for a whole run of a profile."""
    start = sum(profile.health.expected.values()) or None
    bench = profile.bench
    if bench is None:
        return Estimated(start, 0.0, 0.0)
    planned = (*warmups(bench), *sweep(bench))
    measuring = sum(point_seconds(item.point, bench) for item in planned)
    fewest, most = repetition_range(bench)
    further = (most - fewest) * sum(CLIENT_START_S + point_seconds(point, bench) for point in points(bench))
    return Estimated(start, CLIENT_START_S * len(planned), measuring, further)


def point_seconds(point: Point, bench: Bench) -> float:
    """Return how long one measurement of a point takes, without the client's start."""
    output = (point.output_len or UNKNOWN_OUTPUT) if point.generates else 1
    waves = math.ceil(point.requests / (point.max_concurrency or point.requests))
    busy = waves * (bench.estimate.ttft + (output - 1) * bench.estimate.tpot)
    return max(busy, point.requests * _mean_gap_s(point))


def _mean_gap_s(point: Point) -> float:
    """Return the mean time between two requests: the mean of 1 / rate over the requests, where the rate rises."""
    rising = point.ramp_up
    if rising is not None:
        growth = math.log(rising.end / rising.start)
        if rising.strategy == "linear":
            return growth / (rising.end - rising.start)
        return (1.0 / rising.start - 1.0 / rising.end) / growth
    return 0.0 if isinstance(point.request_rate, str) else 1.0 / point.request_rate

"""Answers as the client sees them: when their chunks came, and the gaps between them as text and with their weights.

The gaps are those between the steps of the engine, and many requests share them. So each gap is written once as text,
and percentiles are taken over gaps with their weights: the same bytes and figures as from one list, in a hundredth of
the time.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from simulation.client import Played, Sent, last_seen

from orchestrator.metrics.values import PERCENTILES

APART_S = 2e-6
"""Between two chunks that were read together."""


@dataclass(frozen=True)
class Stream:
    """One answer as the client sees it."""

    ttft: float
    latency: float
    first_gap: float | None
    """From the first token to the next step; None where the gaps are listed."""
    steps: tuple[int, int]
    """Steps whose gaps follow."""
    gaps: tuple[float, ...]
    """All gaps, where they are not those of steps."""
    tokens: int


def stream_of(played: Played, item: Sent) -> Stream | None:
    """Return the answer to a request; None if the client has none."""
    request = item.request
    if request is None or request.first is None or item.failed:
        return None
    engine, trouble, every = played.engine, played.trouble, played.setup.server.stream_interval
    end, ttft = last_seen(engine, request), request.first_seen - item.started
    latency = end - item.started
    held = trouble.buffered_tokens
    if held != 1 and trouble.buffered_part < 1.0:
        held = held if item.index * 37 % 100 < 100 * trouble.buffered_part else 1
    tokens = 1 + round(min(request.steps, done(played, request.decoded)) * request.per_step)
    whole = [(begin, min(stop, len(engine.seen))) for begin, stop in request.decoded if begin < len(engine.seen)]
    if held == 1 and every == 1 and len(whole) <= 1:
        if not whole:
            return Stream(ttft, latency, None, (0, 0), (), tokens)
        begin, stop = whole[0]
        return Stream(ttft, latency, engine.seen[begin] - request.first_seen, (begin + 1, stop), (), tokens)
    times = [request.first_seen, *(engine.seen[step] for begin, stop in whole for step in range(begin, stop))]
    if every > 1:
        times = [times[0], *times[every:-1:every], times[-1]] if len(times) > 1 else times
    if held != 1:
        times = _held_back(times, held)
        ttft = times[0] - item.started
    gaps = tuple(later - earlier for earlier, later in pairwise(times))
    return Stream(ttft, times[-1] - item.started, None, (0, 0), gaps, tokens)


def done(played: Played, decoded: list[tuple[int, int]]) -> int:
    """Return the decoding steps so far, of those that were planned."""
    return sum(max(min(end, len(played.engine.seen)) - begin, 0) for begin, end in decoded)


def _held_back(times: list[float], held: int) -> list[float]:
    """Return when chunks arrive if they are passed on only once so many are there; 0 is all of them."""
    size = held or len(times)
    found = []
    for begin in range(0, len(times), size):
        group = times[begin : begin + size]
        found += [group[-1] + APART_S * number for number in range(len(group))]
    return found


class Gaps:
    """All gaps of a measurement: as text, and as values with their weights."""

    def __init__(self, played: Played) -> None:
        seen = played.engine.seen
        self._between = [0.0, *(later - earlier for earlier, later in pairwise(seen))]
        self._texts = [repr(gap) for gap in self._between]
        self._edges = [0] * (len(seen) + 1)
        self._single: list[float] = []

    def text(self, stream: Stream) -> str:
        """Write the gaps of a stream, and count them."""
        if stream.first_gap is None:
            self._single += stream.gaps
            return json.dumps(stream.gaps)
        begin, end = stream.steps
        self._single.append(stream.first_gap)
        self._edges[begin] += 1
        self._edges[end] -= 1
        return "[" + ", ".join([repr(stream.first_gap), *self._texts[begin:end]]) + "]"

    def weighted(self) -> list[tuple[float, int]]:
        """Return each gap, in order of its size, and how often it was."""
        weights = accumulate(self._edges)
        shared = [(gap, weight) for gap, weight in zip(self._between, weights, strict=False) if weight]
        return sorted(shared + [(gap, 1) for gap in self._single])


def statistics_ms(weighted: Sequence[tuple[float, int]]) -> dict[str, float]:
    """Return the client's statistics of values in seconds that come so often each; percentiles as numpy takes them."""
    if not weighted:
        weighted = [(0.0, 1)]
    ranks = list(accumulate(weight for _, weight in weighted))
    count = ranks[-1]
    mean = math.fsum(value * weight for value, weight in weighted) / count
    deviation = math.sqrt(math.fsum(weight * (value - mean) ** 2 for value, weight in weighted) / count)

    def at(part: float) -> float:
        place = (count - 1) * part
        low = weighted[bisect.bisect_right(ranks, math.floor(place))][0]
        high = weighted[bisect.bisect_right(ranks, math.ceil(place))][0]
        return low + (high - low) * (place - math.floor(place))

    found = {"mean": mean, "median": at(0.5), "std": deviation}
    found.update({f"p{percentile}": at(percentile / 100.0) for percentile in PERCENTILES})
    return {name: 1000.0 * value for name, value in found.items()}


def once(values: Sequence[float]) -> list[tuple[float, int]]:
    """Return values in order of their size, each once."""
    return [(value, 1) for value in sorted(values)]

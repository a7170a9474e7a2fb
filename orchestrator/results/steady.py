"""The steady part of a measurement, from its single requests: pure functions that never touch the client's figures.

Two kinds of load become steady. Where a limit, or sending all at once, keeps requests in flight, the window is the
longest stretch that begins and ends with at least 95 % of the most in flight and has them for at least 95 % of its
time: requests that end together leave gaps of milliseconds until the next ones begin. Where a rate brings requests,
how many are in flight is left to chance, and its highest value says nothing; the window begins when the load expected
of requests of these latencies has reached 95 % of its final value, and ends when the last one is sent. A rate that
rises is never steady.
"""

from __future__ import annotations

import bisect
import itertools
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.metrics.steady import Steady
from orchestrator.metrics.values import PERCENTILES, Latency
from orchestrator.vllm.timeline import Stream, read_streams
from orchestrator.workload.point import Point

LOAD = 0.95
"""Part of the load from which on it counts as reached, and part of the window's time for which it must be."""


@dataclass(frozen=True)
class Window:
    """A stretch of time, in seconds from the first request's start."""

    kept_by: Literal["in-flight", "rate"]
    begin: float
    end: float

    @property
    def length(self) -> float:
        """Return its length in seconds."""
        return self.end - self.begin


def steady_of(raw: bytes, point: Point, further: Iterable[str] = ()) -> Steady | None:
    """Return the steady part of a measurement from the client's result file.

    Args:
        raw: The result file of a measurement in which every request was completed.
        point: What was measured.
        further: Percentiles beside the usual ones, such as `p99.9`.

    Returns:
        None where the file has no details of requests, or does not say when they began, or no load was steady.
    """
    try:
        data = json.loads(raw)
        return steady(read_streams(data, point), float(data["duration"]), point, further)
    except (TypeError, ValueError, KeyError, IndexError):
        return None


def steady(streams: Sequence[Stream], duration_s: float, point: Point, further: Iterable[str] = ()) -> Steady | None:
    """Return the steady part of a measurement; None where there is none.

    Args:
        streams: Its requests.
        duration_s: Its duration as the client says.
        point: What was measured.
        further: Percentiles beside the usual ones, such as `p99.9`.
    """
    streams = [stream for stream in streams if stream.tokens]
    window = find_window(streams, point) if streams else None
    if window is None or duration_s <= 0.0:
        return None
    first_wave_ended = min(stream.end for stream in streams) if window.kept_by == "in-flight" else window.begin
    sample = [stream for stream in streams if max(window.begin, first_wave_ended) <= stream.start < window.end]
    ttfts_ms = [1000.0 * (stream.chunks[0] - stream.start) for stream in sample]
    return Steady(
        kept_by=window.kept_by,
        begin_s=window.begin,
        end_s=window.end,
        share=min(window.length / duration_s, 1.0),
        most_in_flight=most_in_flight(streams, point),
        output_throughput=sum(_made_in(stream, window) for stream in streams) / window.length,
        request_throughput=sum(_life_in(stream, window) for stream in streams) / window.length,
        tpot_ms=time_per_token_ms(streams, window),
        requests=len(sample),
        ttft_ms=_latency(ttfts_ms, further) if ttfts_ms else None,
    )


def find_window(streams: Sequence[Stream], point: Point) -> Window | None:
    """Return the window in which the load of a measurement is steady; None where it never is."""
    if point.ramp_up is not None:
        return None
    most = most_in_flight(streams, point)
    if point.request_rate == "inf":
        return _kept_in_flight(streams, most)
    found = [_kept_by_rate(streams)]
    if most == point.max_concurrency:
        found.append(_kept_in_flight(streams, most))
    return max((window for window in found if window), key=lambda window: window.length, default=None)


def most_in_flight(streams: Sequence[Stream], point: Point) -> int:
    """Return the most requests that were in flight at one moment.

    Clocks are read in several places, so that one that begins as another ends may seem to begin before; a client's
    limit is never exceeded.
    """
    most = max(itertools.accumulate(change for _, change in _changes(streams)))
    return most if point.max_concurrency is None else min(most, point.max_concurrency)


def time_per_token_ms(streams: Iterable[Stream], window: Window) -> float | None:
    """Return the time between chunks over the tokens that they brought, of all chunks that came in a window."""
    spent_s, tokens = 0.0, 0.0
    for stream in streams:
        first = max(bisect.bisect_left(stream.chunks, window.begin), 1)
        after = bisect.bisect_right(stream.chunks, window.end)
        if first < after:
            spent_s += stream.chunks[after - 1] - stream.chunks[first - 1]
            tokens += stream.tokens_per_chunk * (after - first)
    return 1000.0 * spent_s / tokens if tokens else None


def _changes(streams: Iterable[Stream]) -> list[tuple[float, int]]:
    """Return when a request began (1) and ended (-1); one that begins as another ends is after it."""
    return sorted([*((stream.start, 1) for stream in streams), *((stream.end, -1) for stream in streams)])


def _kept_in_flight(streams: Sequence[Stream], most: int) -> Window | None:
    """Return the longest stretch at load: of all pairs of a begin and an end, the farthest apart that is dense enough.

    With F = time at load before a begin - 95 % of the begin, and G the same of an end, a stretch is dense enough if
    G >= F. Only begins with a lower F than all earlier ones can begin the longest stretch.
    """
    begins: list[tuple[float, float]] = []
    ends: list[tuple[float, float]] = []
    at_load = 0.0
    for begin, end in _times_at_load(streams, most):
        if not begins or at_load - LOAD * begin < begins[-1][1]:
            begins.append((begin, at_load - LOAD * begin))
        at_load += end - begin
        ends.append((end, at_load - LOAD * end))
    longest = None
    for end, reached in reversed(ends):
        while begins and begins[-1][1] <= reached:
            window = Window("in-flight", begins.pop()[0], end)
            longest = window if longest is None or window.length > longest.length else longest
    return longest if longest and longest.length > 0.0 else None


def _times_at_load(streams: Sequence[Stream], most: int) -> Iterable[tuple[float, float]]:
    """Yield when at least 95 % of the most requests in flight were so, from when to when."""
    level = math.ceil(LOAD * most)
    flying, since = 0, 0.0
    for time, change in _changes(streams):
        flying += change
        if change > 0 and flying == level:
            since = time
        elif change < 0 and flying == level - 1 and time > since:
            yield since, time


def _kept_by_rate(streams: Sequence[Stream]) -> Window | None:
    """Return the window of requests that come at a rate.

    The load expected at time t after the first one is the rate times the mean of min(latency, t), so it has 95 % of its
    final value when the sum of these has 95 % of the sum of the latencies.
    """
    lives = sorted(stream.end - stream.start for stream in streams)
    wanted, over = LOAD * sum(lives), 0.0
    begin = lives[-1]
    for index, life in enumerate(lives):
        if over + life * (len(lives) - index) >= wanted:
            begin = (wanted - over) / (len(lives) - index)
            break
        over += life
    end = max(stream.start for stream in streams)
    return Window("rate", begin, end) if begin < end else None


def _made_by(stream: Stream, time: float) -> float:
    """Return how many tokens of a request were made by then: those of a chunk evenly since the chunk before.

    Streams that end together bring their last chunks together, and a chunk may hold many tokens; counted when they
    arrive, all of them would fall just behind the window.
    """
    came = bisect.bisect_right(stream.chunks, time)
    if came == len(stream.chunks) or time <= stream.start:
        return float(stream.tokens) if came else 0.0
    later = stream.tokens_per_chunk
    first = stream.tokens - later * (len(stream.chunks) - 1)
    before, made, coming = (
        (stream.chunks[came - 1], first + later * (came - 1), later) if came else (stream.start, 0.0, first)
    )
    return made + coming * (time - before) / (stream.chunks[came] - before)


def _made_in(stream: Stream, window: Window) -> float:
    return _made_by(stream, window.end) - _made_by(stream, window.begin)


def _life_in(stream: Stream, window: Window) -> float:
    """Return the part of a request's life that lies in a window."""
    life = stream.end - stream.start
    if not life:
        return float(window.begin <= stream.start < window.end)
    return max(min(stream.end, window.end) - max(stream.start, window.begin), 0.0) / life


def _latency(values: Sequence[float], further: Iterable[str]) -> Latency:
    """Return the statistics of a latency, by the definitions of the client: those of NumPy."""
    ordered = sorted(values)
    percentiles = {f"p{percent}": _percentile(ordered, percent) for percent in PERCENTILES}
    return Latency(
        mean=statistics.fmean(ordered),
        median=statistics.median(ordered),
        std=statistics.pstdev(ordered),
        further={name: _percentile(ordered, float(name[1:])) for name in further},
        **percentiles,
    )


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values, linear between neighbours."""
    at = percent / 100.0 * (len(ordered) - 1)
    below = min(int(at), len(ordered) - 2) if len(ordered) > 1 else 0
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)

"""Rules on the course of a measurement: whether the server kept its pace, stood still, fell behind or made queues."""

from __future__ import annotations

import itertools
import math

from orchestrator.results.validity.values import Findings, Note, Reason, Seen
from orchestrator.text import Text
from orchestrator.workload.arrival import POISSON

TREND = 0.20
"""How far the time per output token may differ between parts of a measurement."""
ATTENTION = 0.50
"""Part of a step that may grow with the context, at most: the rest reads weights, whatever the context is."""
STALLED = 0.05
"""Part of the duration for which no token may come."""
CHANCE = 3.0
"""Standard deviations that chance may make a queue longer by."""
GROWTH = 0.05
"""Seconds that the TTFT may grow by in each second in which requests are sent at a rate."""
GROWN = 2.0
"""How many times larger the TTFT must have become besides."""
WAITING = 0.25
"""Part of the load that may wait in the server's queue on average before it is worth a note. Reading the prompts of a
common start makes less of it wait, unless answers are short."""


def not_steady(seen: Seen) -> Findings:
    """Judge the pace of decoding in parts of the time under full load; never of a rate that rises.

    A longer context makes steps longer, so that more is allowed for where the slower part had the longer context.
    """
    record = seen.record
    if "ramp_up" in record.parameters:
        return
    if record.requests is None:  # a record of before pace was written down
        if record.tpot_trend is not None and record.tpot_trend > 1.0 + TREND:
            yield Reason(
                "not-steady",
                Text(
                    "the time per output token rose by {rise:.0%} within the measurement",
                    rise=record.tpot_trend - 1,
                ),
            )
        return
    parts = list(zip(record.requests.pace_ms, record.requests.context, strict=True))
    worst, change = 0.0, (0.0, 0.0)
    for (before, context), (after, later) in itertools.combinations(parts, 2):
        slow, fast = max(before, after), min(before, after)
        longer, shorter = (later, context) if after > before else (context, later)
        grown = max(longer / shorter - 1.0, 0.0) if shorter else 0.0
        over = (slow / fast if fast else math.inf) - (1.0 + TREND + ATTENTION * grown)
        if over > worst:
            worst, change = over, (before, after)
    if worst > 0.0:
        yield Reason(
            "not-steady",
            Text(
                "under full load, a token took {before:.2f} ms in one part of the measurement and {after:.2f} ms "
                "in a later "
                "one",
                before=change[0],
                after=change[1],
            ),
        )


def stalled(seen: Seen) -> Findings:
    """Judge for how long nobody got a token though requests were being served."""
    requests = seen.record.requests
    if requests is None or not requests.stalled_s:
        return
    part = requests.stalled_s / seen.metrics.duration_s
    if part >= STALLED:
        yield Reason(
            "stalled",
            Text(
                "no request got a token for {stalled:.1f} s, {part:.0%} of the time: something was compiled, or "
                "the server "
                "stood still",
                stalled=requests.stalled_s,
                part=part,
            ),
        )


def queue_grows(seen: Seen) -> Findings:
    """Judge whether TTFT rises throughout: an overloaded server falls behind by the same time in each second.

    Bursts of requests make a queue too, by chance, and its usual length grows with the number of requests. TTFT grows
    by construction if requests are sent without a rate or at a rising one.
    """
    asked, thirds = seen.rate, seen.record.ttft_thirds_ms
    if asked is None or thirds is None:
        return
    first, middle, last = thirds
    between = (seen.metrics.completed - 1) * 2.0 / 3.0  # requests from the middle of the first third to the last's
    by_chance = CHANCE / math.sqrt(between * seen.record.parameters.get("burstiness", POISSON))
    most = 1000.0 * between / asked * max(GROWTH, by_chance)
    if not first < middle < last or last < GROWN * first or last - first <= most:
        return
    text = Text(
        "TTFT rose from {first:.0f} over {middle:.0f} to {last:.0f} ms while requests were sent",
        first=first,
        middle=middle,
        last=last,
    )
    yield Reason("queue-grows", Text("{text}: the server does not keep up with the request rate", text=text))


def queued(seen: Seen) -> Findings:
    """Note a load that the server did not take at once: what it computed with was less than what was in flight."""
    load, waiting = seen.closed_load, _waiting(seen)
    if load is None or waiting is None or waiting < WAITING * load:
        return
    yield Note(
        "queued",
        Text(
            "of {load} requests in flight, {waiting:.0f} waited in the server's queue on average: it computed with "
            "fewer (max-num-seqs, or the KV cache), and TTFT is mostly the wait",
            load=load,
            waiting=waiting,
        ),
    )


def _waiting(seen: Seen) -> float | None:
    """Return how many requests waited on average, by the part of their time that they did; None if unknown."""
    served, peak, load = seen.record.served, seen.record.peak, seen.closed_load
    if load is None or served is None:
        return None
    e2el = seen.metrics.e2el_ms.mean
    if served.queued_ms is not None and e2el:
        return load * min(served.queued_ms / e2el, 1.0)
    if peak is None or peak.running > (1.0 - WAITING) * load:
        return None
    return min(peak.waiting, load - peak.running)


def one_wave(seen: Seen) -> Findings:
    """Note a load that is sent once and never replaced: throughput then holds much ramp-up and tail."""
    load = seen.closed_load
    if load is None or load <= 1 or load < seen.metrics.completed:
        return
    text: str = Text("all {load} requests were sent at once and none after them", load=load)
    share = None if seen.record.requests is None else seen.record.requests.full_share
    if share is not None:
        text = Text("{text}; for {rest:.0%} of the time less than 95 % of them ran", text=text, rest=1.0 - share)
    yield Note("one-wave", Text("{text}: throughput is below what the load can sustain", text=text))


RULES = (not_steady, stalled, queue_grows, queued, one_wave)

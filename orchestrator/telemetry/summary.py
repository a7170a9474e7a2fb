"""What a timeline says of one measurement: pure functions of what was recorded between two times of day.

Energy comes from a counter of the card or, over half a minute and more, from the integral of sampled power; the method
is named. Average power has a window of its own, on NVIDIA's cards of a second, so that a shorter time has none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.accelerators.outputs.throttling import UNKNOWN, WORDS
from orchestrator.metrics.readings import Kind, Quality, Reading
from orchestrator.telemetry.timeline import MARGIN_S, Series, Timeline

COUNTED, INTEGRATED = "counter", "integral-of-power"
SHORTEST_S = 30.0
"""The least time over which sampled power is integrated."""
LEAST_KNOWN = 0.9
"""Part of the time that samples must cover for their integral to be energy."""


@dataclass(frozen=True)
class Stat:
    """What a gauge was."""

    mean: float
    least: float
    most: float
    unit: str
    count: int
    """Readings that count."""
    doubtful: int
    """Readings that do not, for they are implausible or came late."""
    missing: int


@dataclass(frozen=True)
class Energy:
    """What a card has used."""

    joules: float
    method: str
    """COUNTED or INTEGRATED."""


def stats(series: Series, begin: float, end: float) -> dict[str, Stat]:
    """Return mean, least and most of each gauge that had a reading that counts, by name."""
    found = {}
    for column in series.columns:
        if column.kind is not Kind.GAUGE:
            continue
        read = [each for _, each in series.values(column.name, begin, end)]
        values = [number for each in read if (number := counts(each)) is not None]
        if values:
            missing = sum(each.value is None for each in read)
            found[column.name] = Stat(
                math.fsum(values) / len(values),
                min(values),
                max(values),
                column.unit,
                len(values),
                len(read) - len(values) - missing,
                missing,
            )
    return found


def counts(each: Reading) -> float | None:
    """Return the number of a reading that is believed, else None."""
    return float(each.value) if each.quality is Quality.OK and isinstance(each.value, (int, float)) else None


def rise(series: Series, name: str, begin: float, end: float) -> float | None:
    """Return by how much a counter rose between two times, interpolated at both; None if it was not read around them.

    A counter that begins anew has risen by what it holds then.
    """
    read = [
        (at, float(each.value))
        for at, each in series.values(name, begin - MARGIN_S, end + MARGIN_S)
        if isinstance(each.value, (int, float)) and each.quality in (Quality.OK, Quality.LATE)
    ]
    if not read or read[0][0] > begin or read[-1][0] < end:
        return None
    total = 0.0
    for (left, before), (right, after) in itertools.pairwise(read):
        inside = min(right, end) - max(left, begin)
        if inside > 0:
            grown = after - before if after >= before else after
            total += grown * inside / (right - left)
    return total


def energy(timeline: Timeline, card: str, begin: float, end: float) -> Energy | None:
    """Return the energy that a card has used; None where no method is sound.

    Args:
        timeline: What was recorded.
        card: PCI address.
        begin: Seconds since the epoch.
        end: Seconds since the epoch.
    """
    of_card = list(timeline.of("device", card))
    for series in of_card:
        counted = rise(series, "energy", begin, end)
        if counted:
            return Energy(counted, COUNTED)
    if end - begin < SHORTEST_S:
        return None
    found = (integral([*series.values("power", begin, end)], begin, end) for series in of_card)
    return next((Energy(joules, INTEGRATED) for joules in found if joules is not None), None)


def integral(read: Sequence[tuple[float, Reading]], begin: float, end: float) -> float | None:
    """Return the integral of readings over time by trapezia; None where they cover too little of it."""
    points = [(at, value) for at, each in read if (value := counts(each)) is not None]
    pairs = list(itertools.pairwise(points))
    if not pairs or len(points) < LEAST_KNOWN * len(read):
        return None
    usual = sorted(right - left for (left, _), (right, _) in pairs)[len(pairs) // 2]
    parts = [((left, one), (right, other)) for (left, one), (right, other) in pairs if right - left <= 3 * usual]
    covered = math.fsum(right - left for (left, _), (right, _) in parts)
    if covered < LEAST_KNOWN * (end - begin):
        return None
    area = math.fsum((right - left) * (one + other) / 2 for (left, one), (right, other) in parts)
    return area * (end - begin) / covered


def throttling(timeline: Timeline, card: str, begin: float, end: float) -> Mapping[str, float]:
    """Return for which part of the time a card was throttled by what; `unknown` for all of it where nobody says it.

    Several sources are believed as far as they say more than `unknown`; the one that says most counts.
    """
    best: dict[str, float] = {UNKNOWN: 1.0}
    for series in timeline.of("device", card):
        words = [str(each.value) for _, each in series.values("throttle", begin, end) if each.value is not None]
        known = [word if word in WORDS else UNKNOWN for word in words]
        if known:
            shares = {word: known.count(word) / len(known) for word in WORDS if word in known}
            if shares.get(UNKNOWN, 0.0) < best.get(UNKNOWN, 0.0):
                best = shares
    return best

"""Why the machine gives reason to doubt a measurement, as ids with figures; a verdict is made of them elsewhere.

A card that keeps to its power limit is no reason: that is how it runs under load, and it does so again. `throttling` of
`orchestrator.telemetry.summary` says how long it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.accelerators.outputs.throttling import OTHER, THERMAL
from orchestrator.telemetry.summary import counts, rise, stats, throttling
from orchestrator.telemetry.timeline import Timeline, read_timeline

THROTTLED = 0.05
"""Part of the time for which a card may be slowed down by heat, or by something that nobody names."""
OTHERS_MEMORY = 64 * 2**20
"""Bytes that processes of others may have on a card; a context alone has less."""
FOREIGN = 0.10
"""Part of the processors' time that programs outside the container may use: as `orchestrator.results` judges it."""
DRIFT_S, DRIFT = 0.05, 1e-3
"""By how much the time of day may go apart from the clock: in all, and as a part of the measurement."""

DRIFT_READ_S = 10.0
"""How often it is read; a measurement that is shorter is judged by the readings around it."""


@dataclass(frozen=True)
class Doubt:
    """One reason."""

    id: str
    """`throttled`, `other-processes`, `device-memory-in-use`, `host-busy` or `clock-drift`."""
    subject: str
    """PCI address of a card; empty for the machine."""
    fields: Mapping[str, float | str]


def doubts_of(path: Path, begin: float, end: float) -> tuple[Doubt, ...]:
    """Return the reasons in a recorded file between two times, in seconds since the epoch."""
    return doubts(read_timeline(path, begin, end), begin, end)


def doubts(timeline: Timeline, begin: float, end: float) -> tuple[Doubt, ...]:
    """Return the reasons in a timeline between two times of day."""
    cards = [doubt for card in timeline.subjects("device") for doubt in _of_card(timeline, card, begin, end)]
    return (*cards, *_host_busy(timeline, begin, end), *_clock_drift(timeline, begin, end))


def _of_card(timeline: Timeline, card: str, begin: float, end: float) -> Iterator[Doubt]:
    shares = throttling(timeline, card, begin, end)
    for word in (THERMAL, OTHER):
        if shares.get(word, 0.0) >= THROTTLED:
            yield Doubt("throttled", card, {"by": word, "share": shares[word]})
    others = [value for value in _values(timeline, card, "others", begin, end) if value]
    memory = [value for value in _values(timeline, card, "others_memory", begin, end) if value >= OTHERS_MEMORY]
    if others:
        yield Doubt("other-processes", card, {"processes": max(others)})
    if memory:
        yield Doubt("device-memory-in-use", card, {"bytes": max(memory)})


def _values(timeline: Timeline, card: str, name: str, begin: float, end: float) -> list[float]:
    read = (each for series in timeline.of("device", card) for _, each in series.values(name, begin, end))
    return [value for each in read if (value := counts(each)) is not None]


def _host_busy(timeline: Timeline, begin: float, end: float) -> Iterator[Doubt]:
    """Yield that others used the processors: what was busy, without what the container used."""
    host = next((stats(series, begin, end) for series in timeline.of("host")), {})
    own = next((rise(series, "cpu_time", begin, end) for series in timeline.of("container")), None)
    if own is None or "busy" not in host or "cpus" not in host or end <= begin:
        return
    cpus = host["cpus"].mean
    foreign = host["busy"].mean / 100.0 - own / (cpus * (end - begin))
    if foreign >= FOREIGN:
        yield Doubt("host-busy", "", {"foreign": foreign, "busy": host["busy"].mean / 100.0, "cpus": cpus})


def _clock_drift(timeline: Timeline, begin: float, end: float) -> Iterator[Doubt]:
    read = [
        (at, value)
        for series in timeline.of("clock")
        for at, each in series.values("drift", begin - 2 * DRIFT_READ_S, end + 2 * DRIFT_READ_S)
        if (value := counts(each)) is not None
    ]
    if len(read) > 1:
        apart = max(value for _, value in read) - min(value for _, value in read)
        if apart >= DRIFT_S and apart >= DRIFT * (end - begin):
            yield Doubt("clock-drift", "", {"seconds": apart})

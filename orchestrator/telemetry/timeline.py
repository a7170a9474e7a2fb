"""Reads a recorded timeline: what each source said between two times of day, and why it sometimes said nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.metrics.readings import Column, Kind, Quality, Reading

MARGIN_S = 15.0
"""How far beyond the ends rows are read, for counters that were read there."""
LETTERS = {quality.value: quality for quality in Quality}


@dataclass(frozen=True)
class Row:
    """What was read at one moment."""

    at: float
    """Seconds since the epoch, by the clock of the recording."""
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Series:
    """What one source said of one subject."""

    source: str
    kind: str
    subject: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def values(self, name: str, begin: float, end: float) -> Iterator[tuple[float, Reading]]:
        """Yield time and reading of a column between two times; nothing if there is no such column."""
        places = [place for place, column in enumerate(self.columns) if column.name == name]
        for row in self.rows if places else ():
            if begin <= row.at <= end:
                yield row.at, row.readings[places[0]]


@dataclass(frozen=True)
class Hole:
    """For how long a source said nothing of a subject, and why."""

    source: str
    subject: str
    id: str
    """One of `orchestrator.telemetry.samples.GAPS`."""
    detail: str
    begin: float
    end: float | None
    """None where it lasted until the end of the recording."""


@dataclass(frozen=True)
class Timeline:
    """All that was recorded between two times."""

    series: tuple[Series, ...] = ()
    holes: tuple[Hole, ...] = ()

    def of(self, kind: str, subject: str | None = None) -> Iterator[Series]:
        """Yield the series of a kind, and of a subject where one is given."""
        for each in self.series:
            if each.kind == kind and subject in (None, each.subject):
                yield each

    def subjects(self, kind: str) -> tuple[str, ...]:
        """Return the subjects of a kind, sorted."""
        return tuple(sorted({each.subject for each in self.of(kind)}))


def read_timeline(path: Path, begin: float = float("-inf"), end: float = float("inf")) -> Timeline:
    """Return what was recorded between two times of day, and a little around them; empty if nothing was.

    Args:
        path: The file; lines that a kill cut off are passed over.
        begin: Seconds since the epoch.
        end: Seconds since the epoch.
    """
    reader = _Reader(begin - MARGIN_S, end + MARGIN_S)
    for line in _lines(path):
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):  # a line of another shape
            if not (line.startswith("[") and reader.is_beyond(line)):
                reader.take(json.loads(line))
    reader.ended(None)
    return Timeline(
        tuple(Series(*head, tuple(rows)) for head, rows in reader.series if rows),
        tuple(hole for hole in reader.holes if hole.begin <= end and (hole.end is None or hole.end >= begin)),
    )


class _Reader:
    """What was read of a file so far."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._wall = 0.0
        self._section: dict[int, int] = {}
        """Which of all series a number stands for in this section."""
        self._open: dict[tuple[str, str], Hole] = {}
        self.series: list[tuple[tuple[str, str, str, tuple[Column, ...]], list[Row]]] = []
        self.holes: list[Hole] = []

    def is_beyond(self, line: str) -> bool:
        """Say whether a row lies outside the time that is asked for, without reading all of it."""
        return not self._begin <= self._wall + float(line.split(",", 2)[1]) <= self._end

    def take(self, line: Any) -> None:
        """Take one line; raise one of the errors of a wrong shape, with nothing taken."""
        if isinstance(line, list):
            self._row(*line)
        elif "telemetry" in line:
            wall = float(line["wall"])
            self.ended(None)
            self._wall, self._section = wall, {}
        elif "series" in line:
            columns = tuple(Column(name, unit, Kind(kind)) for name, unit, kind in line["columns"])
            self.series.append(((line["source"], line["kind"], line["subject"], columns), []))
            self._section[line["series"]] = len(self.series) - 1
        elif "gap" in line:
            self._gap(line["source"], line["subject"], line["gap"], self._wall + line["at"], line.get("detail", ""))
        elif "end" in line:
            self.ended(self._wall + line["end"])

    def ended(self, at: float | None) -> None:
        """Close what is open, at a time if one is known."""
        self.holes += [dataclasses.replace(hole, end=at) for hole in self._open.values()]
        self._open = {}

    def _row(self, number: int, at: float, values: list[Any], letters: str = "") -> None:
        head, rows = self.series[self._section[number]]
        row = Row(self._wall + at, _readings(values, letters))
        if len(values) == len(head[3]) and self._begin <= row.at <= self._end:
            rows.append(row)

    def _gap(self, source: str, subject: str, gap: str | None, at: float, detail: str) -> None:
        before = self._open.pop((source, subject), None)
        if before is not None:
            self.holes.append(dataclasses.replace(before, end=at))
        if gap is not None:
            self._open[source, subject] = Hole(source, subject, gap, detail, at, None)


def _lines(path: Path) -> Iterator[str]:
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with file:
        yield from file


def _readings(values: list[Any], letters: str) -> tuple[Reading, ...]:
    whole = letters or Quality.OK.value * len(values)
    return tuple(
        Reading(value, LETTERS.get(letter, Quality.ABSENT)) for value, letter in zip(values, whole, strict=True)
    )

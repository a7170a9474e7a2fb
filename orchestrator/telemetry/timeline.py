"""Reads a recorded timeline: what each source said between two times of day, and why it sometimes said nothing."""

from __future__ import annotations

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
    heads: list[dict[str, Any]] = []
    rows: list[list[Row]] = []
    holes: list[Hole] = []
    open_: dict[tuple[str, str], dict[str, Any]] = {}
    section: dict[int, int] = {}
    wall = 0.0
    for line in _lines(path):
        if isinstance(line, list):
            number, at, values, *letters = line
            if number in section and begin - MARGIN_S <= wall + at <= end + MARGIN_S:
                rows[section[number]].append(Row(wall + at, _readings(values, letters[0] if letters else "")))
        elif "telemetry" in line:
            holes += _holes(open_, wall, None)
            wall, section, open_ = float(line["wall"]), {}, {}
        elif "series" in line:
            section[line["series"]] = len(heads)
            heads.append(line)
            rows.append([])
        elif "gap" in line:
            key = (line["source"], line["subject"])
            before = open_.pop(key, None)
            if before is not None:
                holes.append(_hole(before, wall, wall + line["at"]))
            if line["gap"] is not None:
                open_[key] = line
        elif "end" in line:
            holes += _holes(open_, wall, wall + line["end"])
            open_ = {}
    holes += _holes(open_, wall, None)
    return Timeline(
        tuple(_series(head, read) for head, read in zip(heads, rows, strict=True) if read),
        tuple(hole for hole in holes if hole.begin <= end and (hole.end is None or hole.end >= begin)),
    )


def _lines(path: Path) -> Iterator[Any]:
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with file:
        for line in file:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, (dict, list)):
                yield value


def _readings(values: list[Any], letters: str) -> tuple[Reading, ...]:
    whole = letters or Quality.OK.value * len(values)
    return tuple(
        Reading(value, LETTERS.get(letter, Quality.ABSENT)) for value, letter in zip(values, whole, strict=True)
    )


def _series(head: dict[str, Any], rows: list[Row]) -> Series:
    columns = tuple(Column(name, unit, Kind(kind)) for name, unit, kind in head["columns"])
    return Series(head["source"], head["kind"], head["subject"], columns, tuple(rows))


def _holes(gaps: dict[tuple[str, str], dict[str, Any]], wall: float, end: float | None) -> list[Hole]:
    return [_hole(gap, wall, end) for gap in gaps.values()]


def _hole(gap: dict[str, Any], wall: float, end: float | None) -> Hole:
    return Hole(gap["source"], gap["subject"], gap["gap"], gap.get("detail", ""), wall + gap["at"], end)

"""The recorded format: lines of JSON, of which those with figures are short; see docs/telemetry.md.

A file holds one section for each time that recording began. A section begins with its clock; what a kill cut off at its
end is left out in reading.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from orchestrator.metrics.readings import ABSENT, Kind, Quality, Reading
from orchestrator.telemetry.clock import Clock
from orchestrator.telemetry.samples import Gap, Sample

FILE = "telemetry.jsonl"
VERSION = 1
DIGITS = 6
"""Digits of a figure that is no counter."""


class Writer:
    """Appends to a file; once the disk refuses, it writes no more and says nothing of it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Begin a section."""
        self._lock = threading.Lock()
        self._series: dict[tuple[object, ...], int] = {}
        self._gaps: dict[tuple[str, str], tuple[str, str]] = {}
        self._file: TextIO | None = None
        try:
            torn = _is_torn(path)
            self._file = path.open("a", encoding="utf-8")
            if torn:
                self._file.write("\n")
        except OSError:
            return
        self._line({"telemetry": VERSION, "wall": round(clock.wall, 6)})

    def sample(self, source: str, at: float, sample: Sample, *, late: bool = False) -> None:
        """Write the figures of one subject at one moment."""
        with self._lock:
            columns = tuple(sample.figures)
            key = (source, sample.kind, sample.subject, columns)
            number = self._series.get(key)
            if number is None:
                number = self._series[key] = len(self._series)
                self._line(
                    {
                        "series": number,
                        "source": source,
                        "kind": sample.kind,
                        "subject": sample.subject,
                        "columns": [[column.name, column.unit, column.kind.value] for column in columns],
                    }
                )
            found = ((column.kind, _finite(each)) for column, each in sample.figures.items())
            readings = [(kind, _late(each) if late else each) for kind, each in found]
            line: list[Any] = [number, round(at, 3), [_plain(kind, each.value) for kind, each in readings]]
            letters = "".join(each.quality.value for _, each in readings)
            if letters.strip(Quality.OK.value):
                line.append(letters)
            self._line(line)

    def gap(self, source: str, at: float, gap: Gap) -> None:
        """Write that a source has no readings of a subject, unless it is written already."""
        with self._lock:
            key, told = (source, gap.subject), (gap.id, gap.detail)
            if self._gaps.get(key, ("", ""))[0] != gap.id:
                self._gaps[key] = told
                self._line(
                    {"gap": gap.id, "source": source, "subject": gap.subject, "at": round(at, 3), "detail": gap.detail}
                )

    def closed_gaps(self, source: str, at: float, still: set[str]) -> None:
        """Write of which subjects a source has readings again: all but those of which it still has none."""
        with self._lock:
            for name, subject in [key for key in self._gaps if key[0] == source and key[1] not in still]:
                del self._gaps[name, subject]
                self._line({"gap": None, "source": source, "subject": subject, "at": round(at, 3)})

    def flush(self) -> None:
        """Hand to the kernel what was written."""
        with self._lock:
            self._guarded(lambda file: file.flush())

    def close(self, at: float) -> None:
        """End the section."""
        with self._lock:
            self._line({"end": round(at, 3)})
            self._guarded(lambda file: file.close())
            self._file = None

    def _line(self, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
        self._guarded(lambda file: file.write(text))

    def _guarded(self, do: Callable[[TextIO], object]) -> None:
        if self._file is not None:
            try:
                do(self._file)
            except OSError:
                with contextlib.suppress(OSError):
                    self._file.close()
                self._file = None


def _finite(each: Reading) -> Reading:
    """Return a reading; an absent one for what is no number, as pages of metrics may say."""
    return ABSENT if isinstance(each.value, float) and not math.isfinite(each.value) else each


def _late(each: Reading) -> Reading:
    return Reading(each.value, Quality.LATE) if each.quality is Quality.OK else each


def _plain(kind: Kind, value: float | str | None) -> float | str | None:
    """Return a value as it is written: counters to a thousandth, others to six digits, whole numbers as such."""
    if not isinstance(value, (int, float)):
        return value
    rounded = round(value, 3) if kind is Kind.COUNTER else float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _is_torn(path: Path) -> bool:
    """Say whether a file ends within a line."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"

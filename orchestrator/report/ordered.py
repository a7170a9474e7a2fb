"""Records in the order in which people read a sweep, which is not the one in which it was measured."""

from __future__ import annotations

from orchestrator.plan.sweep import points
from orchestrator.profile.schema.bench import Bench
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.runs.run import Run


def ordered(directory: Run) -> list[MeasurementRecord]:
    """Return the records of a run, repetition by repetition, each in the order in which the profile names its points.

    Where the profile does not come to all of them, as in a search, they stay as they were measured.
    """
    records = directory.records()
    try:
        place = _places(directory.profile().bench)
    except (AttributeError, KeyError, TypeError, ValueError):  # a profile on record may hold whatever is refused by now
        return records
    if not all(record.point in place for record in records):
        return records
    return sorted(records, key=lambda record: (record.repetition, place[record.point]))


def _places(bench: Bench | None) -> dict[str, int]:
    return {} if bench is None else {point.id: index for index, point in enumerate(points(bench))}

"""Records in the order in which people read a sweep, which is not the one in which it was measured."""

from __future__ import annotations

from orchestrator.plan.sweep import points
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.records import MeasurementRecord


def ordered(directory: RunDirectory) -> list[MeasurementRecord]:
    """Return the records of a run, repetition by repetition, each in the order in which the profile names its points.

    Where the profile does not come to all of them, as in a search, they stay as they were measured.
    """
    bench, records = directory.profile().bench, directory.records()
    place = {} if bench is None else {point.id: index for index, point in enumerate(points(bench))}
    if not all(record.point in place for record in records):
        return records
    return sorted(records, key=lambda record: (record.repetition, place[record.point]))

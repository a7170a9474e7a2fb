"""The assessments of a run as plain data: each reason, note and gap with its id, its sentence and its figures."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.results.validity import RULES, Note, Reason, Unchecked, assess
from orchestrator.runs.records import MeasurementRecord
from orchestrator.text import said


def assessed_data(records: Sequence[MeasurementRecord]) -> dict[str, object]:
    """Return the version of the rules, and what they say of each measurement that has ended, in order."""
    found = assess(records)
    ended = [(record.point, record.repetition) for record in records if (record.point, record.repetition) in found]
    return {
        "rules": RULES,
        "measurements": [
            {
                "point": point,
                "repetition": repetition,
                "verdict": found[point, repetition].verdict.value,
                "reasons": [_data(each) for each in found[point, repetition].reasons],
                "notes": [_data(each) for each in found[point, repetition].notes],
                "unchecked": [_data(each) for each in found[point, repetition].unchecked],
            }
            for point, repetition in ended
        ],
    }


def _data(finding: Reason | Note | Unchecked) -> dict[str, object]:
    return {"id": finding.id, **said(finding.text)}

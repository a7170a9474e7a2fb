"""The assessment of measurements: every rule looks at each, and repetitions of a point are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from orchestrator.results.validity import client, counters, lengths, load, node
from orchestrator.results.validity.percentiles import SAMPLES_FOR, thin_of
from orchestrator.results.validity.repetitions import over_repetitions
from orchestrator.results.validity.values import Assessment, Findings, Note, Reason, Seen, Unchecked, Verdict
from orchestrator.runs.format.records import MeasurementRecord, RunState

LOOKS: tuple[Callable[[Seen], Findings], ...] = (
    *client.RULES, *lengths.RULES, *counters.RULES, *load.RULES, *node.RULES,
)  # fmt: skip
"""Each looks at one measurement and yields what it has found."""


def assess(records: Iterable[MeasurementRecord]) -> dict[tuple[str, int], Assessment]:
    """Return the assessment of each measurement that has ended, by point and repetition."""
    by_point: dict[str, list[MeasurementRecord]] = defaultdict(list)
    for record in records:
        if record.state in (RunState.DONE, RunState.FAILED):
            by_point[record.point].append(record)
    found = {}
    for repetitions in by_point.values():
        done = [seen for record in repetitions if (seen := _seen(record)) is not None]
        shared = over_repetitions(done)
        found.update({(record.point, record.repetition): _failed(record) for record in repetitions})
        found.update(
            {
                (seen.record.point, seen.record.repetition): _assessment(seen, shared.get(seen.record.repetition, ()))
                for seen in done
            }
        )
    return found


def _seen(record: MeasurementRecord) -> Seen | None:
    return Seen(record, record.metrics) if record.state is RunState.DONE and record.metrics is not None else None


def _failed(record: MeasurementRecord) -> Assessment:
    return Assessment(Verdict.INVALID, tuple(Reason("incomplete", text) for text in record.reasons), tuple(SAMPLES_FOR))


def _assessment(seen: Seen, shared: tuple[Reason, ...]) -> Assessment:
    found = [finding for look in LOOKS for finding in look(seen)]
    reasons = (*(finding for finding in found if isinstance(finding, Reason)), *shared)
    return Assessment(
        Verdict.SUSPECT if reasons else Verdict.VALID,
        reasons,
        thin_of(seen.record, seen.metrics),
        tuple(finding for finding in found if isinstance(finding, Note)),
        tuple(finding for finding in found if isinstance(finding, Unchecked)),
    )

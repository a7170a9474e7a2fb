"""Which repetitions of a point its mean is made of, and what is to be said of the others.

A fixed number of repetitions was decided beforehand: all of them that are done count, and how many are SUSPECT is said.
Where the results decide how many there are, a repetition that is SUSPECT by itself is measured again instead of
counted, unless all are: then the doubt is about the point, and all of them count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.metrics.objectives import metric_value
from orchestrator.profile.schema.bench import Bench
from orchestrator.results.validity import Verdict, assess
from orchestrator.runs.format.records import MeasurementRecord, RunState


@dataclass(frozen=True)
class Counted:
    """The repetitions of a point that count, in their order."""

    records: tuple[MeasurementRecord, ...]
    suspect: int = 0
    """How many of them are SUSPECT."""
    left_out: int = 0
    """How many more are done and SUSPECT, and were measured again instead."""

    def values(self, metric: str) -> list[float]:
        """Return what each of them has measured of a metric, without those that do not report it."""
        values = (metric_value(metric, record.metrics) for record in self.records if record.metrics)
        return [value for value in values if value is not None]


def counted(bench: Bench | None, records: Sequence[MeasurementRecord]) -> Counted:
    """Return which of the records of one point count; those that are not done never do."""
    done = [record for record in records if record.state is RunState.DONE and record.metrics]
    if bench is not None and not isinstance(bench.repetitions, int):
        sound = [record for record in done if not is_doubted(record)]
        if sound:
            return Counted(tuple(sound), left_out=len(done) - len(sound))
    assessed = assess(records)
    verdicts = [assessed[record.point, record.repetition].verdict for record in done]
    return Counted(tuple(done), suspect=verdicts.count(Verdict.SUSPECT))


def is_doubted(record: MeasurementRecord) -> bool:
    """Say whether a measurement is SUSPECT by itself, whatever other repetitions of its point say."""
    return assess([record])[record.point, record.repetition].verdict is Verdict.SUSPECT

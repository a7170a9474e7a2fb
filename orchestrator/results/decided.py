"""Whether a point keeps to an objective: decided on the mean over its repetitions, with its interval.

One repetition that is a little too slow by chance says nothing about the point. The objective is met or missed where
the whole 95 % confidence interval of the mean lies on one side of the bound, and else it cannot be told. A single
measurement has no interval: it is judged by its value.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.objectives import Objective, keeps, marked
from orchestrator.profile.schema.bench import Bench
from orchestrator.results.counted import counted
from orchestrator.results.statistics import Interval, mean_interval
from orchestrator.results.validity import thin_of
from orchestrator.runs.format.records import MeasurementRecord


class Decision(str, enum.Enum):
    """What can be said of a point and an objective."""

    MET = "met"
    MISSED = "missed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Decided:
    """What was decided of one point and one objective."""

    objective: Objective
    point: str
    label: str
    """The point; with the repetition where there is only one."""
    decision: Decision
    mean: float | None
    """None where a repetition does not report the metric."""
    interval: Interval | None
    """None for a single measurement."""
    repetitions: int
    """How many count."""
    thin: tuple[str, ...] = ()
    """Percentiles that too few requests stand behind in one of the repetitions."""

    @property
    def mean_keeps(self) -> bool:
        """Say whether the mean keeps to the bound, be it sure or not."""
        return self.mean is not None and keeps(self.objective, self.mean)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "objective": str(self.objective),
            "point": self.point,
            "decision": self.decision.value,
            "repetitions": self.repetitions,
            "mean": self.mean,
            "half_width": self.interval.half_width if self.interval else None,
            "mean_keeps": self.mean_keeps,
        }

    def text(self) -> str:
        """Return it in words."""
        if self.mean is None:
            return f"{self.objective} is missed: not reported"
        figure = marked(self.objective.metric, f"{self.mean:.4g}", self.thin)
        if self.interval is None:
            return f"{self.objective} is {self.decision.value}: {figure}"
        mean = f"mean {figure} ± {self.interval.half_width:.2g} over {self.interval.n} repetitions"
        if self.decision is not Decision.CANNOT_TELL:
            return f"{self.objective} is {self.decision.value}: {mean}"
        return f"{self.objective}: the {mean} {'keeps to' if self.mean_keeps else 'misses'} the bound, but not surely"


def decide(objective: Objective, values: Sequence[float | None]) -> tuple[Decision, float | None, Interval | None]:
    """Return the decision on values of an objective's metric, their mean and its interval.

    Args:
        objective: The bound.
        values: One for each repetition that counts; None for one that does not report the metric, which is a miss.
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return Decision.MISSED, None, None
    mean, interval = statistics.fmean(known), mean_interval(known)
    ends = [mean] if interval is None else [interval.low, interval.high]
    kept = [keeps(objective, end) for end in ends]
    decision = Decision.MET if all(kept) else Decision.CANNOT_TELL if any(kept) else Decision.MISSED
    return decision, mean, interval


def decided(
    objectives: Sequence[Objective], bench: Bench | None, records: Iterable[MeasurementRecord]
) -> list[Decided]:
    """Return what is decided of each point that was measured and each objective, in the order of the records."""
    by_point: dict[str, list[MeasurementRecord]] = {}
    for record in records:
        by_point.setdefault(record.point, []).append(record)
    found = []
    for taken in by_point.values():
        these = [record for record in counted(bench, taken).records if record.metrics is not None]
        if not these:
            continue
        thin = tuple(dict.fromkeys(name for each in these if each.metrics for name in thin_of(each, each.metrics)))
        label = these[0].label + (f", repetition {these[0].repetition}" if len(these) == 1 else "")
        for objective in objectives:
            values = [objective.value(record.metrics) for record in these if record.metrics]
            decision, mean, interval = decide(objective, values)
            found.append(Decided(objective, these[0].point, label, decision, mean, interval, len(these), thin))
    return found

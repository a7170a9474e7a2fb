"""What repetitions say together: the mean of a metric over the repetitions of a point, and how closely it is known.

The unit is the repetition: requests within one share a server and a moment and say nothing about the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.catalogue import find, usual
from orchestrator.metrics.objectives import is_thin, marked
from orchestrator.profile.schema.bench import Bench
from orchestrator.report.ordered import ordered
from orchestrator.results.counted import counted
from orchestrator.results.statistics import CONFIDENCE, Interval, mean_interval, trend
from orchestrator.results.validity import samples_for
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.runs.run import Run
from orchestrator.workload.backend import backend_of


@dataclass(frozen=True)
class Repeated:
    """A point that was measured at least twice."""

    point: str
    label: str
    metric: str
    interval: Interval
    thin: tuple[str, ...]
    """Percentiles that too few requests stand behind in one of the repetitions."""
    suspect: int = 0
    """How many of the repetitions are SUSPECT."""
    left_out: int = 0
    """How many more were SUSPECT, and measured again instead of counted."""
    trend: float | None = None
    """How much the metric rises from one repetition to the next, as a part of the mean; None where none is sure."""

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "point": self.point,
            "label": self.label,
            "metric": self.metric,
            "repetitions": self.interval.n,
            "mean": self.interval.mean,
            "half_width": self.interval.half_width,
            "thin": is_thin(self.metric, self.thin),
            "confidence": CONFIDENCE,
            "suspect": self.suspect,
            "left_out": self.left_out,
            "trend": self.trend,
        }

    def line(self) -> str:
        """Return it in one line."""
        mean = marked(self.metric, f"{self.interval.mean:.2f}", self.thin)
        return (
            f"{self.label}: {self.metric} {mean} ± {self.interval.relative:.1%} "
            f"({CONFIDENCE:.0%} confidence interval of the mean, {self.interval.n} repetitions{self._said()})"
        )

    def _said(self) -> str:
        n, parts = self.interval.n, [""]
        if self.suspect:
            parts.append(f"{self.suspect} of {n} SUSPECT")
        if self.left_out:
            parts.append(f"{self.left_out} more SUSPECT and not counted")
        if self.trend is not None:
            direction = "rising" if self.trend > 0 else "falling"
            parts.append(f"{direction} by {abs(self.trend):.1%} from one to the next, so that no mean describes them")
        return ", ".join(parts)


def repeated(directory: Run) -> list[Repeated]:
    """Return the points that were measured at least twice, in the order of the sweep."""
    bench = directory.profile().bench
    metric = _metric(bench)
    by_point: dict[tuple[str, str], list[MeasurementRecord]] = {}
    for record in ordered(directory):
        by_point.setdefault((record.point, record.label), []).append(record)
    found = []
    for (point, label), records in by_point.items():
        these = counted(bench, records)
        values = these.values(metric)
        interval = mean_interval(values)
        if interval is not None:
            thin = _thin(metric, min(record.metrics.completed for record in these.records if record.metrics))
            found.append(Repeated(point, label, metric, interval, thin, these.suspect, these.left_out, trend(values)))
    return found


def _thin(metric: str, requests: int) -> tuple[str, ...]:
    """Return the metric's percentile, if so few requests cannot bear it."""
    found = find(metric)
    if found is None or found.percentile is None or requests >= samples_for(found.statistic):
        return ()
    return (found.statistic,)


def _metric(bench: Bench | None) -> str:
    if bench is not None and not isinstance(bench.repetitions, int):
        return bench.repetitions.auto.metric
    return usual(generates=bench is None or backend_of(bench.backend).generates)

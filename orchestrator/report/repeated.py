"""What repetitions say together: the mean of a metric over the repetitions of a point, and how closely it is known.

The unit is the repetition: requests within one share a server and a moment and say nothing about the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.catalogue import find, usual
from orchestrator.metrics.objectives import is_thin, marked, metric_value
from orchestrator.profile.schema.bench import Bench
from orchestrator.results.statistics import CONFIDENCE, Interval, mean_interval
from orchestrator.results.validity import samples_for
from orchestrator.runs.format.outcome import Measured
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
        }

    def line(self) -> str:
        """Return it in one line."""
        mean = marked(self.metric, f"{self.interval.mean:.2f}", self.thin)
        return (
            f"{self.label}: {self.metric} {mean} ± {self.interval.relative:.1%} "
            f"({CONFIDENCE:.0%} confidence interval of the mean, {self.interval.n} repetitions)"
        )


def repeated(directory: Run) -> list[Repeated]:
    """Return the points that were measured at least twice, in the order of the sweep."""
    metric = _metric(directory.profile().bench)
    measured: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for record in directory.records():
        metrics = record.outcome.metrics if isinstance(record.outcome, Measured) else None
        value = metric_value(metric, metrics) if metrics else None
        if metrics is not None and value is not None:
            measured.setdefault((record.point, record.label), []).append((value, metrics.completed))
    return [
        Repeated(point, label, metric, interval, _thin(metric, min(requests for _, requests in known)))
        for (point, label), known in measured.items()
        if (interval := mean_interval([value for value, _ in known])) is not None
    ]


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

"""How the variants of a study differ from its first one, by pairs of measurements with the same prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.objectives import metric_value
from orchestrator.report.ordered import ordered
from orchestrator.results.counted import is_doubted
from orchestrator.results.pairs import Change, Pair, change_of, change_over_points, paired
from orchestrator.results.statistics import CONFIDENCE
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study

METRICS = ("output_throughput", "mean_ttft_ms", "mean_tpot_ms")
"""What is compared where requests generate tokens."""
WHOLE = ("request_throughput", "mean_e2el_ms")
"""What is compared where they do not."""
LUCK = "one start each: part of a change may be the luck of a start"


@dataclass(frozen=True)
class Compared:
    """The changes from one run of a study to another, of one point or over all of them."""

    base: Run
    run: Run
    point: str | None
    """None for all points together."""
    label: str
    changes: dict[str, Change]
    """By metric."""
    suspect: int
    """Pairs of which a side is SUSPECT by itself."""

    def as_data(self) -> list[dict[str, Any]]:
        """Return it as plain data, an object for each metric."""
        return [
            {
                "base": self.base.manifest().id,
                "run": self.run.manifest().id,
                "point": self.point,
                "metric": metric,
                "pairs": change.pairs,
                "suspect": self.suspect,
                "change": change.change,
                "low": change.low,
                "high": change.high,
                "confidence": CONFIDENCE,
            }
            for metric, change in self.changes.items()
        ]

    def line(self) -> str:
        """Return it in one line."""
        parts = [f"{metric} {_text(change)}" for metric, change in self.changes.items()]
        most = max(change.pairs for change in self.changes.values())
        pairs = f"{most} {'pair' if most == 1 else 'pairs'}" if self.point else f"{most} repetitions"
        doubted = f", {self.suspect} of them SUSPECT" if self.suspect and self.point else ""
        return f"{self.label}: {', '.join(parts)} ({pairs}{doubted})"


def compared(study: Study) -> list[Compared]:
    """Return how each run of a study differs from the first, for each point and over all; nothing without pairs."""
    base, *others = study.runs
    return [item for run in others for item in _differences(base, run)]


def _differences(base: Run, run: Run) -> Iterator[Compared]:
    pairs = paired(ordered(base), ordered(run))
    by_point: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_point.setdefault(pair[1].point, []).append(pair)
    for point, those in by_point.items():
        found = {metric: change for metric in _metrics(those) if (change := change_of(those, metric))}
        if found:
            yield Compared(base, run, point, those[0][1].label, found, _doubted(those))
    found = {metric: change for metric in _metrics(pairs) if (change := change_over_points(pairs, metric))}
    if len(by_point) > 1 and found:
        yield Compared(base, run, None, "all points together", found, _doubted(pairs))


def _metrics(pairs: list[Pair]) -> tuple[str, ...]:
    figures = [record.metrics for pair in pairs for record in pair if record.metrics]
    generated = any(metric_value(METRICS[0], each) is not None for each in figures)
    return METRICS if generated else WHOLE


def _doubted(pairs: list[Pair]) -> int:
    return sum(any(map(is_doubted, pair)) for pair in pairs)


def _text(change: Change) -> str:
    if change.low is None or change.high is None:
        return f"{change.change:+.1%}"
    return f"{change.change:+.1%} ({change.low:+.1%} to {change.high:+.1%})"

"""Whether a point keeps to the objectives of its profile: decided on the mean of its repetitions, with its interval.

Deciding repetition by repetition would miss a bound that the mean keeps well, the more surely the more often a point is
measured: with ten repetitions that scatter by 5 %, a mean 5 % inside its bound has one beyond it in four of five cases.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.metrics.objectives import Objective, marked, missed
from orchestrator.results.statistics import CONFIDENCE, mean_interval
from orchestrator.results.validity import thin_percentiles
from orchestrator.runs.format.records import MeasurementRecord, RunState
from orchestrator.text import Text


@dataclass(frozen=True)
class Judged:
    """An objective and the repetitions of a point."""

    kept: bool
    certain: bool
    """The bound lies outside the confidence interval of the mean; a single repetition has none, and counts as it is."""
    text: str
    """Which point it is, and what its value is; empty where there is nothing to say."""


def judged(objectives: Sequence[Objective], records: Iterable[MeasurementRecord]) -> list[Judged]:
    """Return what there is to say of each objective at each point that was measured."""
    points: dict[str, list[MeasurementRecord]] = {}
    for record in records:
        if record.state is RunState.DONE and record.metrics is not None:
            points.setdefault(record.point, []).append(record)
    found = []
    for repetitions in points.values():
        for objective in objectives:
            found += [_alone(objective, repetitions[0])] if len(repetitions) == 1 else [_mean(objective, repetitions)]
    return [each for each in found if each.text]


def _alone(objective: Objective, record: MeasurementRecord) -> Judged:
    phrases = [] if record.metrics is None else missed([objective], record.metrics, _thin([record]))
    text = f"{record.label}, repetition {record.repetition}: {phrases[0]}" if phrases else ""
    return Judged(not phrases, certain=True, text=text)


def _mean(objective: Objective, repetitions: Sequence[MeasurementRecord]) -> Judged:
    label = repetitions[0].label
    values = [objective.value(record.metrics) for record in repetitions if record.metrics is not None]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        text = Text("{label}: {objective} is missed: not reported", label=label, objective=objective)
        return Judged(kept=False, certain=True, text=text)
    mean, interval = statistics.fmean(known), mean_interval(known)
    half = interval.half_width if interval is not None else 0.0
    kept, certain = objective.keeps(mean), not mean - half <= objective.bound <= mean + half
    if kept and certain:
        return Judged(kept=True, certain=True, text="")
    text = Text(
        "{label}: {objective} is {outcome}: {mean} ± {half:.3g} on average of {count} repetitions",
        label=label,
        objective=objective,
        outcome="met" if kept else "missed",
        mean=marked(objective.metric, f"{mean:.4g}", _thin(repetitions)),
        half=half,
        count=len(known),
    )
    if certain:
        return Judged(kept, certain, text)
    return Judged(
        kept, certain, Text("{text}; the bound lies within that interval of {sure:.0%}", text=text, sure=CONFIDENCE)
    )


def _thin(records: Sequence[MeasurementRecord]) -> tuple[str, ...]:
    """Return the percentiles that too few values stand behind in some repetition."""
    found: dict[str, None] = {}
    for record in records:
        if record.metrics is not None:
            gaps = None if record.requests is None else record.requests.gaps
            found |= dict.fromkeys(thin_percentiles(record.metrics.completed, record.metrics, gaps))
    return tuple(found)

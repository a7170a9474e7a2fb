"""What a capacity search has found: the loads that were tried, the capacity, and what speaks against it."""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

from orchestrator.causes import Cause
from orchestrator.measuring.capacity import CONFIDENCE, CapacitySearch
from orchestrator.measuring.search_plan import CONCURRENCY, RATE, USUAL_PROMPTS, SearchPlan
from orchestrator.metrics.objectives import is_thin, metric_value
from orchestrator.metrics.values import Metrics
from orchestrator.results.statistics import mean_interval
from orchestrator.results.validity import Assessment, Reason, Verdict, assess, samples_for
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord

OVERLOAD = "queue-grows"
"""Reason of a measurement in which requests came faster than they were served."""


def figures_of(record: MeasurementRecord) -> Metrics | None:
    """Return the figures of a measurement by which a search judges its objectives: the one place where it takes them.

    They are those of the steady part, as far as it has any and is known; else those of the whole measurement.
    """
    metrics, steady = record.metrics, record.steady
    return metrics if metrics is None or steady is None else steady.in_place_of(metrics)


@dataclass(frozen=True)
class Tried:
    """One measurement of the search."""

    load: int
    sustained: bool
    """Nothing is missed that a lower load would meet."""
    reasons: tuple[str, ...]
    """Which objectives are missed, and what else speaks against the load."""
    record: MeasurementRecord

    @property
    def met(self) -> bool:
        """Say whether all objectives are met."""
        return not self.reasons


@dataclass(frozen=True)
class Found:
    """The result of a search."""

    plan: SearchPlan
    search: CapacitySearch
    tried: tuple[Tried, ...]
    cut_short: Cause | None = None
    """What ended the search before it was over, if anything did."""

    def verdict(self, item: Tried) -> Verdict:
        """Return the verdict on a measurement; INVALID if the measurement has not ended."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        return found.verdict if found else Verdict.INVALID

    def thin(self, item: Tried) -> list[str]:
        """Return the metrics of objectives that are percentiles of too few requests in a measurement."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        if found is None or not isinstance(item.record.outcome, Measured):
            return []
        return [objective.metric for objective in self.plan.objectives if is_thin(objective.metric, found.thin)]

    def capacity(self) -> int | None:
        """Return the highest load that was tried and met all objectives more often than not; None if none did.

        The search goes by what a higher load misses. What bounds from below is usually met at the load that it finds,
        or at none.
        """
        sustained = self.search.capacity()
        counts: Counter[int] = Counter()
        for item in self.tried:
            counts[item.load] += 1 if item.met else -1
        return max((load for load in counts if sustained and load <= sustained and counts[load] > 0), default=None)

    def _shortfall(self) -> list[str]:
        """Return a phrase if a measurement at the capacity misses an objective that bounds from below."""
        there = [item for item in self.tried if item.load == self.search.capacity() and item.sustained]
        short = [item.reasons[0] for item in there if not item.met]
        if not short:
            return []
        found = self.capacity()
        best = "no load that was tried meets all" if found is None else f"{found} is the highest that meets all"
        rest = "" if found == self.search.capacity() else f", and {best}"
        return [f"{len(short)} of {len(there)} there miss the others ({short[0]}){rest}"]

    def repeats(self) -> list[Tried]:
        """Return the measurements at the search's capacity that did not choose it: what is said of it rests on them."""
        capacity = self.search.capacity()
        if capacity is None:
            return []
        there = [item for item in self.tried if item.load == capacity]
        return there[len(there) - len(self.search.repeats(capacity)) :]

    def values(self) -> dict[str, dict[str, float | int | None]]:
        """Return what the repeats at the capacity have measured of each objective's metric: n, mean and half-width.

        The half-width is that of the 95 % confidence interval on this server start; None for a single value.
        """
        found: dict[str, dict[str, float | int | None]] = {}
        for objective in self.plan.objectives:
            figures = [figures_of(item.record) for item in self.repeats()]
            taken = [metric_value(objective.metric, each) for each in figures if each is not None]
            known = [value for value in taken if value is not None]
            interval = mean_interval(known)
            half_width = interval.half_width if interval else None
            if known:
                found[objective.metric] = {"n": len(known), "mean": statistics.fmean(known), "half_width": half_width}
        return found

    def _values_text(self) -> str:
        return ", ".join(
            f"{metric} {value['mean']:.4g}" + ("" if value["half_width"] is None else f" ± {value['half_width']:.2g}")
            for metric, value in self.values().items()
        )

    def doubts(self) -> list[str]:
        """Return a phrase for each kind of doubt about the measurements on both sides of the boundary."""
        return [*self._doubts_of_verdicts(), *self._doubts_of_percentiles(), *self._doubts_of_load()]

    def _doubts_of_load(self) -> list[str]:
        """Return a phrase for what makes the load come in waves, which the figures of a steady load need not share."""
        plan = self.plan
        lines = [f"requests had one length and stayed in step, because {plan.in_step}"] if plan.in_step else []
        if plan.over == CONCURRENCY and plan.prompts_per_step < USUAL_PROMPTS:
            lines.append(
                f"{plan.prompts_per_step:g} requests for each in flight let ramp-up and tail weigh; {USUAL_PROMPTS} or "
                "more are usual"
            )
        return lines

    def _sides(self) -> list[list[Tried]]:
        loads = (self.search.capacity(), self.search.limit())
        return [[item for item in self.tried if item.load == load] for load in loads if load is not None]

    def _doubts_of_verdicts(self) -> list[str]:
        phrases = []
        for there in self._sides():
            for verdict in (Verdict.INVALID, Verdict.SUSPECT):
                doubted = [item for item in there if self.verdict(item) is verdict and self._reasons(item)]
                names = {reason.id for item in doubted for reason in self._reasons(item)}
                if doubted:
                    phrases.append(
                        f"{len(doubted)} of {len(there)} measurements at {self.plan.over} {there[0].load} "
                        f"{'is' if len(doubted) == 1 else 'are'} {verdict.value} ({', '.join(sorted(names))})"
                    )
        return phrases

    def _doubts_of_percentiles(self) -> list[str]:
        fewest: dict[str, int] = {}
        for item in (item for there in self._sides() for item in there):
            for metric in self.thin(item):
                requests = item.record.metrics.completed if item.record.metrics else 0
                fewest[metric] = min(requests, fewest.get(metric, requests))
        return [
            f"{metric} rests on as few as {requests} requests, {samples_for(metric.partition('_')[0])} make it reliable"
            for metric, requests in fewest.items()
        ]

    def statement(self) -> str:
        """Return the result in words: the capacity, how sure it is, and the doubts about its measurements."""
        cut_short = [f"the search was cut short: {self.cut_short.text()}"] if self.cut_short else []
        if not any(item.record.metrics for item in self.tried):
            return "; ".join(["nothing was measured", *cut_short])
        short = self._shortfall()
        against = "; ".join([*short, *cut_short, *self.doubts()])
        bounds = "objectives that bound from above" if short else "objectives"
        return "; but ".join(
            filter(None, (self.search.statement(self.plan.over, bounds, self._values_text()), against))
        )

    @functools.cached_property
    def _assessed(self) -> dict[tuple[str, int], Assessment]:
        return assess(item.record for item in self.tried)

    def _reasons(self, item: Tried) -> tuple[Reason, ...]:
        """Return the reasons against a measurement, without the one that makes its load count as missed."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        if found is None:
            return (Reason("incomplete", item.record.state.value),)
        return tuple(reason for reason in found.reasons if not is_overload(reason, self.plan))

    def goodput(self) -> float | None:
        """Return the mean goodput at the capacity, in requests per second; None where the client did not count it."""
        at_capacity = [item.record.metrics for item in self.tried if item.load == self.capacity()]
        counted = [
            metrics.request_goodput for metrics in at_capacity if metrics and metrics.request_goodput is not None
        ]
        return statistics.fmean(counted) if counted else None

    def _repeats_data(self) -> dict[str, Any] | None:
        """Return in how many repeats the search's capacity was sustained, and the bound that follows from them."""
        capacity = self.search.capacity()
        if capacity is None:
            return None
        repeats = self.search.repeats(capacity)
        at_least = self.search.at_least(capacity)
        return {
            "load": capacity,
            "n": len(repeats),
            "met": sum(repeats),
            "at_least": None if at_least is None else round(at_least, 6),
            "confidence": CONFIDENCE,
        }

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "over": self.plan.over,
            "objectives": [str(objective) for objective in self.plan.objectives],
            "prompts_per_step": self.plan.prompts_per_step,
            "range_ratio": self.plan.range_ratio,
            "capacity": self.capacity(),
            "limit": self.search.limit(),
            "goodput": self.goodput(),
            "repeats": self._repeats_data(),
            "values": self.values(),
            "statement": self.statement(),
            "doubts": self.doubts(),
            "cut_short": None if self.cut_short is None else self.cut_short.text(),
            "tried": [
                {
                    "load": item.load,
                    "met": item.met,
                    "reasons": list(item.reasons),
                    "verdict": self.verdict(item).value,
                    "thin": self.thin(item),
                    "point": item.record.point,
                    "repetition": item.record.repetition,
                }
                for item in self.tried
            ],
        }


def is_overload(reason: Reason, plan: SearchPlan) -> bool:
    """Say whether a reason is that requests came faster than they were served."""
    return plan.over == RATE and reason.id == OVERLOAD

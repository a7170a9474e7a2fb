"""A capacity search on one live server: which load still meets all objectives, with every measurement on record."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.atomic import write_atomic
from orchestrator.bench.capacity import CapacitySearch
from orchestrator.objectives import Objective, goodput_bounds, missed
from orchestrator.profile.arrival import POISSON
from orchestrator.runs.records import RunState
from orchestrator.sweep import Point, canonical_json, measurement, points
from orchestrator.validity import Reason, Verdict, assess

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.bench.measure import Sweep
    from orchestrator.profile.bench import Bench
    from orchestrator.runs.records import MeasurementRecord
    from orchestrator.validity import Assessment

FILE = "search.json"
CONCURRENCY, RATE = "concurrency", "request-rate"
FEWEST_PROMPTS = 8


@dataclass(frozen=True)
class SearchPlan:
    """What is searched for, and within which bounds."""

    over: str
    """`concurrency` or `request-rate`."""
    objectives: tuple[Objective, ...]
    lowest: int
    highest: int
    repetitions: int
    """How often both sides of the boundary are measured."""
    resolution: float
    """How close, as a part of the load, the two sides must be in the end; 0 means one step."""
    prompts_per_step: int
    """Requests of a measurement for each step of load."""


@dataclass(frozen=True)
class Tried:
    """One measurement of the search."""

    load: int
    met: bool
    reasons: tuple[str, ...]
    """Why it is not met."""
    record: MeasurementRecord


@dataclass(frozen=True)
class Found:
    """What the search came to."""

    plan: SearchPlan
    search: CapacitySearch
    tried: tuple[Tried, ...]

    def verdict(self, item: Tried) -> Verdict:
        """Return how far a measurement can be trusted; one that has not come to an end proves nothing."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        return found.verdict if found else Verdict.INVALID

    def doubts(self) -> list[str]:
        """Return a phrase for each kind of doubt about the measurements on both sides of the boundary."""
        phrases = []
        for load in (self.search.capacity(), self.search.limit()):
            there = [item for item in self.tried if item.load == load]
            for verdict in (Verdict.INVALID, Verdict.SUSPECT):
                doubted = [item for item in there if self.verdict(item) is verdict]
                names = {reason.id for item in doubted for reason in self._reasons(item)}
                if doubted:
                    phrases.append(
                        f"{len(doubted)} of {len(there)} measurements at {self.plan.over} {load} "
                        f"{'is' if len(doubted) == 1 else 'are'} {verdict.value} ({', '.join(sorted(names))})"
                    )
        return phrases

    def statement(self) -> str:
        """Return what was found, how sure that is, and what speaks against the measurements that it rests on."""
        return "; but ".join(filter(None, (self.search.statement(self.plan.over), "; ".join(self.doubts()))))

    @functools.cached_property
    def _assessed(self) -> dict[tuple[str, int], Assessment]:
        return assess(item.record for item in self.tried)

    def _reasons(self, item: Tried) -> tuple[Reason, ...]:
        found = self._assessed.get((item.record.point, item.record.repetition))
        return found.reasons if found else (Reason("incomplete", item.record.state.value),)

    def goodput(self) -> float | None:
        """Return the mean goodput at the capacity, in requests per second; None where the client did not count it."""
        at_capacity = [item.record.metrics for item in self.tried if item.load == self.search.capacity()]
        counted = [
            metrics.request_goodput for metrics in at_capacity if metrics and metrics.request_goodput is not None
        ]
        return statistics.fmean(counted) if counted else None

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "over": self.plan.over,
            "objectives": [str(objective) for objective in self.plan.objectives],
            "capacity": self.search.capacity(),
            "limit": self.search.limit(),
            "goodput": self.goodput(),
            "statement": self.statement(),
            "doubts": self.doubts(),
            "tried": [
                {
                    "load": item.load,
                    "met": item.met,
                    "reasons": list(item.reasons),
                    "verdict": self.verdict(item).value,
                    "point": item.record.point,
                    "repetition": item.record.repetition,
                }
                for item in self.tried
            ],
        }


def run_search(under_way: Sweep, bench: Bench, plan: SearchPlan, on_tried: Callable[[Tried], None]) -> Found:
    """Search to the end, measuring on one server.

    A measurement that is INVALID counts as missed: the server did not do what was asked. One that is SUSPECT counts by
    its figures, and the statement says so.

    Raises:
        ServerFailed: When the server has died more often than it may be started again.
    """
    directory = under_way.directory
    search = CapacitySearch(plan.lowest, plan.highest, plan.repetitions, plan.resolution)
    tried: list[Tried] = []
    while (load := search.next()) is not None:
        point = point_at(bench, plan, load)
        repetition = 1 + sum(item.load == load for item in tried)
        directory.plan_further([(point.id, repetition)])
        under_way.run([measurement(bench, point, repetition)])
        record = directory.record(point.id, repetition)
        if record is None:
            break
        reasons = _reasons(record, plan.objectives)
        tried.append(Tried(load, not reasons, tuple(reasons), record))
        search.tell(load, met=not reasons)
        on_tried(tried[-1])
    found = Found(plan, search, tuple(tried))
    write_atomic(directory.path / FILE, json.dumps(found.as_data(), indent=2) + "\n")
    return found


def point_at(bench: Bench, plan: SearchPlan, load: int) -> Point:
    """Return the point that puts so much load on the server, in the shape of the sweep's first point."""
    first = points(bench)[0]
    flags = {**bench.client_flags}
    bounds = goodput_bounds(plan.objectives)
    if bounds:
        flags["goodput"] = [f"{latency}:{bound:g}" for latency, bound in bounds.items()]
    groups = bench.dataset.groups
    return dataclasses.replace(
        first,
        num_prompts=math.ceil(max(FEWEST_PROMPTS, plan.prompts_per_step * load) / groups) * groups,
        max_concurrency=load if plan.over == CONCURRENCY else None,
        request_rate="inf" if plan.over == CONCURRENCY else float(load),
        burstiness=POISSON if plan.over == CONCURRENCY else bench.burstiness,
        ramp_up=None,
        client_flags=canonical_json(flags),
    )


def _reasons(record: MeasurementRecord, objectives: tuple[Objective, ...]) -> list[str]:
    if record.state is not RunState.DONE or record.metrics is None:
        return list(record.reasons) or ["not measured"]
    return missed(objectives, record.metrics)

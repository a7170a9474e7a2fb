"""A capacity search on one live server: which load still meets all objectives, with every measurement on record."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.atomic import write_atomic
from orchestrator.bench.capacity import CapacitySearch
from orchestrator.objectives import Objective, goodput_bounds, missed
from orchestrator.runs.records import RunState
from orchestrator.sweep import Measurement, Point, canonical_json, derive_seed, points

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.bench.measure import Sweep
    from orchestrator.profile.bench import Bench
    from orchestrator.runs.records import MeasurementRecord

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
            "statement": self.search.statement(self.plan.over),
            "tried": [
                {
                    "load": item.load,
                    "met": item.met,
                    "reasons": list(item.reasons),
                    "point": item.record.point,
                    "repetition": item.record.repetition,
                }
                for item in self.tried
            ],
        }


def run_search(under_way: Sweep, bench: Bench, plan: SearchPlan, on_tried: Callable[[Tried], None]) -> Found:
    """Search to the end, measuring on one server.

    A measurement that is INVALID counts as missed: the server did not do what was asked.

    Raises:
        ServerFailed: When the server has died more often than it may be started again.
    """
    directory = under_way.directory
    search = CapacitySearch(plan.lowest, plan.highest, plan.repetitions, plan.resolution)
    tried: list[Tried] = []
    while (load := search.next()) is not None:
        point = point_at(bench, plan, load)
        repetition = 1 + sum(item.load == load for item in tried)
        measurement = Measurement(point, repetition, derive_seed(bench.seed, point.id, repetition))
        directory.update(measurements=(*directory.manifest().measurements, (point.id, repetition)))
        under_way.run([measurement])
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
    return dataclasses.replace(
        first,
        num_prompts=max(FEWEST_PROMPTS, plan.prompts_per_step * load),
        max_concurrency=load if plan.over == CONCURRENCY else None,
        request_rate="inf" if plan.over == CONCURRENCY else float(load),
        client_flags=canonical_json(flags),
    )


def _reasons(record: MeasurementRecord, objectives: tuple[Objective, ...]) -> list[str]:
    if record.state is not RunState.DONE or record.metrics is None:
        return list(record.reasons) or ["not measured"]
    return missed(objectives, record.metrics)

"""Runs a capacity search on one server: which load still meets all objectives, with every measurement on record."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.errors import BenchmarkFailed, Interrupted, OrchError, OutputError
from orchestrator.events import Event, Listener
from orchestrator.files import write_atomic
from orchestrator.measuring.capacity import CapacitySearch
from orchestrator.measuring.measure import Sweep
from orchestrator.measuring.search_plan import RATE, SearchPlan, point_at
from orchestrator.metrics.objectives import is_thin, missed
from orchestrator.plan.sweep import measurement
from orchestrator.profile.schema.bench import Bench
from orchestrator.results.validity import Assessment, Reason, Verdict, assess, samples_for
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.records import MeasurementRecord, RunState

FILE = "search.json"
OVERLOAD = "queue-grows"
"""Reason of a measurement in which requests came faster than they were served."""


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
    cut_short: str = ""
    """What ended the search before it was over, if anything did."""

    def verdict(self, item: Tried) -> Verdict:
        """Return the verdict on a measurement; INVALID if the measurement has not ended."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        return found.verdict if found else Verdict.INVALID

    def thin(self, item: Tried) -> list[str]:
        """Return the metrics of objectives that are percentiles of too few requests in a measurement."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        if found is None or item.record.state is not RunState.DONE:
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

    def doubts(self) -> list[str]:
        """Return a phrase for each kind of doubt about the measurements on both sides of the boundary."""
        return [*self._doubts_of_verdicts(), *self._doubts_of_percentiles()]

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
        cut_short = [f"the search was cut short: {self.cut_short}"] if self.cut_short else []
        if not any(item.record.metrics for item in self.tried):
            return "; ".join(["nothing was measured", *cut_short])
        short = self._shortfall()
        against = "; ".join([*short, *cut_short, *self.doubts()])
        bounds = "objectives that bound from above" if short else "objectives"
        return "; but ".join(filter(None, (self.search.statement(self.plan.over, bounds), against)))

    @functools.cached_property
    def _assessed(self) -> dict[tuple[str, int], Assessment]:
        return assess(item.record for item in self.tried)

    def _reasons(self, item: Tried) -> tuple[Reason, ...]:
        """Return the reasons against a measurement, without the one that makes its load count as missed."""
        found = self._assessed.get((item.record.point, item.record.repetition))
        if found is None:
            return (Reason("incomplete", item.record.state.value),)
        return tuple(reason for reason in found.reasons if not _is_overload(reason, self.plan))

    def goodput(self) -> float | None:
        """Return the mean goodput at the capacity, in requests per second; None where the client did not count it."""
        at_capacity = [item.record.metrics for item in self.tried if item.load == self.capacity()]
        counted = [
            metrics.request_goodput for metrics in at_capacity if metrics and metrics.request_goodput is not None
        ]
        return statistics.fmean(counted) if counted else None

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "over": self.plan.over,
            "objectives": [str(objective) for objective in self.plan.objectives],
            "prompts_per_step": self.plan.prompts_per_step,
            "capacity": self.capacity(),
            "limit": self.search.limit(),
            "goodput": self.goodput(),
            "statement": self.statement(),
            "doubts": self.doubts(),
            "cut_short": self.cut_short or None,
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


@dataclass(frozen=True)
class LoadTried(Event):
    """A search has measured a load."""

    id: ClassVar[str] = "load-tried"

    over: str
    """`concurrency` or `request-rate`."""
    tried: Tried

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        tried = self.tried
        at = {"over": self.over, "load": tried.load, "repetition": tried.record.repetition}
        return {**at, "point": tried.record.point, "met": tried.met}


@dataclass(frozen=True)
class SearchCutShort(Event):
    """A search ended early; the event holds its result so far."""

    id: ClassVar[str] = "search-cut-short"

    found: Found

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data; the record of the search says the rest."""
        return {"measured": len(self.found.tried)}


def run_search(sweep: Sweep, bench: Bench, plan: SearchPlan, tell: Listener) -> Found:
    """Search to the end, measuring on one server.

    A measurement that is INVALID counts as missed: the server did not do what was asked. So does one at a request rate
    that the server could not keep up with: its figures would be worse the longer it lasted. Any other that is SUSPECT
    counts by its figures, and the statement says so.

    The result so far is kept and told even if the search cannot go on: a server that dies of its load is a result.

    Raises:
        ServerFailed: When the server has died more often than it may be started again.
        BenchmarkFailed: When no client came to an end, so that nothing is known of any load.
    """
    search = CapacitySearch(plan.lowest, plan.highest, plan.repetitions, plan.resolution)
    tried: list[Tried] = []
    try:
        for item in _tries(sweep, bench, plan, search):
            tried.append(item)
            search.tell(item.load, met=item.sustained)
            tell(LoadTried(plan.over, item))
        _check_measured(tried, sweep.directory)
    except (OrchError, Interrupted) as error:
        if tried:
            found = Found(plan, search, tuple(tried), _cause(error))
            with contextlib.suppress(OutputError):  # what stopped it is what counts
                _keep(found, sweep.directory)
            tell(SearchCutShort(found))
        raise
    found = Found(plan, search, tuple(tried))
    _keep(found, sweep.directory)
    return found


def _tries(sweep: Sweep, bench: Bench, plan: SearchPlan, search: CapacitySearch) -> Iterator[Tried]:
    """Measure and yield each load that the search asks for; the search learns each result before the next load."""
    directory = sweep.directory
    times: Counter[int] = Counter()
    while (load := search.next()) is not None:
        times[load] += 1
        point = point_at(bench, plan, load)
        directory.plan_further([(point.id, times[load])])
        sweep.run([measurement(bench, point, times[load])])
        record = directory.record(point.id, times[load])
        if record is None:
            break
        yield _judged(load, record, plan)


def _check_measured(tried: Sequence[Tried], directory: RunDirectory) -> None:
    if any(item.record.metrics for item in tried) or not tried:
        return
    last = tried[-1]
    raise BenchmarkFailed(
        f"no client came to an end: {last.reasons[0]}", f"What the client said: {directory.client_log(last.record)}"
    )


def _cause(error: OrchError | Interrupted) -> str:
    if isinstance(error, Interrupted):
        return f"orch received {signal.Signals(error.signum).name}"
    return error.message.partition("\n")[0]


def _keep(found: Found, directory: RunDirectory) -> None:
    write_atomic(directory.path / FILE, json.dumps(found.as_data(), indent=2) + "\n")


def _judged(load: int, record: MeasurementRecord, plan: SearchPlan) -> Tried:
    if record.state is not RunState.DONE or record.metrics is None:
        return Tried(load, sustained=False, reasons=record.reasons or ("not measured",), record=record)
    assessed = assess([record])[record.point, record.repetition]
    above = [objective for objective in plan.objectives if not objective.from_below]
    below = [objective for objective in plan.objectives if objective.from_below]
    too_much = missed(above, record.metrics, assessed.thin)
    too_much += [reason.text for reason in assessed.reasons if _is_overload(reason, plan)]
    too_little = missed(below, record.metrics, assessed.thin)
    return Tried(load, sustained=not too_much, reasons=(*too_much, *too_little), record=record)


def _is_overload(reason: Reason, plan: SearchPlan) -> bool:
    return plan.over == RATE and reason.id == OVERLOAD

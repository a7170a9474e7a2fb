"""Runs a capacity search on one server: which load still meets all objectives, with every measurement on record."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.causes import Cause
from orchestrator.errors import BenchmarkFailed, Interrupted, OrchError, OutputError, cause_of
from orchestrator.events import Event, Listener
from orchestrator.files import write_atomic
from orchestrator.measuring.answer import answer_of
from orchestrator.measuring.capacity import CapacitySearch
from orchestrator.measuring.found import Found, Tried, is_overload
from orchestrator.measuring.measure import Sweep
from orchestrator.measuring.search_plan import SearchPlan, point_at
from orchestrator.metrics.objectives import missed
from orchestrator.plan.sweep import measurement
from orchestrator.profile.schema.bench import Bench
from orchestrator.results.validity import assess
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.runs.run import Run
from orchestrator.text import Text

FILE = "search.json"
NOT_MEASURED = Cause("not-measured").text()


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
            found = Found(plan, search, tuple(tried), cause_of(error))
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
        taken = measurement(bench, point, times[load])
        directory.plan_further([taken])
        for record in sweep.run([taken]):
            yield judged(load, record, plan)


def _check_measured(tried: Sequence[Tried], directory: Run) -> None:
    if any(item.record.metrics for item in tried) or not tried:
        return
    last = tried[-1]
    raise BenchmarkFailed(
        Text("no client came to an end: {reasons}", reasons=last.reasons[0]),
        Text("What the client said: {client_log}", client_log=directory.client_log(last.record)),
    )


def _keep(found: Found, directory: Run) -> None:
    write_atomic(directory.path / FILE, json.dumps(found.as_data(), indent=2) + "\n")
    directory.update(search=answer_of(found))


def judged(load: int, record: MeasurementRecord, plan: SearchPlan) -> Tried:
    """Return what a measurement says of its load."""
    if not isinstance(record.outcome, Measured):
        return Tried(load, sustained=False, reasons=record.reasons or (NOT_MEASURED,), record=record)
    assessed = assess([record])[record.point, record.repetition]
    above = [objective for objective in plan.objectives if not objective.from_below]
    below = [objective for objective in plan.objectives if objective.from_below]
    too_much = missed(above, record.outcome.metrics, assessed.thin)
    too_much += [reason.text for reason in assessed.reasons if is_overload(reason, plan)]
    too_little = missed(below, record.outcome.metrics, assessed.thin)
    return Tried(load, sustained=not too_much, reasons=(*too_much, *too_little), record=record)

"""A search as it can be shown again from the answer and the records of its run."""

from __future__ import annotations

from orchestrator.measuring.capacity import CapacitySearch
from orchestrator.measuring.found import Found
from orchestrator.measuring.search import judged
from orchestrator.measuring.search_plan import SearchPlan
from orchestrator.metrics.objectives import known_objectives
from orchestrator.runs.run import Run


def found_again(run: Run) -> Found | None:
    """Return what a search has found, from its answer and its records; None where the run holds no answer.

    What a measurement says of its load is judged again, so that the search and its measurements are shown by the same
    rules.
    """
    manifest = run.manifest()
    answer = manifest.search
    if answer is None:
        return None
    objectives, _ = known_objectives(answer.objectives)
    plan = SearchPlan(
        answer.over,
        tuple(objectives),
        answer.lowest,
        answer.highest,
        answer.repetitions,
        answer.resolution,
        answer.prompts_per_step,
    )
    records = {(record.point, record.repetition): record for record in run.records()}
    tried = tuple(
        judged(item.load, records[item.point, item.repetition], plan)
        for item in answer.tried
        if (item.point, item.repetition) in records
    )
    search = CapacitySearch(plan.lowest, plan.highest, plan.repetitions, plan.resolution)
    for item in tried:
        search.tell(item.load, met=item.sustained)
    return Found(plan, search, tried, answer.cut_short)

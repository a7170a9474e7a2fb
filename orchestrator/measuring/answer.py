"""The answer of a search as its run holds it: ids and numbers, from which `answered` makes the search again."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.measuring.found import Found, Tried
from orchestrator.results.validity import assess
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import SearchAnswer, TriedLoad


def answer_of(found: Found) -> SearchAnswer:
    """Return what a search has found as ids and numbers."""
    plan, assessed = found.plan, assess(item.record for item in found.tried)
    doubts = {at: tuple(reason.id for reason in assessment.reasons) for at, assessment in assessed.items()}
    return SearchAnswer(
        over=plan.over,
        objectives=tuple(map(str, plan.objectives)),
        lowest=plan.lowest,
        highest=plan.highest,
        repetitions=plan.repetitions,
        resolution=plan.resolution,
        prompts_per_step=plan.prompts_per_step,
        capacity=found.capacity(),
        limit=found.search.limit(),
        goodput=found.goodput(),
        cut_short=found.cut_short,
        tried=tuple(_tried(found, item, doubts) for item in found.tried),
    )


def _tried(found: Found, item: Tried, doubts: Mapping[tuple[str, int], tuple[str, ...]]) -> TriedLoad:
    outcome = item.record.outcome
    missed = (
        [str(each) for each in found.plan.objectives if not each.met(outcome.metrics)]
        if isinstance(outcome, Measured)
        else []
    )
    return TriedLoad(
        load=item.load,
        point=item.record.point,
        repetition=item.record.repetition,
        sustained=item.sustained,
        missed=tuple(missed),
        doubts=doubts.get((item.record.point, item.record.repetition), ()),
        verdict=found.verdict(item).value,
    )

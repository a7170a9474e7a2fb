"""`orch search`: how much load a server takes while it still meets its objectives."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cli.loading import load
from orchestrator.cli.output import say
from orchestrator.cli.session import session
from orchestrator.cli.show import show_search, show_searched_study
from orchestrator.errors import ExitCode
from orchestrator.jobs import searches
from orchestrator.measuring.search_plan import SearchPlan, plan_search
from orchestrator.plan.variants import Variant, variants


def search(
    profile: str, slos: tuple[str, ...], over: str, lowest: int, highest: int | None, repetitions: int,
    resolution: float, step: float | None, range_ratio: float | None, name: str | None, wait: float | None,
    sets: tuple[str, ...], quiet: bool, as_json: bool,
) -> int:  # fmt: skip
    """Find the highest concurrency or request rate that meets all objectives."""
    resolved = load(profile, sets, to_start=True)
    chosen = variants(resolved)
    plan = plan_search(
        chosen[0].profile,
        slos,
        over=over,
        lowest=lowest,
        highest=highest,
        repetitions=repetitions,
        resolution=resolution,
        step_s=step,
        range_ratio=range_ratio,
    )
    if resolved.vary is not None:
        return _search_study(chosen, plan, name, wait, quiet=quiet, as_json=as_json)
    with session(quiet=quiet, as_json=as_json) as here:
        searched = searches.search(here, resolved, plan, name, wait)
    show_search(searched.found, as_json=as_json)
    say(f"run: {searched.run.path}")
    return ExitCode.OK if searched.found.capacity() is not None else ExitCode.OBJECTIVE_MISSED


def _search_study(
    chosen: Sequence[Variant], plan: SearchPlan, name: str | None, wait: float | None, *, quiet: bool, as_json: bool
) -> ExitCode:
    with session(quiet=quiet, as_json=as_json) as here:
        searched = searches.search_study(here, chosen, plan, name, wait)
    show_searched_study(searched.study, searched.found, plan, as_json=as_json)
    say(f"study: {searched.study.id}")
    found = searched.found.values()
    if len(found) < len(chosen) or any(item.cut_short for item in found):
        return ExitCode.RUN_FAILED
    return ExitCode.OK if any(item.capacity() is not None for item in found) else ExitCode.OBJECTIVE_MISSED

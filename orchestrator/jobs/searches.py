"""Runs capacity searches on one server, or on each server of a profile that varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.events import Event, Listener
from orchestrator.jobs.places import Place
from orchestrator.jobs.record import make_run, make_study, opened
from orchestrator.jobs.serving import Server, a_server
from orchestrator.jobs.study_under_way import StudyUnderWay, as_study
from orchestrator.measuring.found import Found
from orchestrator.measuring.run import under_way
from orchestrator.measuring.search import SearchCutShort, run_search
from orchestrator.measuring.search_plan import SearchPlan
from orchestrator.plan.suits import bench_of
from orchestrator.plan.variants import Variant
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.format.records import RunKind
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study


@dataclass(frozen=True)
class Searched:
    """What a search came to, and its run."""

    found: Found
    run: Run


@dataclass(frozen=True)
class SearchedStudy:
    """What the searches of a study came to."""

    study: Study
    found: Mapping[int, Found]
    """By the index of the run; nothing for a server that failed before anything was measured."""


def search(
    place: Place, profile: Profile, plan: SearchPlan, name: str | None = None, wait_s: float | None = None
) -> Searched:
    """Find the highest load that meets all objectives.

    A fitting deployment that is up is used; else one is made and torn down again.

    Args:
        place: Where.
        profile: The resolved profile of one server; its first point is the shape of the requests.
        plan: What is searched for, and within which bounds.
        name: Name of the deployment; the profile's unless given.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        OrchError: What went wrong; see `run_search`.
    """
    with (
        a_server(place, profile, name, wait_s) as server,
        opened(place, lambda: make_run(place.folders.runs, profile, place.node, RunKind.SEARCH)) as directory,
    ):
        return Searched(_search(server, directory, plan, place.tell), directory)


def search_study(
    place: Place, chosen: Sequence[Variant], plan: SearchPlan, name: str | None = None, wait_s: float | None = None
) -> SearchedStudy:
    """Search on each variant of a profile; one that fails does not end the others.

    Args:
        place: Where.
        chosen: The variants.
        plan: What is searched for, and within which bounds.
        name: Name of the deployments, one after the other; each profile's unless given.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        OrchError: What would have failed the other searches too.
    """
    found: dict[int, Found] = {}
    runs = place.folders.runs
    with StudyUnderWay(place, lambda: make_study(runs, chosen, place.node, RunKind.SEARCH)) as study:

        def take(index: int) -> None:
            with (
                a_server(place, chosen[index].profile, name, wait_s) as server,
                study.opened(index) as directory,
            ):

                def keep(event: Event) -> None:
                    if isinstance(event, SearchCutShort):
                        found[index] = event.found
                    place.tell(event)

                found[index] = _search(server, directory, plan, keep)

        study.each({index: variant.label for index, variant in enumerate(chosen)}, take)
        return SearchedStudy(as_study(study.made()), found)


def _search(server: Server, directory: Run, plan: SearchPlan, tell: Listener) -> Found:
    profile = server.profile
    with (
        server.serving(directory) as serving,
        under_way(directory, profile, serving, tell) as sweep,
    ):
        return run_search(sweep, bench_of(profile), plan, tell)

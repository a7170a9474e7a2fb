"""Runs the whole job: starts a server, measures and tears it down; a profile that varies becomes a study."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.jobs.places import Place
from orchestrator.jobs.record import make_run, make_study, opened
from orchestrator.jobs.serving import Server, own_server
from orchestrator.jobs.study_under_way import StudyUnderWay, as_study
from orchestrator.measuring.run import take_missing, under_way
from orchestrator.plan.variants import Variant
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study


def run(place: Place, profile: Profile, name: str | None = None, wait_s: float | None = None) -> Run:
    """Bring a deployment up, benchmark it and take it down again; return the run.

    Whatever happens on the way, nothing is left running; what was measured until then is kept.

    Args:
        place: Where.
        profile: The resolved profile of one server.
        name: Name of the deployment; the profile's unless given.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        OrchError: What went wrong; see `orchestrator.errors`.
    """
    with (
        own_server(place, profile, name or profile.name, wait_s) as server,
        opened(place, lambda: make_run(place.folders.runs, profile, place.node)) as directory,
    ):
        measure(server, directory)
    return directory


def run_study(place: Place, chosen: Sequence[Variant], name: str, wait_s: float | None = None) -> Study:
    """Measure variants of a profile, each on a server of its own; return their study.

    A server that does not start does not end the others; its run says so.

    Args:
        place: Where.
        chosen: The variants.
        name: Name of the deployments, one after the other.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        OrchError: What would have failed the other runs too.
    """
    with StudyUnderWay(place, lambda: make_study(place.folders.runs, chosen, place.node)) as study:

        def take(index: int) -> None:
            with (
                own_server(place, chosen[index].profile, name, wait_s) as server,
                study.opened(index) as directory,
            ):
                measure(server, directory)

        study.each({index: variant.label for index, variant in enumerate(chosen)}, take)
        return as_study(study.made())


def measure(server: Server, directory: Run) -> None:
    """Measure what a run has not done yet on a server that is ready."""
    place = server.place
    with (
        server.serving(directory) as serving,
        under_way(directory, server.profile, serving, place.tell) as sweep,
    ):
        take_missing(sweep, server.profile)

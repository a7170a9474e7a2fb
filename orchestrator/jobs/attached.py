"""Measures on a server that is up and stays up."""

from __future__ import annotations

from orchestrator.deployment.attach import check_fit, made_from
from orchestrator.deployment.registry import Listed, choose, deployments
from orchestrator.jobs.places import Place
from orchestrator.jobs.record import make_run, opened
from orchestrator.jobs.serving import attached_server
from orchestrator.jobs.sweeps import measure
from orchestrator.plan.suits import bench_of
from orchestrator.plan.variants import only_variant
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.run import Run


def to_measure(
    place: Place, profile: Profile | None, name: str | None, sets: tuple[str, ...] = ()
) -> tuple[Listed, Profile]:
    """Return a deployment that is up, and the profile to measure in it.

    Args:
        place: Where.
        profile: Whose sweep to run; that of the profile that the deployment was made from unless given.
        name: Name of the deployment; the only one there is unless given.
        sets: Overrides of the profile that the deployment was made from.

    Raises:
        UsageError: When there is no such deployment, or the profile asks for another server.
    """
    listed = choose(deployments(place.engine), name)
    wanted = profile or only_variant(made_from(listed, sets))
    check_fit(listed, wanted)
    bench_of(wanted)
    return listed, wanted


def bench(place: Place, listed: Listed, profile: Profile, wait_s: float | None = None) -> Run:
    """Run a profile's sweep in a deployment that is up and stays up; return the run.

    Args:
        place: Where.
        listed: The deployment.
        profile: The profile, of the same container and server; see `to_measure`.
        wait_s: How long to queue for another user of it; None does not.

    Raises:
        OrchError: What went wrong; see `orchestrator.errors`.
    """
    with (
        attached_server(place, listed, profile, wait_s) as server,
        opened(place, lambda: make_run(place.folders.runs, profile, place.node)) as directory,
    ):
        measure(server, directory)
    return directory

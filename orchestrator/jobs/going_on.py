"""Resumes a run or a study that was interrupted."""

from __future__ import annotations

from orchestrator.errors import UsageError
from orchestrator.jobs.events import NothingMissing
from orchestrator.jobs.places import Place
from orchestrator.jobs.record import opened
from orchestrator.jobs.serving import a_server
from orchestrator.jobs.study_under_way import StudyUnderWay
from orchestrator.jobs.sweeps import measure
from orchestrator.measuring.resume import check_can_go_on, check_conditions, check_profile, is_complete
from orchestrator.plan.naming import label
from orchestrator.plan.variants import variants
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.format.records import RunKind
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study, find
from orchestrator.text import Text


def resume(
    place: Place, meant: str, given: Profile | None = None, name: str | None = None, wait_s: float | None = None
) -> Run | Study:
    """Take the missing measurements of a run or a study, under its original conditions; return it.

    A fitting deployment that is up is used; else one is made and torn down again. Nothing is started if nothing is
    missing.

    Args:
        place: Where.
        meant: Id of the run or the study, the beginning of one, or a path.
        given: A profile that must come to the same as the one on record.
        name: Name of the deployment.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        UsageError: When there is no such run, it is a search, or not everything is as it was.
    """
    found = find(place.folders.runs, meant)
    manifest = (found.runs[0] if isinstance(found, Study) else found).manifest()
    if manifest.kind is not RunKind.SWEEP:
        raise UsageError(
            Text("{meant} is a search: what it measures next depends on what it has measured", meant=meant),
            Text(
                "Search anew: orch search {profile}   What this one has: orch results show {meant}",
                profile=manifest.profile,
                meant=meant,
            ),
        )
    if isinstance(found, Study):
        _resume_study(place, found, given, name, wait_s)
    else:
        _resume_run(place, found, given, name, wait_s)
    return found


def _resume_run(place: Place, directory: Run, given: Profile | None, name: str | None, wait_s: float | None) -> None:
    profile, complete = directory.profile(), is_complete(directory)
    if not complete:
        check_can_go_on(directory)
    if given is not None:
        check_profile(directory, given)
    check_conditions(directory, place.node, profile)
    if complete:
        place.tell(NothingMissing())
        return
    with a_server(place, profile, name, wait_s) as server, opened(place, lambda: directory):
        measure(server, directory)


def _resume_study(place: Place, study: Study, given: Profile | None, name: str | None, wait_s: float | None) -> None:
    missing = {index: label(run.manifest().varied) for index, run in enumerate(study.runs) if not is_complete(run)}
    profiles = [run.profile() for run in study.runs]
    for index in missing:
        check_can_go_on(study.runs[index])
    if given is not None:
        _check_variants(study, given)
    for index in missing:
        check_conditions(study.runs[index], place.node, profiles[index])
    if not missing:
        place.tell(NothingMissing())
        return
    with StudyUnderWay(place, lambda: study.runs) as going_on:

        def take(index: int) -> None:
            with a_server(place, profiles[index], name, wait_s) as server, going_on.opened(index) as directory:
                measure(server, directory)

        going_on.each(missing, take)


def _check_variants(study: Study, given: Profile) -> None:
    chosen = variants(given)
    if len(chosen) != len(study.runs):
        raise UsageError(
            Text(
                "the study {study} is of {runs} servers, the profile {given} of {servers}",
                study=study.id,
                runs=len(study.runs),
                given=given.name,
                servers=len(chosen),
            ),
            "Without PROFILE each run goes on with the profile that it was begun with.",
        )
    for run, variant in zip(study.runs, chosen, strict=True):
        check_profile(run, variant.profile)

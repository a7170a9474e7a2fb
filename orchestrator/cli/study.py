"""The variants of a profile, measured one after the other as a study, for the commands that can do that."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestrator.cli.job import job
from orchestrator.cli.output import say
from orchestrator.cli.report import can_go_on
from orchestrator.cli.study_report import report_study, show_study
from orchestrator.errors import ExitCode, Interrupted, OrchError, UsageError
from orchestrator.plan.variants import label, variants
from orchestrator.record import open_study
from orchestrator.resume import check_can_go_on, check_conditions, check_profile, is_complete
from orchestrator.runs.study import Study
from orchestrator.study import StudyUnderWay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.cli.job import Job
    from orchestrator.plan.variants import Variant
    from orchestrator.profile.schema import Profile
    from orchestrator.runs.directory import RunDirectory


def run_study(chosen: Sequence[Variant], name: str, wait_s: float | None, *, quiet: bool, as_json: bool) -> ExitCode:
    """Measure variants of a profile, each in a deployment of its own; return the exit code."""
    with job(quiet=quiet, as_json=as_json) as this:

        def take(index: int, study: StudyUnderWay) -> None:
            this.measure_in_own(chosen[index].profile, name, wait_s, lambda: study.opened(index))

        todo = {index: variant.label for index, variant in enumerate(chosen)}
        runs = carried_through(this, lambda: open_study(this.here.runs, chosen, this.engine), todo, take)
    return report_study(as_study(runs), as_json=as_json, quiet=quiet)


def resume_study(this: Job, study: Study, given: Profile | None, name: str | None, wait_s: float | None) -> None:
    """Take what the runs of a study have not done; nothing is started if nothing is missing."""
    missing = {index: label(run.manifest().varied) for index, run in enumerate(study.runs) if not is_complete(run)}
    profiles = [run.profile() for run in study.runs]
    for index in missing:
        check_can_go_on(study.runs[index])
    if given is not None:
        _check_variants(study, given)
    for index in missing:
        check_conditions(study.runs[index], this.engine, profiles[index])
    if not missing:
        this.reporter.line("nothing is missing")
        return

    def take(index: int, under_way: StudyUnderWay) -> None:
        this.measure(profiles[index], name, wait_s, lambda: under_way.opened(index))

    carried_through(this, lambda: study.runs, missing, take)


def carried_through(
    this: Job,
    make: Callable[[], Sequence[RunDirectory]],
    todo: Mapping[int, str],
    take: Callable[[int, StudyUnderWay], None],
) -> tuple[RunDirectory, ...]:
    """Take runs of a study one after the other and return all of its runs; one that fails does not end the others.

    Args:
        this: The command's job.
        make: Makes or finds the runs.
        todo: Which of them are to be taken, each with what sets it apart.
        take: Brings one to its end.
    """
    study = StudyUnderWay(make)
    order = list(todo)

    def announced(index: int) -> None:
        this.reporter.line(f"server {order.index(index) + 1} of {len(order)}: {todo[index]}")
        take(index, study)

    with _shown_if_cut_short(study, as_json=this.as_json), this.holds, study:
        study.each(order, announced, this.interruption, this.reporter.failure)
        return study.made()


def as_study(runs: Sequence[RunDirectory]) -> Study:
    """Return the study that these runs are."""
    return Study(str(runs[0].manifest().study), tuple(runs))


@contextlib.contextmanager
def _shown_if_cut_short(under_way: StudyUnderWay, *, as_json: bool) -> Iterator[None]:
    """Show what was measured if the study is cut short in the context, and how to go on with it."""
    try:
        yield
    except (OrchError, Interrupted):
        if under_way.begun:
            study = as_study(under_way.begun)
            show_study(study, as_json=as_json)
            say(f"study: {study.id}")
            if any(map(can_go_on, study.runs)):
                say(f"       go on with it: orch bench --resume {study.id}")
        raise


def _check_variants(study: Study, given: Profile) -> None:
    chosen = variants(given)
    if len(chosen) != len(study.runs):
        raise UsageError(
            f"the study {study.id} is of {len(study.runs)} servers, the profile {given.name} of {len(chosen)}",
            "Without PROFILE each run goes on with the profile that it was begun with.",
        )
    for run, variant in zip(study.runs, chosen, strict=True):
        check_profile(run, variant.profile)

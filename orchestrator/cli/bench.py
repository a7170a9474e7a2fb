"""`orch bench`: a sweep against the deployment that is up, or the rest of one that was cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli import options
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.cli.job import Job
    from orchestrator.profile.schema import Profile
    from orchestrator.runs.directory import RunDirectory


@click.command()
@options.optional_profile_argument
@options.name
@options.resume
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
def bench(
    profile: str | None,
    name: str | None,
    resume: str | None,
    wait: float | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a benchmark sweep inside the deployment that is up.

    Without PROFILE the sweep is the one of the profile that the deployment was made from. With PROFILE its own sweep
    is run, provided that its container and server are those of the deployment.

    With --resume the measurements that a run, or a study, has not done are taken, under the conditions it was begun
    under: in the deployment that is up if it fits, else in one that is made for it and torn down again.
    """
    from orchestrator.cli.job import job
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.report import report
    from orchestrator.deployment.attach import check_fit, made_from
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.errors import UsageError
    from orchestrator.record import bench_of, open_run

    if resume is not None and dry_run:
        raise UsageError("--dry-run does not go with --resume", f"What {resume} has: orch results show {resume}")
    if resume is not None and sets and profile is None:
        raise UsageError(
            "--set changes a profile, and --resume goes on with the one that the run was begun with",
            "To check that a changed profile comes to the same: orch bench PROFILE --set … --resume RUN",
        )
    given = options.load(profile, sets, to_start=True) if profile else None
    if resume is not None:
        return _go_on(resume, given, name, wait, quiet=quiet, as_json=as_json)
    asked = options.only_variant(given) if given else None
    with job(quiet=quiet, as_json=as_json) as this:
        listed = choose(deployments(this.engine), name)
        resolved = asked or options.only_variant(made_from(listed, sets))
        check_fit(listed, resolved)
        bench_of(resolved)
        if dry_run:
            show_plan(resolved, listed.name, as_json=as_json)
            return ExitCode.OK
        directory = this.measure_in(
            listed, resolved, wait, lambda: this.alone(lambda: open_run(this.here.runs, resolved, this.engine))
        )
    return report(directory, as_json=as_json, quiet=quiet)


def _go_on(
    meant: str, given: Profile | None, name: str | None, wait_s: float | None, *, quiet: bool, as_json: bool
) -> ExitCode:
    """Take what a run or a study has not done; return the exit code of the whole."""
    from orchestrator.cli.job import job
    from orchestrator.cli.report import report
    from orchestrator.cli.study import resume_study
    from orchestrator.cli.study_report import report_study
    from orchestrator.errors import UsageError
    from orchestrator.runs.records import RunKind
    from orchestrator.runs.study import Study, find

    with job(quiet=quiet, as_json=as_json) as this:
        found = find(this.here.runs, meant)
        manifest = (found.runs[0] if isinstance(found, Study) else found).manifest()
        if manifest.kind is not RunKind.SWEEP:
            raise UsageError(
                f"{meant} is a search: what it measures next depends on what it has measured",
                f"Search anew: orch search {manifest.profile}   What this one has: orch results show {meant}",
            )
        if isinstance(found, Study):
            resume_study(this, found, given, name, wait_s)
        else:
            _resume_run(this, found, given, name, wait_s)
    if isinstance(found, Study):
        return report_study(found, as_json=as_json, quiet=quiet)
    return report(found, as_json=as_json, quiet=quiet)


def _resume_run(
    this: Job, directory: RunDirectory, given: Profile | None, name: str | None, wait_s: float | None
) -> None:
    """Take what a run has not done; nothing is started if nothing is missing."""
    from orchestrator.resume import check_can_go_on, check_conditions, check_profile, is_complete

    resolved, complete = directory.profile(), is_complete(directory)
    if not complete:
        check_can_go_on(directory)
    if given is not None:
        check_profile(directory, given)
    check_conditions(directory, this.engine, resolved)
    if complete:
        this.reporter.line("nothing is missing")
        return
    this.measure(resolved, name, wait_s, lambda: this.alone(lambda: directory))

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

    With --resume the measurements that a run has not done are taken, under the conditions it was begun under: in the
    deployment that is up if it fits, else in one that is made for it and torn down again.
    """
    from orchestrator.cli.job import job
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.report import report
    from orchestrator.deployment.attach import check_fit, made_from
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.record import bench_of, open_run

    given = options.load(profile, sets) if profile else None
    with job(quiet=quiet, as_json=as_json) as this:
        if resume is not None:
            directory = _go_on(this, resume, given, name, wait)
            return report(directory, as_json=as_json, quiet=quiet)
        listed = choose(deployments(this.engine), name)
        resolved = given or made_from(listed, sets)
        check_fit(listed, resolved)
        bench_of(resolved)
        if dry_run:
            show_plan(resolved, listed.name, as_json=as_json)
            return ExitCode.OK
        directory = this.measure_in(listed, resolved, lambda: open_run(this.here.runs, resolved, this.engine))
    return report(directory, as_json=as_json, quiet=quiet)


def _go_on(this: Job, run: str, given: Profile | None, name: str | None, wait_s: float | None) -> RunDirectory:
    """Take what a run has not done, and return it; nothing is started if nothing is missing."""
    from orchestrator.deployment.registry import fitting
    from orchestrator.record import bench_of
    from orchestrator.repetitions import further
    from orchestrator.resume import check_conditions, check_profile
    from orchestrator.runs.directory import find_run

    directory = find_run(this.here.runs, run)
    resolved = directory.profile()
    if given is not None:
        check_profile(directory, given)
    check_conditions(directory, this.engine, resolved)
    if not directory.missing() and not further(bench_of(resolved), directory.records()):
        this.reporter.line("nothing is missing")
        return directory
    listed = fitting(this.engine, resolved, name)
    if listed is not None:
        return this.measure_in(listed, resolved, lambda: directory)
    return this.measure_in_own(resolved, name or resolved.name, wait_s, lambda: directory)

"""`orch bench`: a sweep against the deployment that is up."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode


@click.command()
@options.optional_profile_argument
@options.name
@options.sets
@options.dry_run
@options.quiet
@options.json_output
def bench(
    profile: str | None, name: str | None, sets: tuple[str, ...], dry_run: bool, quiet: bool, as_json: bool
) -> int:
    """Run a benchmark sweep inside the deployment that is up.

    Without PROFILE the sweep is the one of the profile that the deployment was made from. With PROFILE its own sweep
    is run, provided that its container and server are those of the deployment.
    """
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.progress import Reporter
    from orchestrator.cli.report import report
    from orchestrator.deployment.attach import attach, check_fit, made_from
    from orchestrator.deployment.lease import in_use
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.interruption import Interruption
    from orchestrator.run import bench_of, measure_attached, open_run

    here = settings()
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter:
        engine = options.engine_swept(here)
        listed = choose(deployments(engine), name)
        resolved = options.load(profile, sets) if profile else made_from(listed, sets)
        check_fit(listed, resolved)
        bench_of(resolved)
        if dry_run:
            show_plan(resolved, listed.name, as_json=as_json)
            return ExitCode.OK
        with in_use(listed.folder, listed.name):
            deployment = attach(engine, listed, resolved)
            directory = open_run(here.runs, resolved, engine)
            outcome = measure_attached(
                engine, directory, resolved, deployment, interruption, here.environ, reporter.step
            )
    return report(outcome, as_json=as_json, quiet=quiet)

"""`orch run`: the whole job, with guaranteed teardown."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode


@click.command()
@options.profile_argument
@options.name
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
def run(
    profile: str,
    name: str | None,
    wait: float | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Bring a deployment up, benchmark it and take it down again.

    Whatever happens on the way, nothing is left running; what was measured until then is kept.
    """
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.progress import Reporter
    from orchestrator.cli.report import report
    from orchestrator.deployment.launch import Launch, held, launched
    from orchestrator.interruption import Interruption
    from orchestrator.run import bench_of, conclude, measure, open_run, recorded

    resolved = options.load(profile, sets)
    bench_of(resolved)
    name = name or resolved.name
    if dry_run:
        show_plan(resolved, name, as_json=as_json)
        return ExitCode.OK
    here = settings()
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter:
        engine = options.engine_swept(here)
        launch = Launch(engine, resolved, name, here.state, here.locks, here.environ, wait)
        with held(launch, reporter.line) as hold:
            directory = open_run(here.runs, resolved, engine)
            with recorded(directory):
                with launched(launch, hold, interruption, reporter.phase, directory) as (_, deployment):
                    outcome = measure(engine, directory, resolved, deployment, reporter.step)
                reporter.line("torn down")
                conclude(outcome)
    return report(outcome, as_json=as_json, quiet=quiet)

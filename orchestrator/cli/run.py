"""`orch run`: the whole job, with guaranteed teardown."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.loading import load
from orchestrator.cli.plan import show_plan
from orchestrator.cli.session import session
from orchestrator.cli.show import report
from orchestrator.errors import ExitCode
from orchestrator.jobs import sweeps
from orchestrator.plan.suits import bench_of
from orchestrator.plan.variants import variants


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

    A profile that varies its server is a study: one server after the other is brought up, benchmarked and taken down,
    and one table shows all of them. A server that does not start does not end the others; the exit code is 1 then.
    """
    resolved = load(profile, sets, to_start=not dry_run)
    chosen = variants(resolved)
    for variant in chosen:
        bench_of(variant.profile)
    name = name or resolved.name
    if dry_run:
        show_plan(resolved, name, as_json=as_json)
        return ExitCode.OK
    with session(quiet=quiet, as_json=as_json) as here:
        found = (
            sweeps.run_study(here, chosen, name, wait)
            if resolved.vary is not None
            else sweeps.run(here, resolved, name, wait)
        )
    return report(found, as_json=as_json, quiet=quiet)

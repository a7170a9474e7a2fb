"""`orch run`: the whole job, with guaranteed teardown."""

from __future__ import annotations

from orchestrator.cli.loading import load
from orchestrator.cli.plan import show_plan
from orchestrator.cli.session import session
from orchestrator.cli.show import report
from orchestrator.errors import ExitCode
from orchestrator.jobs import sweeps
from orchestrator.plan.suits import bench_of
from orchestrator.plan.variants import variants


def run(
    profile: str,
    name: str | None,
    wait: float | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Bring a deployment up, benchmark it and take it down again."""
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

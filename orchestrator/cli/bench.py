"""`orch bench`: a sweep against the deployment that is up, or the rest of one that was cut short."""

from __future__ import annotations

from orchestrator.cli.loading import load
from orchestrator.cli.plan import show_plan
from orchestrator.cli.session import session
from orchestrator.cli.show import report
from orchestrator.errors import ExitCode, UsageError
from orchestrator.jobs import attached, going_on
from orchestrator.plan.variants import only_variant
from orchestrator.text import Text


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
    """Run a benchmark sweep inside the deployment that is up."""
    if resume is not None and dry_run:
        raise UsageError(
            "--dry-run does not go with --resume", Text("What {resume} has: orch results show {resume}", resume=resume)
        )
    if resume is not None and sets and profile is None:
        raise UsageError(
            "--set changes a profile, and --resume goes on with the one that the run was begun with",
            "To check that a changed profile comes to the same: orch bench PROFILE --set … --resume RUN",
        )
    given = load(profile, sets, to_start=True) if profile else None
    if resume is not None:
        with session(quiet=quiet, as_json=as_json) as here:
            found = going_on.resume(here, resume, given, name, wait)
        return report(found, as_json=as_json, quiet=quiet)
    asked = only_variant(given) if given else None
    with session(quiet=quiet, as_json=as_json) as here:
        listed, resolved = attached.to_measure(here, asked, name, sets)
        if dry_run:
            show_plan(resolved, listed.name, as_json=as_json)
            return ExitCode.OK
        directory = attached.bench(here, listed, resolved, wait)
    return report(directory, as_json=as_json, quiet=quiet)

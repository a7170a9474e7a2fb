"""`orch up`: a container with a healthy server, left running."""

from __future__ import annotations

from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, emit_json
from orchestrator.cli.session import session
from orchestrator.jobs import deployments
from orchestrator.plan.variants import only_variant


def up(
    profile: str,
    name: str | None,
    ttl: float | None,
    wait: float | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start a container with a vLLM server and wait until it is healthy."""
    resolved = only_variant(load(profile, sets, to_start=not dry_run))
    name = name or resolved.name
    if dry_run:
        from orchestrator.cli.plan import show_plan

        show_plan(resolved, name, as_json=as_json)
        return
    with session(quiet=quiet, as_json=as_json) as here:
        made = deployments.up(here, resolved, name, ttl, wait)
    version = made.api.version() if as_json or not quiet else None
    if as_json:
        emit_json("deployment", {"name": name, "url": made.api.url, "vllm_version": version, "state": "healthy"})
    elif not quiet:
        emit(f"{name} is up at {made.api.url} (vLLM {version or 'of unknown version'})")

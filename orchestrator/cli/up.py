"""`orch up`: a container with a healthy server, left running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings

if TYPE_CHECKING:
    from orchestrator.cli.progress import Reporter
    from orchestrator.deployment.registry import Listed
    from orchestrator.engine import Engine
    from orchestrator.profile.schema import Profile


@click.command()
@options.profile_argument
@options.name
@options.ttl
@options.sets
@options.dry_run
@options.quiet
@options.json_output
def up(
    profile: str,
    name: str | None,
    ttl: float | None,
    sets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Start a container with a vLLM server and wait until it is healthy.

    The deployment stays until `orch down`, or until its --ttl is over. If the same deployment is up and healthy already,
    nothing is done.
    """
    from orchestrator.cli.launch import engine_of, find_up, launched
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.progress import Reporter
    from orchestrator.interruption import Interruption

    resolved = options.load(profile, sets)
    name = name or resolved.name
    if dry_run:
        show_plan(resolved, name, as_json=as_json)
        return
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter:
        engine = engine_of(settings())
        existing = find_up(engine, name)
        if existing is not None:
            _already_up(engine, existing, resolved, reporter, as_json=as_json)
            return
        with launched(engine, settings(), resolved, name, interruption, reporter) as (guard, deployment):
            guard.hand_over(ttl)
    _report(name, deployment.api.url, deployment.vllm_version, as_json=as_json)


def _already_up(engine: Engine, existing: Listed, profile: Profile, reporter: Reporter, *, as_json: bool) -> None:
    from orchestrator.cli.launch import refuse_if_up
    from orchestrator.deployment.up import server_api
    from orchestrator.plan import labels
    from orchestrator.plan.container import serving_hash

    api = server_api(profile)
    same = bool(engine.find([f"{labels.LAUNCH}={existing.launch}", f"{labels.PROFILE_HASH}={serving_hash(profile)}"]))
    if not same or existing.tenure.owned or not api.healthy():
        refuse_if_up(engine, existing.name)
    reporter.line(f"{existing.name} is up already")
    _report(existing.name, api.url, api.version(), as_json=as_json)


def _report(name: str, url: str, version: str | None, *, as_json: bool) -> None:
    from orchestrator.cli.output import emit, emit_json

    if as_json:
        emit_json("deployment", {"name": name, "url": url, "vllm_version": version, "state": "healthy"})
    else:
        emit(f"{name} is up at {url} (vLLM {version or 'of unknown version'})")

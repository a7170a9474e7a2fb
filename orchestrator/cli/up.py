"""`orch up`: a container with a healthy server, left running."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.deployment.registry import Listed
from orchestrator.engine import Engine
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.api import Api


@click.command()
@options.profile_argument
@options.name
@options.ttl
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
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
    """Start a container with a vLLM server and wait until it is healthy.

    The deployment stays until `orch down`, or until its --ttl is over. If the same deployment is up and healthy
    already, nothing is done but to begin its --ttl anew.
    """
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.progress import Reporter
    from orchestrator.deployment.folder import read_values
    from orchestrator.deployment.hold import Holds
    from orchestrator.deployment.launch import Launch, find_up, launched, prepare
    from orchestrator.deployment.lease import renew
    from orchestrator.deployment.running import server_api
    from orchestrator.interruption import Interruption

    resolved = options.only_variant(options.load(profile, sets, to_start=not dry_run))
    name = name or resolved.name
    if dry_run:
        show_plan(resolved, name, as_json=as_json)
        return
    here = settings()
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter, Holds() as holds:
        engine = options.engine_swept(here)
        existing = find_up(engine, name)
        if existing is not None and _is_healthy(engine, existing, resolved):
            if ttl is not None:
                renew(existing.folder, ttl)
            reporter.line(f"{name} is up already")
            api = server_api(resolved, read_values(existing.folder))
        else:
            launch = Launch(engine, resolved, name, here.state, here.locks, here.cache, holds, here.environ, wait)
            ready = prepare(launch, [], reporter.phase, reporter.line)
            with launched(launch, ready, interruption, reporter.phase) as (guard, deployment):
                api = deployment.api
                guard.hand_over(ttl)
    if as_json or not quiet:
        _report(name, api, as_json=as_json)


def _is_healthy(engine: Engine, existing: Listed, profile: Profile) -> bool:
    """Say whether what is up is handed over, healthy and made from these container and server sections."""
    from orchestrator.deployment.folder import read_values
    from orchestrator.deployment.running import server_api
    from orchestrator.plan import labels
    from orchestrator.plan.container import serving_hash

    same = engine.find([f"{labels.LAUNCH}={existing.launch}", f"{labels.PROFILE_HASH}={serving_hash(profile)}"])
    if existing.tenure.owned or not same:
        return False
    return server_api(profile, read_values(existing.folder)).healthy()


def _report(name: str, api: Api, *, as_json: bool) -> None:
    from orchestrator.cli.output import emit, emit_json

    version = api.version()
    if as_json:
        emit_json("deployment", {"name": name, "url": api.url, "vllm_version": version, "state": "healthy"})
    else:
        emit(f"{name} is up at {api.url} (vLLM {version or 'of unknown version'})")

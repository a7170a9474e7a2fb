"""`orch status`: how one deployment is."""

from __future__ import annotations

import time
from typing import Any

from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.deployment.registry import choose, deployments
from orchestrator.engine import connect
from orchestrator.errors import ExitCode
from orchestrator.jobs import state


def status(name: str | None, as_json: bool) -> int:
    """Say how one deployment is: container, health, model, who wants it. Exit code 1 if it is not healthy."""
    engine = connect(settings().environ)
    found = state.status(engine, choose(deployments(engine), name))
    for fault in found.unreadable:
        say(fault.message)
    facts = _facts(found)
    if as_json:
        emit_json("status", facts)
    else:
        emit("\n".join(f"{key:<12} {'-' if value is None else value}" for key, value in facts.items()))
    return ExitCode.OK if found.healthy else ExitCode.RUN_FAILED


def _facts(found: state.Status) -> dict[str, Any]:
    listed, container = found.listed, found.container
    return {
        "name": listed.name,
        "profile": listed.profile,
        "healthy": found.healthy,
        "url": found.url,
        "model": found.model,
        "vllm_version": found.vllm_version,
        "container": listed.container[:12],
        "status": container.status,
        "exit_code": None if container.running else container.exit_code,
        "oom_killed": container.oom_killed,
        "started": container.started_at,
        "held": listed.held(time.time()),
        "holds": "; ".join(listed.holds_why),
    }

"""`orch gc`: what nobody wants any more goes."""

from __future__ import annotations

from orchestrator.cli.output import emit, emit_json
from orchestrator.cli.settings import settings
from orchestrator.deployment.registry import collect_garbage
from orchestrator.engine import connect


def gc(as_json: bool) -> None:
    """Remove deployments whose owner is dead or whose time is up, and nothing else."""
    here = settings()
    gone = collect_garbage(connect(here.environ), here.state)
    if as_json:
        emit_json("gc", {"removed": [{"name": item.name, "container": item.container[:12]} for item in gone]})
    else:
        emit("\n".join(f"removed {item.name} ({item.container[:12]})" for item in gone) or "nothing to clean")

"""`orch down`: the end of a deployment."""

from __future__ import annotations

from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.engine import connect
from orchestrator.errors import UsageError
from orchestrator.jobs import deployments
from orchestrator.text import Text


def down(name: str | None, everything: bool, force: bool, as_json: bool) -> None:
    """End a deployment: stop its server and remove its container."""
    if everything and name is not None:
        raise UsageError(Text("--all ends every deployment, {name} names one", name=name), "Give one or the other.")
    found, ended = deployments.down(connect(settings().environ), name, everything=everything, force=force)
    if found and not any(everything or name in (None, deployment.name) for deployment in found):
        say(f"no deployment is named {name}; there is {', '.join(deployment.name for deployment in found)}")
    if as_json:
        emit_json("down", {"ended": [deployment.name for deployment in ended]})
    else:
        emit(
            "\n".join(f"{deployment.name} is down" for deployment in ended)
            or ("nothing was ended" if found else "nothing was up")
        )

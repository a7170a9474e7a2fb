"""`orch down`: the end of a deployment."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.engine import connect
from orchestrator.jobs import deployments


@click.command()
@options.deployment_argument
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="End all deployments of this node that no living orch owns; with --force the others too.",
)
@click.option("--force", is_flag=True, help="Also if a living orch process owns or uses it.")
@options.json_output
def down(name: str | None, everything: bool, force: bool, as_json: bool) -> None:
    """End a deployment: stop its server and remove its container.

    Without NAME the only one there is. Nothing to end is no error, so that it can be called twice.
    """
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

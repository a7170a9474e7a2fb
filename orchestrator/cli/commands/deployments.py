"""Commands about what is up.

A declaration imports nothing that its command needs, so that help and completion answer at once; see `work`.
"""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.work import work


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
@work("orchestrator.cli.down:down")
def down() -> None:
    """End a deployment: stop its server and remove its container.

    Without NAME the only one there is. Nothing to end is no error, so that it can be called twice.
    """


@click.command()
@options.deployment_argument
@options.json_output
@work("orchestrator.cli.status:status")
def status() -> None:
    """Say how one deployment is: container, health, model, who wants it. Exit code 1 if it is not healthy."""


@click.command()
@options.json_output
@work("orchestrator.cli.ps:ps")
def ps() -> None:
    """List the deployments on this node: what is up, whose it is, since when and until when, what it holds and why."""


@click.command()
@options.deployment_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
@work("orchestrator.cli.logs:logs")
def logs() -> None:
    """Write the server's log to standard output, its secrets masked."""


@click.command()
@options.json_output
@work("orchestrator.cli.gc:gc")
def gc() -> None:
    """Remove deployments whose owner is dead or whose time is up, and nothing else."""

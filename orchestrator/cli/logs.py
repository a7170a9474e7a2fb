"""`orch logs`: what the server of a deployment has printed."""

from __future__ import annotations

import sys

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.deployment.log import read_log
from orchestrator.deployment.registry import choose, deployments
from orchestrator.engine import connect


@click.command()
@options.deployment_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
def logs(name: str | None, follow: bool, tail: int | None) -> None:
    """Write the server's log to standard output, its secrets masked."""
    engine = connect(settings().environ)
    deployment = choose(deployments(engine), name)
    for piece in read_log(engine, deployment.container, deployment.folder, follow=follow, tail=tail):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

"""`orch logs`: what the server of a deployment has printed."""

from __future__ import annotations

import sys

from orchestrator.cli.settings import settings
from orchestrator.deployment.log import read_log
from orchestrator.deployment.registry import choose, deployments
from orchestrator.engine import connect
from orchestrator.node.node import Member, Node


def logs(name: str | None, follow: bool, tail: int | None) -> None:
    """Write the server's log to standard output, its secrets masked."""
    here = settings()
    node = Node(connect(here.environ), here.locks)
    deployment = choose(deployments(node.engine), name)
    for piece in read_log(Member(node, deployment.container), deployment.folder, follow=follow, tail=tail):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

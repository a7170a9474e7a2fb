"""The place of a job: this user's folders, the node, and the listener for events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.deployment.hold import Holds
from orchestrator.deployment.launch import Launch
from orchestrator.deployment.registry import collect_garbage
from orchestrator.engine import Engine, connect
from orchestrator.events import Event, Listener, unheard
from orchestrator.folders import Folders
from orchestrator.interruption import Interruption
from orchestrator.node.node import Node
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.journal import Journal


@dataclass(frozen=True)
class Place:
    """One node as one user sees it, while jobs are done there."""

    folders: Folders
    node: Node
    holds: Holds
    """The hold that successive launches share; nobody else gets a study's devices between two servers."""
    interruption: Interruption
    listener: Listener
    journal: Journal

    @property
    def engine(self) -> Engine:
        """Return the node's engine."""
        return self.node.engine

    def tell(self, event: Event) -> None:
        """Tell the listener of an event, and write it into the run that is under way."""
        self.listener(event)
        self.journal(event)

    def launch(self, profile: Profile, name: str, wait_s: float | None) -> Launch:
        """Return a launch of a profile here; it queues for so many seconds for what others hold."""
        at = self.folders
        return Launch(self.node, profile, name, at.state, at.cache, self.holds, at.environ, wait_s)


@contextlib.contextmanager
def place(folders: Folders, tell: Listener = unheard, interruption: Interruption | None = None) -> Iterator[Place]:
    """Yield this node, after abandoned deployments were removed from its engine.

    Args:
        folders: Where this user's things lie.
        tell: Told what happens.
        interruption: The signals in force; none are caught unless given.
    """
    with Holds() as holds:
        node = Node(connect(folders.environ), folders.locks)
        collect_garbage(node.engine, folders.state)
        yield Place(folders, node, holds, interruption or Interruption(), tell, Journal())

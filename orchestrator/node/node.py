"""A node and what is on it, as values: whatever looks at a machine or at a server is told which one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine import Engine, State


@dataclass(frozen=True)
class Node:
    """One machine: its engine, its locks, and the files of its kernel."""

    engine: Engine
    locks: Path
    """Folder of the locks on its devices, which all users share."""
    root: Path = Path("/")
    """Where its files lie: sys, proc, dev and what profiles name."""

    def path(self, text: str) -> Path:
        """Return where a file of the node lies; one that is named by a relative path is where orch runs."""
        return self.root / text.lstrip("/") if text.startswith("/") else Path(text)


@dataclass(frozen=True)
class Member:
    """One container of a deployment, on its node."""

    node: Node
    container: str
    """Container id."""

    def state(self) -> State:
        """Return the state of the container; raise ContainerGone, EngineError."""
        return self.node.engine.state(self.container)

"""Events: what orch finds out while it works, each a frozen value with an id and fields.

One listener is told of each as it happens. A sentence is made of an event where a person reads it, and nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.errors import OrchError


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    id: ClassVar[str]
    """Names the kind of event, in the journal of a run and in JSON."""

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return dataclasses.asdict(self)


Listener = Callable[[Event], None]
"""Told of each event; it may come from another thread."""


def unheard(_event: Event) -> None:
    """Listen to nothing."""


@dataclass(frozen=True)
class Waiting(Event):
    """Somebody else holds what is needed, and it is waited for."""

    id: ClassVar[str] = "waiting"

    reason: str
    """Who holds what."""


@dataclass(frozen=True)
class Failed(Event):
    """Something failed, and the work goes on: a server that is started again, one server of a study."""

    id: ClassVar[str] = "failed"

    error: OrchError

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"error": type(self.error).__name__, **self.error.data()}

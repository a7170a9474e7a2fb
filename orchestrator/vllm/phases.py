"""The phases of a starting server, read from its log; one set of markers serves vLLM 0.8.5 to 0.33.

Sources: log statements of those releases and logs of real 0.8.5 and 0.32.0 servers.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.causes import PHASES
from orchestrator.events import Event


class Phase(enum.IntEnum):
    """How far a deployment has come; the order is the order in time."""

    IMAGE = 0
    CONTAINER = 1
    STARTING = 2
    WEIGHTS = 3
    MEMORY = 4
    GRAPHS = 5
    SERVING = 6
    READY = 7

    @property
    def label(self) -> str:
        """Return the word that people see."""
        return PHASES[self.name.lower()]


@dataclass(frozen=True)
class PhaseReached(Event):
    """A deployment has reached a phase, or has got on within it."""

    id: ClassVar[str] = "phase"

    phase: Phase
    detail: str = ""

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"phase": self.phase.name.lower(), "detail": self.detail}


_MARKERS = (
    (
        Phase.STARTING,
        re.compile(rb"vLLM (?:API )?server version|non-default args:|Automatically detected platform"),
    ),
    (Phase.WEIGHTS, re.compile(rb"Starting to load model|Loading safetensors checkpoint shards")),
    (
        Phase.MEMORY,
        re.compile(rb"Model loading took|Loading weights took|Memory profiling takes|KV cache size|# \w+ blocks:"),
    ),
    (
        Phase.GRAPHS,
        re.compile(rb"Capturing (?:CUDA|HIP)? ?graphs?|Dynamo bytecode transform time|torch\.compile (?:takes|took)"),
    ),
    (Phase.SERVING, re.compile(rb"init engine \(profile|Starting vLLM (?:API )?server|Available routes are")),
)
_SHARDS = re.compile(rb"checkpoint shards:\s+(\d+)% Completed")


def phase_of(line: bytes) -> Phase | None:
    """Return the phase that a log line announces, or None."""
    return next((phase for phase, marker in reversed(_MARKERS) if marker.search(line)), None)


def shards_loaded(line: bytes) -> int | None:
    """Return the percentage of weight shards that a progress line reports, or None."""
    match = _SHARDS.search(line)
    return int(match[1]) if match else None

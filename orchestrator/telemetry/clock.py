"""One clock for all samplers: monotonic, with the wall-clock time at which it began."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """A monotonic clock that begins at 0, and the time of day at that moment."""

    wall: float
    """Seconds since the epoch."""
    monotonic: float

    def now(self) -> float:
        """Return seconds since the beginning; a step of the time of day does not change it."""
        return time.monotonic() - self.monotonic

    def drift_s(self) -> float:
        """Return by how much the time of day has been stepped or slewed against this clock since the beginning."""
        return time.time() - self.wall - self.now()


def started() -> Clock:
    """Return a clock that begins now."""
    return Clock(time.time(), time.monotonic())

"""The journal of a run: every event as a line of JSON, with the time at which it happened.

`time` is UTC; `clock_s` is the node's monotonic clock, which no adjustment of the time moves. Events that come before
their run is on disk are kept for it. A journal that cannot be written harms no run.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import IO

from orchestrator.events import Event
from orchestrator.runs.clock import now
from orchestrator.runs.run import Run

FILE = "events.jsonl"


class Journal:
    """A listener that writes what it is told into the run that is under way."""

    def __init__(self) -> None:
        """Begin without a run."""
        self._early: list[str] = []
        self._file: IO[str] | None = None
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write an event, or keep it for the run that comes."""
        line = json.dumps({"time": now(), "clock_s": round(time.monotonic(), 3), "event": event.id, **event.data()})
        with self._lock:
            if self._file is None:
                self._early.append(line)
            else:
                self._write(line)

    @contextlib.contextmanager
    def of(self, directory: Run) -> Iterator[None]:
        """Write into a run while the context lasts, first what came before it."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError), self._lock:
                self._file = stack.enter_context((directory.path / FILE).open("a", encoding="utf-8"))
                for line in self._early:
                    self._write(line)
                self._early.clear()
            try:
                yield
            finally:
                with self._lock:
                    self._file = None

    def _write(self, line: str) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(line + "\n")
                self._file.flush()

"""The watch over a server that is being measured: whether it has died, and whether it hangs or is only slow.

A server is dead if it refuses connections, if /health answers with an error, or if its container has ended. A server
that does not answer in time is not dead: on a busy node that is common. It hangs if a client waits and no token has
come for longer than the profile allows, whether or not the server reports requests. A client that still makes its
prompts, or pauses between requests, does not wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.text import Text
from orchestrator.units import format_duration
from orchestrator.vllm.api import Api, Health
from orchestrator.vllm.counters import Load, Served, read_load, read_served

LOOK_S = 0.5
"""How often /health is asked."""
PROGRESS_S = 2.0
"""How often /metrics is asked."""
QUIET_S = 10.0
"""After so long without a token, the client is asked at every look at /metrics whether it waits.

The time of its last token is then known to within this time.
"""


class Watch:
    """Looks at a server now and then, cheaply, when asked often."""

    def __init__(self, api: Api, stall_s: float) -> None:
        self._api = api
        self._stall_s = stall_s
        self.reset()

    def reset(self) -> None:
        """Begin anew, with a server that is healthy at this moment."""
        now = time.monotonic()
        self._next_look = now + LOOK_S
        self._next_progress = now + PROGRESS_S
        self._tokens: float | None = None
        self._progressed = now
        self.peak: Load | None = None
        """The highest load seen so far, each figure by itself; None if there was no look."""

    def problem(self, client_waits: Callable[[], bool] = lambda: True) -> str | None:
        """Return what is wrong with the server, or None; asks it at most once in `LOOK_S`.

        Args:
            client_waits: Asked whether a client has a request under way, where no token has come for a while.
        """
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + LOOK_S
        health = self._api.health()
        match health:
            case Health.REFUSED:
                return "the server no longer accepts connections"
            case Health.ERROR:
                return "the server says that its engine is dead"
            case Health.OK | Health.SILENT:
                return self._stalled(now, client_waits, answers=health is Health.OK)

    def _stalled(self, now: float, client_waits: Callable[[], bool], *, answers: bool) -> str | None:
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_S
            totals = self._api.samples()
            if totals is not None:
                self._look(read_load(totals), read_served(totals), now)
            elif answers:
                self._progressed = now  # it lives and does not say, so nothing can be said of its requests
            self._look_at_client(now, client_waits, after_s=min(QUIET_S, self._stall_s))
        self._look_at_client(now, client_waits, after_s=self._stall_s)
        silent = now - self._progressed
        if silent < self._stall_s:
            return None
        return Text(
            "the server hangs: a client is waiting, and no token has come for {silent}", silent=format_duration(silent)
        )

    def _look_at_client(self, now: float, client_waits: Callable[[], bool], *, after_s: float) -> None:
        """Restart the clock of a silent server if no client waits: the client makes its prompts, or pauses."""
        if now - self._progressed >= after_s and not client_waits():
            self._progressed = now

    def _look(self, load: Load, served: Served, now: float) -> None:
        tokens = served.prompt_tokens + served.generation_tokens
        if tokens != self._tokens:
            self._tokens, self._progressed = tokens, now
        before = self.peak.model_dump() if self.peak else {}
        self.peak = Load(**{name: max(value, before.get(name, value)) for name, value in load.model_dump().items()})

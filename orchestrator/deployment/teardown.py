"""Teardown: removes every container with the launch's label; it may run several times, or twice at once.

It trusts no list of its own, because an interrupted create call may still have made a container. It lists the engine's
containers, stopped and created ones included, until no new one has appeared for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.engine import Engine, Found
from orchestrator.errors import EngineError, TeardownIncomplete
from orchestrator.plan import labels
from orchestrator.text import Text

GRACE_S = 3.0
"""How long a server may take to end by itself; vLLM needs half a second."""
POLL_S = 0.25
SHORT_POLL_S = 0.02
DEADLINE_S = 60.0
SILENT_S = 10.0
"""How long an engine that does not answer is waited for; the watchdog waits far longer."""


def teardown(
    engine: Engine,
    launch: str,
    *,
    hurry: Callable[[], bool] = lambda: False,
    quiet_s: float = 0.0,
    deadline_s: float = DEADLINE_S,
    silent_s: float = SILENT_S,
) -> list[str]:
    """Remove every container of a launch and return their ids.

    Args:
        engine: The engine they are on.
        launch: Value of the launch label.
        hurry: Asked before each container; when true it is killed without grace.
        quiet_s: How long nothing must have shown up before it counts as done; longer than a create call may take
            when one may still be under way.
        deadline_s: After this long the teardown gives up.
        silent_s: After this long without an answer of the engine it gives up as well.

    Raises:
        TeardownIncomplete: With the ids and the command that ends them by hand.
    """
    end = time.monotonic() + deadline_s
    quiet_since = answered = time.monotonic()
    removed: list[str] = []
    problem: EngineError | None = None
    while True:
        found: list[Found] = []
        try:
            found = engine.find([f"{labels.LAUNCH}={launch}"])
            for container in found:
                engine.remove(container.id, 0.0 if hurry() or container.status == "created" else GRACE_S)
                removed += [] if container.id in removed else [container.id]
            problem = None
        except EngineError as error:
            problem = error
        now = time.monotonic()
        answered = answered if problem else now
        if found or problem:
            quiet_since = now
        if not found and problem is None and now - quiet_since >= quiet_s:
            return removed
        if now >= end or now - answered >= silent_s:
            raise incomplete([container.id for container in found], launch, problem)
        time.sleep(POLL_S if problem is not None or quiet_s > 0 else SHORT_POLL_S)


def incomplete(ids: list[str], launch: str, problem: EngineError | None) -> TeardownIncomplete:
    """Return the error that names what may still be there and the command that ends it."""
    by_label = f"docker rm -f $(docker ps -aq --filter label={labels.LAUNCH}={launch})"
    by_id = f"docker rm -f {' '.join(container[:12] for container in ids)}"
    reason = f": {problem.message}" if problem else ""
    what = ", ".join(container[:12] for container in ids) or f"containers of launch {launch}"
    return TeardownIncomplete(
        Text("teardown is incomplete, {what} may still be there{reason}", what=what, reason=reason),
        by_id if ids else by_label,
    )

"""Why a server failed: the state of its container and its log, judged by the diagnosis.

The rules of the diagnosis are imported only when something has failed: every start would pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.deployment.log import read_log
from orchestrator.errors import EngineError, EnvironmentFault, ServerFailed

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.engine import Engine

LOOKED_AT = 200_000
"""Lines of the log's end that are looked at; the root cause of a start lies in the first few hundred."""


def server_failed(
    engine: Engine,
    container: str,
    folder: Path,
    doing: str,
    log_path: Path,
    noticed: str = "",
    *,
    timed_out: bool = False,
) -> ServerFailed:
    """Return the error that says how a server failed, in which phase, why, what to try, and where its log is.

    Args:
        engine: The engine that its container is on; if that is gone, this is what the error says.
        container: The container's id.
        folder: The deployment's folder.
        doing: What the server was doing, in words.
        log_path: Where the log lies or will lie.
        noticed: What was noticed of it, if that says more than the state of its container.
        timed_out: It was not healthy when its time was up.
    """
    from orchestrator.diagnosis import Evidence, diagnose, render, summary  # noqa: PLC0415 - see the module

    try:
        state = engine.state(container)
        this_start = read_log(engine, container, folder, follow=False, tail=LOOKED_AT, since=state.output_since)
        log = b"".join(this_start)
    except EngineError as error:
        what = noticed or "the server failed"
        return ServerFailed(f"{what} while {doing}, and the engine cannot say more: {error.message}", error.hint)
    evidence = Evidence(
        phase=doing,
        exit_code=None if state.running else state.exit_code,
        oom_killed=state.oom_killed,
        log=log,
        timed_out=timed_out and state.running,
    )
    found = diagnose(evidence)
    what = f"{noticed} while {doing}" if noticed and state.running else summary(evidence)
    if found.is_known:
        what = f"{what}: {found.title}"
    return ServerFailed("\n".join(render(found, what, log_path)))


def engine_refused(error: EnvironmentFault) -> EnvironmentFault:
    """Return the engine's refusal to make or start a container, with its cause if that is known by name."""
    from orchestrator.diagnosis import Evidence, diagnose, render  # noqa: PLC0415 - see the module

    found = diagnose(Evidence(engine_error=error.message))
    if not found.is_known:
        return error
    return EnvironmentFault("\n".join(render(found, f"the Docker engine refused the container: {found.title}")))

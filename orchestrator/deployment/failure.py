"""Why a server failed, told from the state of its container and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.deployment.log import read_log
from orchestrator.errors import EngineError, ServerFailed

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.engine import Engine

LOOKED_AT = 20_000
"""Lines of the log's end that are looked at."""
SHOWN_LINES = 15


def server_failed(engine: Engine, container: str, folder: Path, what: str, doing: str, log_path: Path) -> ServerFailed:
    """Return the error that says how a server failed.

    Args:
        engine: The engine that its container is on; if that is gone, this is what the error says.
        container: The container's id.
        folder: The deployment's folder.
        what: What was noticed.
        doing: What the server was doing, in words.
        log_path: Where the log lies or will lie.
    """
    try:
        state = engine.state(container)
        log = b"".join(read_log(engine, container, folder, follow=False, tail=LOOKED_AT))
    except EngineError as error:
        return ServerFailed(f"{what} while {doing}, and the engine cannot say more: {error.message}", error.hint)
    lines = [line for line in log.decode(errors="replace").splitlines() if line.strip()]
    if state.oom_killed:
        what = f"{what}: it was killed for memory"
    elif not state.running:
        what = f"{what}: it exited with code {state.exit_code} {state.error}".rstrip()
    shown = "".join(f"\n  | {line}" for line in lines[-SHOWN_LINES:])
    return ServerFailed(f"{what}, while {doing}{shown}", f"The whole log: {log_path}")

"""The wait for a server to become healthy: it ends when it is, when its container has ended, or when time is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tenacity
from tenacity.stop import stop_base

from orchestrator.errors import ServerFailed
from orchestrator.profile.units import format_duration

if TYPE_CHECKING:
    from orchestrator.deployment.log import ServerLog
    from orchestrator.engine import Engine
    from orchestrator.vllm.api import Api, ServedModel

POLL_S = 0.1
SHOWN_LINES = 15


class _stop_when_ended(stop_base):  # noqa: N801 - named as tenacity names its stop rules
    def __init__(self, log: ServerLog) -> None:
        self._log = log

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:  # noqa: ARG002 - the rule's signature
        return self._log.ended.is_set()


def wait_until_healthy(engine: Engine, container: str, api: Api, log: ServerLog, deadline_s: float) -> None:
    """Return as soon as the server answers `/health` with 200.

    Raises:
        ServerFailed: When the container has ended first or the deadline has passed; with the log's last lines.
        EngineError: When the engine is gone.
    """
    wait = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda healthy: not healthy),
        stop=_stop_when_ended(log) | tenacity.stop_after_delay(deadline_s),
        wait=tenacity.wait_fixed(POLL_S),
    )
    try:
        wait(api.healthy)
    except tenacity.RetryError:
        raise failure(engine, container, log, deadline_s) from None


def failure(engine: Engine, container: str, log: ServerLog, deadline_s: float) -> ServerFailed:
    """Return why the server is not healthy, from the state of its container and the end of its log."""
    state = engine.state(container)
    if state.running and log.problem is not None:
        raise log.problem
    if state.running:
        what = f"the server was not healthy after {format_duration(deadline_s)}; it was {log.phase.label}"
        advice = "If it was still making progress, raise health.deadline."
    elif state.oom_killed:
        what = f"the server was killed for memory while {log.phase.label} (exit code {state.exit_code})"
        advice = "Raise container.memory, or free memory on the node."
    else:
        what = f"the server exited with code {state.exit_code} while {log.phase.label}"
        advice = f"{state.error}\n".lstrip()
    lines = "\n".join(f"  | {line}" for line in log.tail(SHOWN_LINES))
    return ServerFailed(
        f"{what}\n{lines}" if lines else what, f"{advice}The whole log: {log.path}".replace(".The", ".\nThe")
    )


def check_identity(api: Api, served_model: str) -> ServedModel:
    """Return the model that the server offers under our name; raise ServerFailed if it offers another."""
    offered = api.models()
    found = next((model for model in offered if model.id == served_model), None)
    if found is None:
        answer = ", ".join(model.id for model in offered) or "no model at all"
        raise ServerFailed(
            f"the server at {api.url} offers {answer}, not {served_model}",
            "Another server may be listening there; choose a free server.port.",
        )
    return found

"""Waiting for what somebody else has: the deployment that is in use, the accelerators that are held."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchestrator.errors import Busy
from orchestrator.events import Listener, Waiting

T = TypeVar("T")
POLL_S = 0.5


def queued(attempt: Callable[[], T], wait_s: float | None, tell: Listener) -> T:
    """Return what an attempt returns, made again while somebody else has it.

    Args:
        attempt: Raises Busy if somebody else has it.
        wait_s: How long to wait; None does not wait.
        tell: Told once why there is a wait.

    Raises:
        Busy: The attempt's own, at once or when the wait is over.
    """
    import tenacity  # noqa: PLC0415 - a command that never waits, such as `orch ps`, does not pay for it

    def told(state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            tell(Waiting(str(state.outcome.exception())))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Busy),
        wait=tenacity.wait_fixed(POLL_S),
        stop=tenacity.stop_after_delay(wait_s or 0.0),
        before_sleep=told,
        reraise=True,
    )
    return retrying(attempt)

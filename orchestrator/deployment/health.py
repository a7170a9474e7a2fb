"""Waits for a server to become healthy, until its container has ended or the deadline has passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.deployment.failure import server_failed
from orchestrator.deployment.log import ServerLog
from orchestrator.errors import ServerFailed
from orchestrator.node.node import Member
from orchestrator.text import Text
from orchestrator.vllm.api import Api, ServedModel

POLL_S = 0.1
"""How long apart the looks at `/health` are at most; until the server listens, its port refuses the connection."""
FIRST_S = 0.01
LATE = 0.01
"""The part of the time waited so far by which health may be noticed late, with looks between FIRST_S and POLL_S."""


def wait_until_healthy(
    member: Member,
    folder: Path,
    api: Api,
    log: ServerLog,
    deadline_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Return as soon as the server answers `/health` with 200.

    Args:
        member: The server's container.
        folder: The deployment's folder.
        api: Where the server will answer.
        log: Its log, followed.
        deadline_s: How long it may take.
        meanwhile: Called several times a second; an exception from it ends the wait.

    Raises:
        ServerFailed: The container has ended first or the deadline has passed; the error gives the log's cause.
        EngineError: The engine is gone.
    """
    began = time.monotonic()
    while True:
        meanwhile()
        if api.healthy():
            return
        waited = time.monotonic() - began
        if log.ended.is_set() or waited >= deadline_s:
            break
        log.ended.wait(min(max(FIRST_S, LATE * waited), POLL_S))
    if log.problem is not None:
        raise log.problem
    timed_out = not log.ended.is_set()
    raise server_failed(member, folder, log.phase, log.path, timed_out=timed_out)


def check_identity(api: Api, served_model: str) -> ServedModel:
    """Return the model that the server offers under our name; raise ServerFailed if it offers another."""
    offered = api.models()
    found = next((model for model in offered if model.id == served_model), None)
    if found is None:
        answer = ", ".join(model.id for model in offered) or "no model at all"
        raise ServerFailed(
            Text(
                "the server at {url} offers {answer}, not {served_model}",
                url=api.url,
                answer=answer,
                served_model=served_model,
            ),
            "Another server may be listening there; choose a free server.port.",
        )
    return found

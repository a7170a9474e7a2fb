"""The state of a deployment: its container, its server's health, its owner, and its hold."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.deployment.attach import serving
from orchestrator.deployment.folder import read_values
from orchestrator.deployment.registry import Listed
from orchestrator.deployment.running import server_api
from orchestrator.engine import Engine, State
from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.vllm.api import Api


@dataclass(frozen=True)
class Status:
    """What can be said of one deployment at this moment."""

    listed: Listed
    container: State
    healthy: bool
    url: str | None
    """Where its server answers; None where nothing is recorded of it, or its record is another user's."""
    model: str | None
    """The first that it serves."""
    vllm_version: str | None
    unreadable: tuple[EnvironmentFault, ...]
    """Why something could not be looked at."""


def status(engine: Engine, listed: Listed) -> Status:
    """Return the state of a deployment, as far as this user may read it; another user's server is asked without key."""
    state = engine.state(listed.container)
    api, unreadable = _api(listed)
    healthy = state.running and api is not None and api.healthy()
    models = api.models() if api is not None and healthy else []
    return Status(
        listed=listed,
        container=state,
        healthy=healthy,
        url=api.url if api is not None else None,
        model=models[0].id if models else None,
        vllm_version=api.version() if api is not None and healthy else None,
        unreadable=unreadable,
    )


def _api(listed: Listed) -> tuple[Api | None, tuple[EnvironmentFault, ...]]:
    """Return how the server is asked, None where nothing is recorded, and what could not be looked at."""
    try:
        profile = serving(listed).profile
    except UsageError:
        return None, ()
    except EnvironmentFault as fault:
        return None, (fault,)
    try:
        return server_api(profile, read_values(listed.folder)), ()
    except EnvironmentFault as fault:
        return server_api(profile, {}), (fault,)

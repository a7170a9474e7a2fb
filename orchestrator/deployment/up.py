"""Bringing a deployment up: image, container, health, in this order, each step reported as it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.deployment.failure import engine_refused
from orchestrator.deployment.folder import read_values
from orchestrator.deployment.groups import with_known_groups
from orchestrator.deployment.health import check_identity, wait_until_healthy
from orchestrator.deployment.log import ServerLog
from orchestrator.errors import EnvironmentFault, ImageMissing
from orchestrator.plan.container import container_spec
from orchestrator.plan.docker_run import docker_run_line
from orchestrator.vllm.api import Api
from orchestrator.vllm.flags import api_key, served_model
from orchestrator.vllm.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.accelerators import Held
    from orchestrator.deployment.guard import Guard
    from orchestrator.engine import ImageFacts
    from orchestrator.plan.container import Identity
    from orchestrator.profile.schema import Profile

    Progress = Callable[[Phase, str], None]
    """Told each phase as it begins, and details within it."""
    OnStarted = Callable[[str], Callable[[], None]]
    """Told the container's id as soon as it runs; what it returns is called several times a second until the server is
    healthy, and what that raises ends the wait."""


@dataclass(frozen=True)
class Deployment:
    """A healthy server in its container."""

    identity: Identity
    container: str
    """Container id."""
    image: ImageFacts
    docker_run: str
    """The line that makes the same container by hand."""
    api: Api
    vllm_version: str | None
    """As the server says."""
    max_model_len: int | None
    """Longest context in tokens, as the server says."""


def bring_up(
    guard: Guard,
    profile: Profile,
    held: Held,
    image: ImageFacts,
    log_path: Path,
    progress: Progress,
    on_started: OnStarted,
) -> Deployment:
    """Return the deployment once it is healthy.

    Whatever goes wrong, the container may exist by then; the guard removes it.

    Raises:
        EngineError, EnvironmentFault: Before a server runs.
        ServerFailed: When it exits, stays unhealthy, or is another one.
    """
    engine, identity, server = guard.engine, guard.identity, profile.server
    progress(Phase.CONTAINER, identity.container)
    spec = with_known_groups(guard, container_spec(profile, identity, held))
    try:
        container = guard.create(spec)
        engine.start(container)
    except ImageMissing:
        raise
    except EnvironmentFault as error:
        raise engine_refused(error) from error
    log = ServerLog(log_path, progress)
    log.follow(engine, container, Path(identity.folder))
    meanwhile = on_started(container)
    api = server_api(profile, read_values(Path(identity.folder)))
    wait_until_healthy(engine, container, Path(identity.folder), api, log, profile.health.deadline, meanwhile)
    model = check_identity(api, served_model(server.model, server.flags))
    progress(Phase.READY, api.url)
    return Deployment(identity, container, image, docker_run_line(spec), api, api.version(), model.max_model_len)


def server_api(profile: Profile, secrets: Mapping[str, str]) -> Api:
    """Return where the server of a profile answers, and with which key; one on all addresses is asked on this node."""
    server = profile.server
    key = api_key(server.flags, {**profile.container.env, **server.env, **secrets})
    if key is not None and not (key.isascii() and key.isprintable()):
        raise EnvironmentFault(
            "the server's API key has characters that no HTTP header can carry", "Is there a line break at its end?"
        )
    return Api(server.reached_at, server.port, key=key)

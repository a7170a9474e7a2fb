"""A launch from the profile to the healthy server, under guard from before its container exists."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.deployment.failure import engine_refused
from orchestrator.deployment.folder import (
    Record,
    logs_folder,
    make_deployment_folder,
    new_identity,
    read_values,
    write_record,
)
from orchestrator.deployment.groups import with_known_groups
from orchestrator.deployment.guard import Guard, guarded
from orchestrator.deployment.health import check_identity, wait_until_healthy
from orchestrator.deployment.hold import Hold, Holds
from orchestrator.deployment.log import ServerLog
from orchestrator.deployment.registry import Listed, deployments
from orchestrator.deployment.running import Deployment, server_api
from orchestrator.engine import Engine, ImageFacts
from orchestrator.errors import Busy, EnvironmentFault, ImageMissing
from orchestrator.files import make_folder
from orchestrator.images.pull import ensure_image
from orchestrator.images.question import known_parsers
from orchestrator.interruption import Interruption
from orchestrator.node.preflight import check_node, check_port
from orchestrator.node.surroundings import held_on
from orchestrator.plan.claims import Held
from orchestrator.plan.container import container_spec
from orchestrator.plan.docker_run import docker_run_line
from orchestrator.profile.flags import warnings
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.secrets import read_secrets
from orchestrator.runs.directory import RunDirectory
from orchestrator.vllm.flags import served_model
from orchestrator.vllm.phases import Phase

Progress = Callable[[Phase, str], None]
"""Told each phase as it begins, and details within it."""
OnStarted = Callable[[str], Callable[[], None]]
"""Told the container's id as soon as it runs; what it returns is called several times a second until the server is
healthy, and what that raises ends the wait."""


@dataclass(frozen=True)
class Launch:
    """What is to be launched, and with what at hand."""

    engine: Engine
    profile: Profile
    name: str
    """Name of the deployment."""
    state: Path
    """State folder of this user on this node."""
    locks: Path
    """Folder of the node's locks, which all users share."""
    cache: Path
    """Folder of what is known about images."""
    holds: Holds
    """What the launch before this one, if there was one, has not let go yet."""
    environ: Mapping[str, str]
    """Environment that secrets are read from, and that the watchdog gets."""
    wait_s: float | None = None
    """How long to queue for what others hold."""


def find_up(engine: Engine, name: str) -> Listed | None:
    """Return the deployment of a name, if there is one."""
    return next((found for found in deployments(engine) if found.name == name), None)


def refuse_if_up(engine: Engine, name: str) -> None:
    """Raise Busy if a deployment of that name exists."""
    found = find_up(engine, name)
    if found is not None:
        raise Busy(
            f"the deployment {name} exists ({found.status}, {found.held(time.time())})",
            f"orch down {name}   or choose another name with --name",
        )


@dataclass(frozen=True)
class Prepared:
    """What was found in order before anything is made."""

    held: Held
    """What the launch keeps for itself."""
    hold: Hold
    image: ImageFacts
    secrets: Mapping[str, str] = field(repr=False)
    """Values by variable name."""


def prepare(launch: Launch, folders: Sequence[Path], progress: Progress, say: Callable[[str], None]) -> Prepared:
    """Check everything that can be checked, hold what the launch needs for itself, and get the image.

    Args:
        launch: What is to be launched.
        folders: Where results and logs will be written.
        progress: Told how the image comes.
        say: Told whom the launch has to wait for, and which flags the image's vLLM is known not to take.

    Raises:
        EnvironmentFault: When the node is not what the profile asks for; all that is missing at once.
        Busy: When somebody else holds what is needed, or the name.
    """
    profile, server = launch.profile, launch.profile.server
    check_node(profile, launch.state, *folders)
    secrets = read_secrets(profile, launch.environ)
    who = f"{_user()}, pid {os.getpid()}, deployment {launch.name}"
    held = held_on(launch.engine, profile)
    hold = launch.holds.take(held.names, launch.locks, launch.engine, who, launch.wait_s, say)
    refuse_if_up(launch.engine, launch.name)
    check_port(server.host, server.port)
    progress(Phase.IMAGE, profile.container.image)
    image = ensure_image(
        launch.engine, profile.container, profile.health.deadline, lambda text: progress(Phase.IMAGE, text)
    )
    for line in warnings(profile, known_parsers(launch.cache, profile, image)):
        say(f"warning: {line}")
    return Prepared(held, hold, image, secrets)


@contextlib.contextmanager
def launched(
    launch: Launch,
    ready: Prepared,
    interruption: Interruption,
    progress: Progress,
    run: RunDirectory | None = None,
    on_started: OnStarted = lambda _: lambda: None,
) -> Iterator[tuple[Guard, Deployment]]:
    """Yield the guard and the healthy deployment; it is torn down on the way out unless it was handed over.

    Args:
        launch: What is to be launched.
        ready: What was prepared for it.
        interruption: The signals in force.
        progress: Told each phase.
        run: Run directory that gets the server's log, and that is marked when orch is killed.
        on_started: Told the container's id as soon as it runs; returns what is to be done while the server starts.
    """
    identity = new_identity(launch.state, launch.name)
    folder = make_deployment_folder(launch.state, identity, launch.profile, ready.secrets)
    record = Record(
        name=launch.name,
        launch=identity.launch,
        user=_user(),
        pid=os.getpid(),
        started=time.time(),
        engine=launch.engine.url,
        profile=launch.profile.name,
        run=str(run.path) if run else None,
        holds_why=ready.held.why,
    )
    write_record(folder, record)
    logs = make_folder(logs_folder(launch.state))
    server_log = run.fresh_server_log() if run else logs / f"{launch.name}-{identity.launch}.log"
    path = run.path if run else None
    with guarded(
        launch.engine, identity, interruption, launch.environ, logs / "watchdog.log", ready.hold, path
    ) as guard:
        deployment = bring_up(guard, launch.profile, ready.held, ready.image, server_log, progress, on_started)
        seen = {
            "container": deployment.container,
            "docker_run": deployment.docker_run,
            "vllm_version": deployment.vllm_version,
        }
        write_record(folder, record.model_copy(update=seen))
        yield guard, deployment


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


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no entry in the password database
        return str(os.getuid())

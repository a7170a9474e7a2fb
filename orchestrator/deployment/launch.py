"""A launch from the profile to the healthy server, under guard from before its container exists."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from orchestrator.deployment.failure import engine_refused
from orchestrator.deployment.folder import (
    Record,
    logs_folder,
    make_deployment_folder,
    new_identity,
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
from orchestrator.events import Event, Listener
from orchestrator.files import make_folder, sync_files
from orchestrator.images.pull import ensure_image
from orchestrator.images.question import known_parsers
from orchestrator.interruption import Interruption
from orchestrator.node.node import Member, Node
from orchestrator.node.preflight import check_node, check_port
from orchestrator.node.surroundings import held_on
from orchestrator.plan.claims import Held
from orchestrator.plan.container import ContainerSpec, container_spec
from orchestrator.plan.docker_run import docker_run_line
from orchestrator.profile.flags import warnings
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.secrets import read_secrets
from orchestrator.runs.run import Run
from orchestrator.text import Text
from orchestrator.vllm.api import Api
from orchestrator.vllm.flags import served_model
from orchestrator.vllm.phases import Phase, PhaseReached


@dataclass(frozen=True)
class FlagDoubted(Event):
    """A flag that the image's vLLM is known not to take."""

    id: ClassVar[str] = "flag-doubted"

    reason: str


@dataclass(frozen=True)
class Launch:
    """A profile to launch, with the node, the folders and the environment that the launch needs."""

    node: Node
    profile: Profile
    name: str
    """Name of the deployment."""
    state: Path
    """State folder of this user on this node."""
    cache: Path
    """Folder of what is known about images."""
    holds: Holds
    """The hold that an earlier launch of the same job has not released yet."""
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
            Text(
                "the deployment {name} exists ({status}, {held})",
                name=name,
                status=found.status,
                held=found.held(time.time()),
            ),
            Text("orch down {name}   or choose another name with --name", name=name),
        )


@dataclass(frozen=True)
class Prepared:
    """A launch whose preconditions hold: nothing is created yet."""

    held: Held
    """What the launch keeps for itself."""
    hold: Hold
    image: ImageFacts
    secrets: Mapping[str, str] = field(repr=False)
    """Values by variable name."""


def prepare(launch: Launch, folders: Sequence[Path], tell: Listener) -> Prepared:
    """Check the node, hold the launch's devices and pull the image, before anything is created.

    Args:
        launch: What is to be launched.
        folders: Where results and logs will be written.
        tell: Told of a wait for another holder, of the pull, and of flags that the image's vLLM is known to refuse.

    Raises:
        EnvironmentFault: The node lacks something that the profile asks for; the error lists all of it.
        Busy: Somebody else holds a device that the launch needs, or the deployment's name.
    """
    profile, server = launch.profile, launch.profile.server
    check_node(launch.node, profile, launch.state, *folders)
    secrets = read_secrets(profile, launch.environ)
    who = f"{_user()}, pid {os.getpid()}, deployment {launch.name}"
    held = held_on(launch.node, profile)
    hold = launch.holds.take(held.names, launch.node, who, launch.wait_s, tell)
    refuse_if_up(launch.node.engine, launch.name)
    check_port(server.host, server.port)
    image = ensure_image(launch.node.engine, profile.container, profile.health.deadline, tell)
    for reason in warnings(profile, known_parsers(launch.cache, profile, image)):
        tell(FlagDoubted(reason))
    return Prepared(held, hold, image, secrets)


@dataclass(frozen=True)
class Starting:
    """A server whose container runs, and that may become healthy."""

    guard: Guard
    member: Member
    api: Api
    """Where it will answer."""
    _launch: Launch
    _ready: Prepared
    _docker_run: str
    _log: ServerLog
    _record: Record
    _tell: Listener

    def healthy(self, meanwhile: Callable[[], None] = lambda: None) -> Deployment:
        """Return the deployment once it is healthy.

        Args:
            meanwhile: Called several times a second; what it raises ends the wait.

        Raises:
            ServerFailed: When the server exits, stays unhealthy, or is another one.
        """
        profile, identity = self._launch.profile, self.guard.identity
        folder = Path(identity.folder)
        wait_until_healthy(self.member, folder, self.api, self._log, profile.health.deadline, meanwhile)
        model = check_identity(self.api, served_model(profile.server.model, profile.server.flags))
        version = self.api.version()
        self._tell(PhaseReached(Phase.READY, self.api.url))
        seen = {"container": self.member.container, "docker_run": self._docker_run, "vllm_version": version}
        write_record(folder, self._record.model_copy(update=seen))
        return Deployment(
            identity, (self.member,), self._ready.image, self._docker_run, self.api, version, model.max_model_len
        )


@contextlib.contextmanager
def launched(
    launch: Launch, ready: Prepared, interruption: Interruption, tell: Listener, run: Run | None = None
) -> Iterator[Starting]:
    """Yield the server as soon as its container runs; tear it down on the way out unless it was handed over.

    An error may leave a container behind, and the guard removes it.

    Args:
        launch: What is to be launched.
        ready: What was prepared for it.
        interruption: The signals in force.
        tell: Told each phase.
        run: Run directory that gets the server's log, and that is marked when orch is killed.

    Raises:
        EngineError, EnvironmentFault: Before a server runs.
    """
    identity = new_identity(launch.state, launch.name)
    folder = make_deployment_folder(launch.state, identity, launch.profile, ready.secrets)
    record = Record(
        name=launch.name,
        launch=identity.launch,
        user=_user(),
        pid=os.getpid(),
        started=time.time(),
        engine=launch.node.engine.url,
        profile=launch.profile.name,
        run=str(run.path) if run else None,
        holds_why=ready.held.why,
    )
    write_record(folder, record, synced=False)
    logs = make_folder(logs_folder(launch.state))
    server_log = run.fresh_server_log() if run else logs / f"{launch.name}-{identity.launch}.log"
    path = run.path if run else None
    with guarded(
        launch.node.engine, identity, interruption, launch.environ, logs / "watchdog.log", ready.hold, path
    ) as guard:
        tell(PhaseReached(Phase.CONTAINER, identity.container))
        spec = with_known_groups(guard, container_spec(launch.profile, identity, ready.held))
        member = Member(launch.node, _started(guard, spec))
        log = ServerLog(server_log, tell)
        log.follow(member, folder)
        sync_files(folder)  # a power cut before this ends the server too; now the server takes its own time
        api = server_api(launch.profile, ready.secrets)
        yield Starting(guard, member, api, launch, ready, docker_run_line(spec), log, record, tell)


def _started(guard: Guard, spec: ContainerSpec) -> str:
    """Create and start the container and return its id; raise EnvironmentFault with the cause if the engine refuses."""
    try:
        container = guard.create(spec)
        guard.engine.start(container)
    except ImageMissing:
        raise
    except EnvironmentFault as error:
        raise engine_refused(error) from error
    return container


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no entry in the password database
        return str(os.getuid())

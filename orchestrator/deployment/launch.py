"""A launch from the profile to the healthy server, under guard from before its container exists."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.accelerators import held_by
from orchestrator.atomic import make_folder
from orchestrator.deployment.ask import known_parsers
from orchestrator.deployment.folder import Record, logs_folder, make_deployment_folder, new_identity, write_record
from orchestrator.deployment.guard import Guard, guarded
from orchestrator.deployment.preflight import check_node, check_port, ensure_image
from orchestrator.deployment.registry import Listed, deployments
from orchestrator.deployment.up import Deployment, bring_up
from orchestrator.errors import Busy
from orchestrator.profile.flags import warnings
from orchestrator.profile.secrets import read_secrets
from orchestrator.vllm.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.deployment.hold import Hold, Holds
    from orchestrator.deployment.up import OnStarted, Progress
    from orchestrator.engine import Engine, ImageFacts
    from orchestrator.interruption import Interruption
    from orchestrator.profile.schema import Profile
    from orchestrator.runs.directory import RunDirectory


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

    hold: Hold
    """What the launch keeps for itself."""
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
    hold = launch.holds.take(held_by(profile), launch.locks, launch.engine, who, launch.wait_s, say)
    refuse_if_up(launch.engine, launch.name)
    check_port(server.host, server.port)
    progress(Phase.IMAGE, profile.container.image)
    image = ensure_image(
        launch.engine, profile.container, profile.health.deadline, lambda text: progress(Phase.IMAGE, text)
    )
    for line in warnings(profile, known_parsers(launch.cache, profile, image)):
        say(f"warning: {line}")
    return Prepared(hold, image, secrets)


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
    )
    write_record(folder, record)
    logs = make_folder(logs_folder(launch.state))
    server_log = run.fresh_server_log() if run else logs / f"{launch.name}-{identity.launch}.log"
    path = run.path if run else None
    with guarded(
        launch.engine, identity, interruption, launch.environ, logs / "watchdog.log", ready.hold, path
    ) as guard:
        deployment = bring_up(guard, launch.profile, ready.image, server_log, progress, on_started)
        seen = {
            "container": deployment.container,
            "docker_run": deployment.docker_run,
            "vllm_version": deployment.vllm_version,
        }
        write_record(folder, record.model_copy(update=seen))
        yield guard, deployment


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no entry in the password database
        return str(os.getuid())

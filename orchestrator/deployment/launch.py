"""A launch from the profile to the healthy server, under guard from before its container exists."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.accelerators import held_by
from orchestrator.atomic import make_folder
from orchestrator.deployment.folder import Record, logs_folder, make_deployment_folder, new_identity, write_record
from orchestrator.deployment.guard import Guard, guarded
from orchestrator.deployment.hold import Hold, take
from orchestrator.deployment.preflight import check_node
from orchestrator.deployment.registry import Listed, deployments
from orchestrator.deployment.up import Deployment, bring_up
from orchestrator.errors import Busy
from orchestrator.profile.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.deployment.up import Progress
    from orchestrator.engine import Engine
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


@contextlib.contextmanager
def held(launch: Launch, on_wait: Callable[[str], None]) -> Iterator[Hold]:
    """Hold what the launch needs for itself; raise Busy if somebody else does, or if the name is taken."""
    who = f"{_user()}, pid {os.getpid()}, deployment {launch.name}"
    hold = take(held_by(launch.profile), launch.locks, launch.engine, who, launch.wait_s, on_wait)
    try:
        refuse_if_up(launch.engine, launch.name)
        yield hold
    finally:
        hold.release()


@contextlib.contextmanager
def launched(
    launch: Launch, hold: Hold, interruption: Interruption, progress: Progress, run: RunDirectory | None = None
) -> Iterator[tuple[Guard, Deployment]]:
    """Yield the guard and the healthy deployment; it is torn down on the way out unless it was handed over.

    Args:
        launch: What is to be launched.
        hold: What it holds.
        interruption: The signals in force.
        progress: Told each phase.
        run: Run directory that gets the server's log, and that is marked when orch is killed.
    """
    check_node(launch.profile, launch.state, *([run.path] if run else []))
    identity = new_identity(launch.state, launch.name)
    values = read_secrets(launch.profile, launch.environ)
    folder = make_deployment_folder(launch.state, identity, launch.profile, values)
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
    with guarded(launch.engine, identity, interruption, launch.environ, logs / "watchdog.log", hold, path) as guard:
        deployment = bring_up(guard, launch.profile, server_log, progress)
        seen = {
            "container": deployment.container,
            "docker_run": deployment.docker_run,
            "vllm_version": deployment.vllm_version,
        }
        write_record(folder, record.model_copy(update=seen))
        yield guard, deployment


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in the password database
        return str(os.getuid())

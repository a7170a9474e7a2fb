"""What `up` and `run` share: a launch under guard, from the profile to the healthy server."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.deployment.folder import Record, make_deployment_folder, new_identity, write_record
from orchestrator.deployment.guard import Guard, guarded
from orchestrator.deployment.registry import Listed, collect_garbage, deployments
from orchestrator.deployment.up import Deployment, bring_up
from orchestrator.engine import Engine, connect
from orchestrator.errors import Busy
from orchestrator.profile.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.cli.progress import Reporter
    from orchestrator.cli.settings import Settings
    from orchestrator.interruption import Interruption
    from orchestrator.profile.schema import Profile


def engine_of(settings: Settings) -> Engine:
    """Return the engine of this node, with what nobody wants any more cleaned away."""
    engine = connect(settings.environ)
    collect_garbage(engine, settings.state)
    return engine


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
def launched(
    engine: Engine,
    settings: Settings,
    profile: Profile,
    name: str,
    interruption: Interruption,
    reporter: Reporter,
    run: Path | None = None,
) -> Iterator[tuple[Guard, Deployment]]:
    """Yield a guarded launch and its healthy deployment; it is torn down on the way out unless it was handed over."""
    identity = new_identity(settings.state, name)
    folder = make_deployment_folder(settings.state, identity, profile, read_secrets(profile, settings.environ))
    record = Record(
        name=name,
        launch=identity.launch,
        user=_user(),
        pid=os.getpid(),
        started=time.time(),
        engine=engine.url,
        profile=profile.name,
        run=str(run) if run else None,
    )
    write_record(folder, record)
    logs = settings.state / "logs"
    server_log = run / "logs" / "server.log" if run else logs / f"{name}-{identity.launch}.log"
    server_log.parent.mkdir(parents=True, exist_ok=True)
    with guarded(engine, identity, interruption, settings.environ, logs / "watchdog.log", run) as guard:
        deployment = bring_up(guard, profile, server_log, reporter.phase)
        write_record(
            folder,
            record.model_copy(update={"container": deployment.container, "vllm_version": deployment.vllm_version}),
        )
        yield guard, deployment


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in the password database
        return str(os.getuid())

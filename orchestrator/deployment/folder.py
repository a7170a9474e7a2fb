"""A deployment's folder on the node: lease, programs, record, secrets and profile, seen read-only by the container."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import EnvironmentFault
from orchestrator.files import make_folder, may_exist, write_atomic
from orchestrator.inside import FILES
from orchestrator.mask import Mask
from orchestrator.plan.container import Identity
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text

DEPLOYMENTS = "deployments"
RECORD = "deployment.json"
PROFILE = "profile.yaml"
SECRETS = "secrets.json"


class Record(BaseModel):
    """What orch wrote down about a deployment when it made it; never holds the value of a secret."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    launch: str
    user: str
    """Who made it."""
    pid: int
    """Process that made it."""
    started: float
    """Seconds since the epoch."""
    engine: str
    """URL of the engine that it is on."""
    profile: str
    """Name of the profile; the resolved profile lies beside the record."""
    run: str | None = None
    """Run directory, for one that lives only as long as its run."""
    holds_why: tuple[str, ...] = ()
    """What it holds and why, a line for each reason."""
    docker_run: str = ""
    """The line that makes the same container by hand, once there is one."""
    container: str | None = None
    """Container id, once there is one."""
    vllm_version: str | None = None
    """Version that the server says it is, once it is healthy."""


def new_identity(state: Path, name: str) -> Identity:
    """Return the identity of a new start of a deployment."""
    launch = secrets.token_hex(4)
    return Identity(name, launch, str(state / DEPLOYMENTS / f"{name}-{launch}"))


def make_deployment_folder(state: Path, identity: Identity, profile: Profile, values: Mapping[str, str]) -> Path:
    """Make the folder of a deployment, with the values of its secrets readable by its owner alone.

    The programs of the container's command are copies: a container starts again with what it was made with, whatever
    becomes of this installation of orch. They are synced while the server starts: a power cut before ends that too.
    """
    make_state_folder(state)
    folder = make_folder(Path(identity.folder), 0o755)
    folder.chmod(0o755)
    for program in FILES:
        write_atomic(folder / program.name, program.read_bytes(), synced=False)
    write_atomic(folder / PROFILE, dump_profile(profile), synced=False)
    if values:
        owner = _secrets_owner(profile.container.user)
        write_atomic(folder / SECRETS, json.dumps(dict(values)), 0o600, synced=False)
        os.chown(folder / SECRETS, owner, -1)
    return folder


def _secrets_owner(user: str | None) -> int:
    """Return the uid that must own the secrets so that the container's user can read them."""
    name = (user or "0").partition(":")[0]
    if name in ("0", "root"):
        return os.getuid()
    if name.isdecimal() and os.getuid() in (0, int(name)):
        return int(name)
    raise EnvironmentFault(
        Text("the server runs as the user {user} and could not read the secrets of the profile", user=user),
        "Give container.user as a number and run orch as root or as that user, or let the server run as root.",
    )


def make_state_folder(state: Path) -> None:
    """Make the state folder; refuse one that another user could have put there."""
    fresh = not may_exist(state)
    make_folder(state, 0o755)
    facts = state.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise EnvironmentFault(
            Text("the state folder {state} belongs to somebody else", state=state),
            "Set ORCH_STATE_DIR to a folder of your own.",
        )
    if fresh:
        state.chmod(0o755)
    make_folder(state / DEPLOYMENTS, 0o755).chmod(0o755)


def logs_folder(state: Path) -> Path:
    """Return where logs lie that belong to no run."""
    return state / "logs"


def write_record(folder: Path, record: Record, *, synced: bool = True) -> None:
    """Write the record of a deployment."""
    write_atomic(folder / RECORD, record.model_dump_json(indent=2) + "\n", synced=synced)


def read_record(folder: Path) -> Record | None:
    """Return the record in a folder, or None if there is none that this version of orch can read."""
    try:
        data: Any = json.loads((folder / RECORD).read_bytes())
        return Record.model_validate(data)
    except (OSError, ValueError):
        return None


def read_mask(folder: Path) -> Mask:
    """Return what hides the secrets of a deployment."""
    return Mask(read_values(folder).values())


def read_values(folder: Path) -> dict[str, str]:
    """Return the secrets of a deployment by variable name, nothing if it has none.

    Raises:
        EnvironmentFault: They cannot be read, so that nothing could be masked or shown to the server.
    """
    try:
        return dict(json.loads((folder / SECRETS).read_bytes()))
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise EnvironmentFault(
            Text("the secrets of this deployment are another user's ({folder})", folder=folder / SECRETS),
            "Run orch as the user who made it, or as root.",
        ) from None
    except (OSError, TypeError, ValueError) as error:
        raise EnvironmentFault(
            Text(
                "the secrets of this deployment cannot be read ({folder}): {type}",
                folder=folder / SECRETS,
                type=type(error).__name__,
            ),
            "End it by its name: orch down   Then start it anew.",
        ) from None


def drop_folder(folder: Path) -> None:
    """Remove a deployment's folder; harmless when it is gone, belongs to another user, or is no such folder."""
    if folder.parent.name == DEPLOYMENTS:
        shutil.rmtree(folder, ignore_errors=True)

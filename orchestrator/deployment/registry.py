"""Which deployments there are: the engine says what runs, each lease says who wants it, each record says what it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.accelerators import together
from orchestrator.deployment.folder import Record, drop_folder, read_record
from orchestrator.deployment.lease import Tenure, read_tenure
from orchestrator.deployment.teardown import teardown
from orchestrator.engine import Engine
from orchestrator.errors import UsageError
from orchestrator.plan import labels
from orchestrator.plan.container import serving_hash
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.units import format_duration

YOUNG_S = 60.0
"""A folder without a lease may belong to an orch that is just starting."""


@dataclass(frozen=True)
class Listed:
    """A deployment as it is found."""

    name: str
    launch: str
    profile: str
    container: str
    """Container id."""
    status: str
    """Status of the container."""
    created: float
    """Seconds since the epoch."""
    folder: Path
    holds: tuple[str, ...]
    """What it keeps for itself."""
    tenure: Tenure
    record: Record | None

    @property
    def holds_why(self) -> tuple[str, ...]:
        """Return what it holds and why, a line for each reason; without a reason where none is recorded."""
        return (self.record.holds_why if self.record else ()) or (together(self.holds) or "nothing",)

    def held(self, now: float) -> str:
        """Return by whom and until when it is wanted, in words."""
        owner = f"{self.record.user}, pid {self.record.pid}" if self.record else "an orch process"
        if self.tenure.owned:
            return "in use by an orch process that measures in it" if self.tenure.handed_over else f"owned by {owner}"
        if not self.tenure.known:
            return "owner unknown"
        if self.tenure.until is None:
            return "until orch down"
        left = self.tenure.until - now
        if left > 0:
            return f"for {format_duration(left)} more"
        if self.tenure.until:
            return f"by nobody: its time was up {format_duration(-left)} ago"
        return "by nobody: its owner is dead"


def deployments(engine: Engine) -> list[Listed]:
    """Return all deployments on the engine, whoever made them, oldest first."""
    found = []
    for container in engine.find([labels.DEPLOYMENT]):
        folder = Path(container.labels.get(labels.FOLDER, "/nonexistent"))
        found.append(
            Listed(
                name=container.labels[labels.DEPLOYMENT],
                launch=container.labels.get(labels.LAUNCH, ""),
                profile=container.labels.get(labels.PROFILE, ""),
                container=container.id,
                status=container.status,
                created=container.created,
                folder=folder,
                holds=tuple(filter(None, container.labels.get(labels.HOLDS, "").split(","))),
                tenure=read_tenure(folder),
                record=read_record(folder),
            )
        )
    return sorted(found, key=lambda deployment: deployment.created)


def choose(found: Sequence[Listed], name: str | None) -> Listed:
    """Return the deployment of a name, or the only one there is; raise UsageError."""
    fitting = [deployment for deployment in found if name in (None, deployment.name)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(deployment.name for deployment in found)
    if not found:
        raise UsageError("nothing is up on this node", "orch up PROFILE   (orch profile list shows the profiles)")
    if not fitting:
        raise UsageError(
            Text("no deployment is named {name}; there is {names}", name=name, names=names), "See: orch ps"
        )
    raise UsageError(
        Text("{count} deployments are up: {names}", count=len(fitting), names=names), "Say which one by its name."
    )


def fitting(engine: Engine, profile: Profile, name: str | None) -> Listed | None:
    """Return a running, free deployment that was made from these container and server sections, if there is one."""
    hashed = serving_hash(profile)
    same = {found.id for found in engine.find([f"{labels.PROFILE_HASH}={hashed}"]) if found.status == "running"}
    fit = [
        item
        for item in deployments(engine)
        if item.container in same and item.tenure.known and not item.tenure.owned and name in (None, item.name)
    ]
    return fit[0] if fit else None


def collect_garbage(engine: Engine, state: Path) -> list[Listed]:
    """Remove abandoned deployments and folders without a deployment; return the deployments that were removed.

    A deployment is abandoned if its owner is dead, or if it was handed over and its time to live has passed. Containers
    that orch cannot judge stay: another machine or a person made them.
    """
    found = deployments(engine)
    now = time.time()
    gone = [deployment for deployment in found if deployment.launch and deployment.tenure.expired(now)]
    for deployment in gone:
        teardown(engine, deployment.launch)
        drop_folder(deployment.folder)
    kept = {deployment.folder for deployment in found} - {deployment.folder for deployment in gone}
    for folder in (state / "deployments").glob("*-*"):
        if folder not in kept and _abandoned(folder, engine.url, now):
            drop_folder(folder)
    return gone


def _abandoned(folder: Path, engine_url: str, now: float) -> bool:
    """Say whether a folder whose container this engine does not have can go."""
    record, tenure = read_record(folder), read_tenure(folder)
    if record is not None and record.engine != engine_url:
        return False
    if tenure.known:
        return not tenure.owned
    try:
        return now - folder.stat().st_mtime > YOUNG_S
    except FileNotFoundError:  # another orch was quicker
        return False

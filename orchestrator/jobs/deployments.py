"""Starts deployments that stay up, and ends them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.deployment.folder import drop_folder, read_values
from orchestrator.deployment.launch import find_up, launched, prepare
from orchestrator.deployment.lease import renew
from orchestrator.deployment.registry import Listed, choose, deployments
from orchestrator.deployment.running import server_api
from orchestrator.deployment.teardown import teardown
from orchestrator.engine import Engine
from orchestrator.errors import Busy
from orchestrator.jobs.events import AlreadyUp
from orchestrator.jobs.places import Place
from orchestrator.plan import labels
from orchestrator.plan.container import serving_hash
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.vllm.api import Api


@dataclass(frozen=True)
class Up:
    """A deployment that is up and healthy."""

    name: str
    api: Api
    """Where its server answers."""


def up(
    place: Place, profile: Profile, name: str | None = None, ttl_s: float | None = None, wait_s: float | None = None
) -> Up:
    """Start a server and wait until it is healthy; it stays up.

    If the same deployment is up and healthy already, only its time to live begins anew.

    Args:
        place: Where.
        profile: The resolved profile of one server.
        name: Name of the deployment; the profile's unless given.
        ttl_s: Seconds after which it ends by itself; None is never.
        wait_s: How long to queue for what others hold; None does not.

    Raises:
        OrchError: What went wrong; see `orchestrator.errors`.
    """
    name = name or profile.name
    existing = find_up(place.engine, name)
    if existing is not None and _is_healthy(place.engine, existing, profile):
        if ttl_s is not None:
            renew(existing.folder, ttl_s)
        place.tell(AlreadyUp(name))
        return Up(name, server_api(profile, read_values(existing.folder)))
    launch = place.launch(profile, name, wait_s)
    with launched(launch, prepare(launch, [], place.tell), place.interruption, place.tell) as starting:
        deployment = starting.healthy()
        starting.guard.hand_over(ttl_s)
    return Up(name, deployment.api)


def _is_healthy(engine: Engine, existing: Listed, profile: Profile) -> bool:
    """Say whether a deployment is handed over, healthy and made from these container and server sections."""
    same = engine.find([f"{labels.LAUNCH}={existing.launch}", f"{labels.PROFILE_HASH}={serving_hash(profile)}"])
    if existing.tenure.owned or not same:
        return False
    return server_api(profile, read_values(existing.folder)).healthy()


def to_end(found: Sequence[Listed], name: str | None, *, everything: bool, force: bool) -> list[Listed]:
    """Return the deployments to end; none if no deployment has that name.

    Args:
        found: Those that there are.
        name: Which one; the only one unless given.
        everything: All that no living orch owns, whatever the name.
        force: Also those that one owns.

    Raises:
        UsageError: When several may be meant.
        Busy: When a living orch process owns the one that is meant.
    """
    if everything:
        return [deployment for deployment in found if force or not deployment.tenure.owned]
    if not any(name in (None, deployment.name) for deployment in found):
        return []
    chosen = choose(found, name)
    if chosen.tenure.owned and not force:
        raise Busy(
            Text("the deployment {chosen} is {held}", chosen=chosen.name, held=chosen.held(time.time())),
            "End it all the same: --force",
        )
    return [chosen]


def down(
    engine: Engine, name: str | None = None, *, everything: bool = False, force: bool = False
) -> tuple[list[Listed], list[Listed]]:
    """End the deployments that `to_end` chooses; return those that were found, and those that were ended.

    Raises:
        TeardownIncomplete: When something may still be there.
    """
    found = deployments(engine)
    chosen = to_end(found, name, everything=everything, force=force)
    for deployment in chosen:
        teardown(engine, deployment.launch)
        drop_folder(deployment.folder)
    return found, chosen

"""Joining a deployment that is up already: its profile, its health, its log."""

from __future__ import annotations

from pathlib import Path

from orchestrator.deployment.folder import PROFILE, read_values
from orchestrator.deployment.health import check_identity
from orchestrator.deployment.log import read_log
from orchestrator.deployment.registry import Listed
from orchestrator.deployment.running import Deployment, server_api
from orchestrator.engine import Engine
from orchestrator.errors import ServerFailed, UsageError
from orchestrator.files import is_file
from orchestrator.plan.container import Identity, dataset_mounts
from orchestrator.profile.difference import differences
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.flags import served_model


def made_from(listed: Listed, sets: tuple[str, ...] = ()) -> Profile:
    """Return the profile that a deployment was made from, with overrides.

    Raises:
        UsageError: None is recorded.
        EnvironmentFault: It is where this user may not look.
    """
    path = listed.folder / PROFILE
    if not is_file(path):
        raise UsageError(
            f"the deployment {listed.name} has no record on this node", "It can be ended (orch down), not benchmarked."
        )
    return load_profile(str(path), (), sets)


def check_fit(listed: Listed, wanted: Profile) -> None:
    """Raise UsageError, naming the keys, if a profile asks for another server than the one that is up.

    A file of prompts must have been mounted when the deployment was made.
    """
    serving = made_from(listed)
    changed = differences(serving.model_dump(mode="json"), wanted.model_dump(mode="json"), ("container", "server"))
    mounted = dataset_mounts(serving)
    for mount in dataset_mounts(wanted):
        if mount not in mounted:
            changed.append(f"bench.dataset.file: {mount.source} is not mounted in it")
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            f"the deployment {listed.name} is not what the profile {wanted.name} asks for:\n{lines}",
            f"orch down {listed.name}   then: orch up {wanted.name}",
        )


def attach(engine: Engine, listed: Listed, profile: Profile) -> Deployment:
    """Return the deployment that is up; raise ServerFailed if it is not healthy or another server answers."""
    api = server_api(profile, read_values(listed.folder))
    state = engine.state(listed.container)
    if not state.running or not api.healthy():
        ended = "" if state.running else f", exit code {state.exit_code}"
        raise ServerFailed(
            f"the deployment {listed.name} is not healthy (container {state.status}{ended})",
            f"orch logs {listed.name}   then: orch down {listed.name}",
        )
    model = check_identity(api, served_model(profile.server.model, profile.server.flags))
    return Deployment(
        identity=Identity(listed.name, listed.launch, str(listed.folder)),
        container=listed.container,
        docker_run=listed.record.docker_run if listed.record else "",
        image=engine.image(str(engine.inspect(listed.container)["Image"])),
        api=api,
        vllm_version=api.version(),
        max_model_len=model.max_model_len,
    )


def whole_log(engine: Engine, deployment: Deployment) -> bytes:
    """Return everything that a deployment's server has printed so far."""
    return b"".join(read_log(engine, deployment.container, Path(deployment.identity.folder), follow=False))

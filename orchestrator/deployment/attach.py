"""Joins a deployment that is already up: reads its profile, checks its health, reads its log."""

from __future__ import annotations

from pathlib import Path

from orchestrator.deployment.folder import PROFILE, read_values
from orchestrator.deployment.health import check_identity
from orchestrator.deployment.log import read_log
from orchestrator.deployment.registry import Listed
from orchestrator.deployment.running import Deployment, server_api
from orchestrator.errors import ServerFailed, UsageError
from orchestrator.files import is_file
from orchestrator.node.node import Member, Node
from orchestrator.plan.container import Identity, dataset_mounts
from orchestrator.profile.difference import differences
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.reading.stored import Stored, read_stored
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.tree import show_keys
from orchestrator.text import Text
from orchestrator.vllm.flags import served_model


def made_from(listed: Listed, sets: tuple[str, ...] = ()) -> Profile:
    """Return the profile of a deployment, with overrides laid over it and all checks of a measurement made.

    Raises:
        UsageError: No profile is recorded, or this version of orch refuses it.
        EnvironmentFault: This user may not read the deployment's folder.
    """
    return load_profile(str(_recorded(listed)), (), sets)


def serving(listed: Listed) -> Stored:
    """Return the recorded profile of a deployment.

    Raises:
        UsageError: No profile is recorded, or it cannot be read.
        EnvironmentFault: This user may not read the deployment's folder.
    """
    stored = read_stored(_recorded(listed))
    if stored.unreadable:
        raise UsageError(
            Text(
                "the record of the deployment {listed} is not known: {unreadable}",
                listed=listed.name,
                unreadable=stored.unreadable,
            ),
            "It can be ended (orch down), not benchmarked.",
        )
    return stored


def _recorded(listed: Listed) -> Path:
    path = listed.folder / PROFILE
    if not is_file(path):
        raise UsageError(
            Text("the deployment {listed} has no record on this node", listed=listed.name),
            "It can be ended (orch down), not benchmarked.",
        )
    return path


def check_fit(listed: Listed, wanted: Profile) -> None:
    """Raise UsageError, naming the keys, if a profile asks for another server than the one that is up.

    A file of prompts must have been mounted when the deployment was made.
    """
    stored, sections = serving(listed), ("container", "server")
    before = stored.profile.model_dump(mode="json", warnings=False)
    changed = differences(before, wanted.model_dump(mode="json"), sections)
    changed += [
        f"{show_keys(aside.keys)}: it was made with it, and this version of orch does not know it"
        for aside in stored.aside
        if aside.keys[0] in sections
    ]
    mounted = dataset_mounts(stored.profile)
    for mount in dataset_mounts(wanted):
        if mount not in mounted:
            changed.append(f"bench.dataset.file: {mount.source} is not mounted in it")
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            Text(
                "the deployment {listed} is not what the profile {wanted} asks for:\n{lines}",
                listed=listed.name,
                wanted=wanted.name,
                lines=lines,
            ),
            Text("orch down {listed}   then: orch up {wanted}", listed=listed.name, wanted=wanted.name),
        )


def attach(node: Node, listed: Listed, profile: Profile) -> Deployment:
    """Return the deployment that is up; raise ServerFailed if it is not healthy or another server answers."""
    api = server_api(profile, read_values(listed.folder))
    member = Member(node, listed.container)
    state = member.state()
    if not state.running or not api.healthy():
        ended = "" if state.running else f", exit code {state.exit_code}"
        raise ServerFailed(
            Text(
                "the deployment {listed} is not healthy (container {status}{ended})",
                listed=listed.name,
                status=state.status,
                ended=ended,
            ),
            Text("orch logs {listed}   then: orch down {listed}", listed=listed.name),
        )
    model = check_identity(api, served_model(profile.server.model, profile.server.flags))
    return Deployment(
        identity=Identity(listed.name, listed.launch, str(listed.folder)),
        members=(member,),
        docker_run=listed.record.docker_run if listed.record else "",
        image=node.engine.image(str(node.engine.inspect(listed.container)["Image"])),
        api=api,
        vllm_version=api.version(),
        max_model_len=model.max_model_len,
    )


def whole_log(deployment: Deployment) -> bytes:
    """Return everything that a deployment's server has printed so far."""
    return b"".join(read_log(deployment.member, Path(deployment.identity.folder), follow=False))

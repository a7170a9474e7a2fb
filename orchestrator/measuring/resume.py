"""Resumes an incomplete run, only under its original conditions and only with the missing measurements."""

from __future__ import annotations

from orchestrator.errors import UsageError
from orchestrator.measuring.repetitions import further
from orchestrator.node.facts import dataset_facts, node_facts
from orchestrator.node.node import Node
from orchestrator.plan.sweep import strangers
from orchestrator.profile.difference import differences
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.format.records import DeploymentFacts
from orchestrator.runs.run import Run
from orchestrator.text import Text

COMPARED = ("accelerators", "cpu_model", "cpus", "architecture")
"""Facts of the node that decide what is measured."""
OF_CLIENT = ("client_program", "client_version", "client_sha256")
"""Facts of a deployment that say which client measures."""
_READABLE = "Its results can be read all the same: orch results show {run}   Measure anew: orch run PROFILE"


def is_complete(directory: Run) -> bool:
    """Say whether a run has nothing more to measure: nothing is missing, and the results ask for no more of it."""
    if directory.missing():
        return False
    stored = directory.stored()
    bench = stored.profile.bench
    if bench is None or isinstance(bench.repetitions, int):
        return not stored.unreadable
    if stored.refused() or _unplannable(directory, stored.profile):
        return False
    return not further(bench, directory.records())


def check_can_go_on(directory: Run) -> None:
    """Raise UsageError if a run cannot be resumed as it was begun.

    A run cannot be resumed if this version of orch refuses its profile, or plans other points from it: it would measure
    something else than the earlier version did. A number beyond a bound of today means what it always meant.
    """
    stored = directory.stored()
    refused = [str(fault) for fault in stored.refused()]
    if stored.unreadable:
        refused = [stored.unreadable]
    if refused:
        lines = "\n".join(f"  {line}" for line in refused)
        raise UsageError(
            Text(
                "the run {directory} cannot be resumed, this version of orch refuses its profile:\n{lines}",
                directory=directory.path.name,
                lines=lines,
            ),
            _READABLE.format(run=directory.path.name),
        )
    misnamed = directory.manifest().misnamed()
    if misnamed:
        raise UsageError(
            Text(
                "the run {directory} cannot be resumed, the parameters on record of {count} of its points come to "
                "other ids: {other}",
                directory=directory.path.name,
                count=len(misnamed),
                other=", ".join(misnamed),
            ),
            _READABLE.format(run=directory.path.name),
        )
    other = _unplannable(directory, stored.profile)
    if other:
        raise UsageError(
            Text(
                "the run {directory} cannot be resumed, this version of orch does not come to {count} of "
                "its points by its profile: {other}",
                directory=directory.path.name,
                count=len(other),
                other=", ".join(other),
            ),
            _READABLE.format(run=directory.path.name),
        )


def check_profile(directory: Run, profile: Profile) -> None:
    """Raise UsageError, naming the keys, if a profile is not the one that the run was begun with."""
    before, after = directory.profile().model_dump(mode="json", warnings=False), profile.model_dump(mode="json")
    _refuse(directory, differences(before, after, tuple(after)))


def check_conditions(directory: Run, node: Node, profile: Profile) -> None:
    """Raise UsageError, naming what differs, if image, node or prompts are not those that the run was begun with."""
    manifest = directory.manifest()
    before, after = manifest.node.model_dump(mode="json"), node_facts(node).model_dump(mode="json")
    changed = [f"node.{line}" for line in differences(before, after, COMPARED)]
    if manifest.deployment is not None:
        changed += _other_image(directory, node.engine.image(profile.container.image).id)
    prompts = dataset_facts(node, profile.bench.dataset) if profile.bench is not None else None
    if prompts is not None and manifest.dataset is not None and prompts.sha256 != manifest.dataset.sha256:
        changed.append(f"bench.dataset.file {prompts.file}: sha256 {manifest.dataset.sha256} → {prompts.sha256}")
    _refuse(directory, changed)


def check_image(directory: Run, image_id: str) -> None:
    """Raise UsageError if a deployment is of another image than the run was begun with.

    The image of a tag can change by a pull after the tag was looked up, or before, while a deployment stays up.
    """
    _refuse(directory, _other_image(directory, image_id))


def check_client(directory: Run, facts: DeploymentFacts) -> None:
    """Raise UsageError if another client would measure than the one that has measured already."""
    now, earlier = facts.model_dump(), [each.model_dump() for each in directory.manifest().earlier]
    # A server that was never measured has no client on record, and a file that could not be read has no hash.
    before = {key: next((each[key] for each in earlier if each[key] is not None), now[key]) for key in OF_CLIENT}
    _refuse(directory, differences(before, now, OF_CLIENT))


def _unplannable(directory: Run, profile: Profile) -> list[str]:
    """Return the ids of points that may still be measured but that the profile does not plan."""
    if profile.bench is None:
        return sorted({point for point, _ in directory.missing()})
    decided = isinstance(profile.bench.repetitions, int)  # else each point may be measured again
    asked = directory.missing() if decided else directory.manifest().measurements
    return strangers(profile.bench, [point for point, _ in asked])


def _other_image(directory: Run, image_id: str) -> list[str]:
    before = directory.manifest().deployment
    return (
        []
        if before is None or before.image_id == image_id
        else [f"image {before.image}: {before.image_id} → {image_id}"]
    )


def _refuse(directory: Run, changed: list[str]) -> None:
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            Text(
                "the run {directory} cannot be resumed, not everything is as it was:\n{lines}",
                directory=directory.path.name,
                lines=lines,
            ),
            "Numbers from both would not be one run. Begin a new one: orch run",
        )

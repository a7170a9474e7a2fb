"""Rules on the container: each yields the key that it is about and what to know about it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.vllm.flags import tensor_parallel_size

Remarks = Iterator[tuple[str, str]]

COMMON_GROUPS = frozenset({"root", "video", "users"})
"""Groups that practically every image has."""


def moving_image(profile: Profile) -> Remarks:
    """An image that means another thing tomorrow."""
    _, colon, tag = profile.container.image.rpartition("/")[2].partition(":")
    if "@" in profile.container.image or (colon and tag != "latest"):
        return
    what = "the tag latest moves" if colon else "without a tag it means latest, which moves"
    yield "container.image", Text("{what}; name a version or a digest, so that a run can be repeated", what=what)


def shared_memory(profile: Profile) -> Remarks:
    """A size of /dev/shm that does nothing, or the default where it is too small."""
    container = profile.container
    workers = tensor_parallel_size(profile.server.flags)
    if container.ipc == "host":
        if container.shm_size is not None:
            yield "container.shm_size", "has no effect with ipc host, which uses the node's own /dev/shm"
        yield "container.ipc", "with host, a server that crashes leaves its shared memory behind on the node"
    elif container.shm_size is None and workers > 1:
        yield (
            "container.shm_size",
            Text("{workers} workers talk through /dev/shm, which is 64 MB unless set", workers=workers),
        )


def host_network(profile: Profile) -> Remarks:
    """The node's own ports."""
    if profile.container.network == "host":
        port = profile.server.port
        yield (
            "container.network",
            Text("with host, port {port} must be free on the node and nothing is published", port=port),
        )


def redundant_beside_privileged(profile: Profile) -> Remarks:
    """Settings that say what privileged already gives."""
    container = profile.container
    if container.privileged:
        given = [name for name in ("devices", "security_opt", "group_add", "cap_add") if getattr(container, name)]
        redundant = f"makes {', '.join(given)} redundant; " if given else ""
        yield (
            "container.privileged",
            Text("{redundant}only *_VISIBLE_DEVICES then keeps the server from the other devices", redundant=redundant),
        )


def groups_of_the_image(profile: Profile) -> Remarks:
    """Group names that the image may not have."""
    for group in profile.container.group_add:
        if not group.isdigit() and group not in COMMON_GROUPS:
            yield (
                "container.group_add",
                Text(
                    "'{group}' must exist in the image; its number always works (stat -c %g on the device)", group=group
                ),
            )


RULES = (moving_image, shared_memory, host_network, redundant_beside_privileged, groups_of_the_image)

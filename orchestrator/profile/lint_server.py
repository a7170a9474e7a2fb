"""Rules on the server and its environment: each yields the key that it is about and what to know about it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from orchestrator.accelerators import VISIBLE
from orchestrator.profile.inherited import SECRET_NAME
from orchestrator.vllm.flags import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.profile.schema import Profile
    from orchestrator.profile.values import EnvValue

    Remarks = Iterator[tuple[str, str]]

PARALLEL_FLAGS = (
    ("tensor-parallel-size", "tp"),
    ("pipeline-parallel-size", "pp"),
    ("data-parallel-size", "dp"),
)


def open_to_all(profile: Profile) -> Remarks:
    """A server without authentication that everybody reaches."""
    if ipaddress.ip_address(profile.server.host).is_unspecified:
        yield "server.host", f"with {profile.server.host}, whoever reaches the node can use the server"


def plain_secrets(profile: Profile) -> Remarks:
    """A secret that every record of the profile would hold."""
    for key, name, value in environment(profile):
        if isinstance(value, str) and value and SECRET_NAME.search(name):
            yield key, f"looks like a secret; write {{from_env: {name}}} or {{from_file: /path}} in its place"
    if lookup(profile.server.flags, "api-key") is not None:
        yield "server.flags.api-key", "stands in the container's definition; set VLLM_API_KEY from a secret"


def numa_binding(profile: Profile) -> Remarks:
    """Binding that the kernel refuses, or that puts every worker in one place."""
    variables = {name: (key, value) for key, name, value in environment(profile)}
    key, value = variables.get("VLLM_NUMA_BIND", ("server.flags.numa-bind", None))
    if value != "1" and lookup(profile.server.flags, "numa-bind") is not True:
        return
    container = profile.container
    capabilities = {name.upper().removeprefix("CAP_") for name in container.cap_add}
    unfiltered = {"seccomp=unconfined", "seccomp:unconfined"} & set(container.security_opt)
    if not (container.privileged or unfiltered or capabilities & {"SYS_NICE", "ALL"}):
        yield key, "needs cap_add SYS_NICE (or seccomp=unconfined), else set_mempolicy is refused with EPERM"
    ranks = [value for name, (_, value) in variables.items() if re.fullmatch(r"VLLM_RANK\d+_NUMA", name)]
    if len(ranks) > 1 and len(set(map(str, ranks))) == 1:
        where = "cat /sys/class/drm/card*/device/numa_node"
        yield key, f"all {len(ranks)} ranks are bound to one NUMA node; each belongs near its device: {where}"


def visible_devices(profile: Profile) -> Remarks:
    """More or fewer devices than the server uses, or two lists that disagree."""
    size = 1
    for names in PARALLEL_FLAGS:
        size *= as_int(lookup(profile.server.flags, *names)) or 1
    lists: dict[str, tuple[str, str]] = {}
    for key, name, value in environment(profile):
        if name in VISIBLE and isinstance(value, str):
            lists[name] = (key, value)
            count = len([item for item in value.split(",") if item.strip()])
            if count != size:
                yield key, f"names {_devices(count)}, the server's parallel sizes use {_devices(size)}"
    _, hip = lists.get("HIP_VISIBLE_DEVICES", ("", None))
    key, cuda = lists.get("CUDA_VISIBLE_DEVICES", ("", None))
    if None not in (hip, cuda) and hip != cuda:
        yield key, "differs from HIP_VISIBLE_DEVICES; vLLM on ROCm stops at that. Set HIP_VISIBLE_DEVICES alone"


def environment(profile: Profile) -> list[tuple[str, str, EnvValue | None]]:
    """Return key, name and value of each variable that the server sees; its own win over the container's."""
    merged = {name: (f"container.env.{name}", value) for name, value in profile.container.env.items()}
    merged.update({name: (f"server.env.{name}", value) for name, value in profile.server.env.items()})
    return [(key, name, value) for name, (key, value) in merged.items()]


def as_int(value: object) -> int | None:
    """Return a flag's value as a number, if it is one."""
    return int(str(value)) if re.fullmatch(r"\d+", str(value)) else None


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


RULES = (open_to_all, plain_secrets, numa_binding, visible_devices)

"""Rules on the server and its environment: each yields the key that it is about and what to know about it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from orchestrator.accelerators.vendors import COUNTING, OTHERS
from orchestrator.accelerators.visible import disagreements, innermost, items
from orchestrator.profile.inherited import SECRET_NAME
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.values import EnvValue
from orchestrator.profile.text.tree import show_keys
from orchestrator.text import Text
from orchestrator.vllm.flags import lookup, whole_number, written_as

Remarks = Iterator[tuple[str, str]]

DOLLAR = re.compile(r"\$(\{[A-Za-z_][^}]*\}|\([A-Za-z_]\w*\)|[A-Za-z_])")
"""How a shell's variable is written, or one of Kubernetes."""
PARALLEL_FLAGS = ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size")
UNSEEN = {
    "config": "orch does not see what this file says; flags in server.flags win over it, and are checked",
    "root-path": "is for a proxy before the server; orch and the client ask without it",
    "skip-tokenizer-init": "the server then takes no text, which is what the benchmark sends",
    "node-rank": "orch starts one node's server alone; another rank than 0 has no API",
    "data-parallel-external-lb": "orch starts one rank's server alone, and measures it alone",
}
"""Flags with which the server starts, and what then is not as it may seem."""


def open_to_all(profile: Profile) -> Remarks:
    """A server without authentication that everybody reaches."""
    if ipaddress.ip_address(profile.server.host).is_unspecified:
        yield "server.host", Text("with {host}, whoever reaches the node can use the server", host=profile.server.host)


def plain_secrets(profile: Profile) -> Remarks:
    """A secret that every record of the profile would hold."""
    for key, name, value in environment(profile):
        if isinstance(value, str) and value and SECRET_NAME.search(name):
            yield (
                key,
                Text("looks like a secret; write {{from_env: {name}}} or {{from_file: /path}} in its place", name=name),
            )
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
        yield (
            key,
            Text(
                "all {count} ranks are bound to one NUMA node; each belongs near its device: {where}",
                count=len(ranks),
                where=where,
            ),
        )


def visible_devices(profile: Profile) -> Remarks:
    """More or fewer devices than the server uses, or two lists that disagree."""
    size = 1
    for name in PARALLEL_FLAGS:
        size *= whole_number(lookup(profile.server.flags, name)) or 1
    variables = {name: (key, value) for key, name, value in environment(profile) if name in COUNTING}
    lists = {name: (key, value) for name, (key, value) in variables.items() if isinstance(value, str)}
    judged = innermost(lists) | set(OTHERS)
    for name, (key, value) in lists.items():
        count = items(value) if name in judged else None
        if count is not None and count != size:
            yield (
                key,
                Text(
                    "names {devices}, the server's parallel sizes use {used}",
                    devices=_devices(count),
                    used=_devices(size),
                ),
            )
    _, hip = lists.get("HIP_VISIBLE_DEVICES", ("", None))
    key, cuda = lists.get("CUDA_VISIBLE_DEVICES", ("", None))
    if None not in (hip, cuda) and hip != cuda:
        yield key, "differs from HIP_VISIBLE_DEVICES; vLLM on ROCm stops at that. Set HIP_VISIBLE_DEVICES alone"
    for inner, outer, count in disagreements({name: value for name, (_, value) in lists.items()}):
        yield (
            lists[inner][0],
            Text(
                "counts within the {devices} that {outer} leaves, from 0; it names others",
                devices=_devices(count),
                outer=outer,
            ),
        )


def environment(profile: Profile) -> list[tuple[str, str, EnvValue | None]]:
    """Return key, name and value of each variable that the server sees; its own win over the container's."""
    merged = {name: (f"container.env.{name}", value) for name, value in profile.container.env.items()}
    merged.update({name: (f"server.env.{name}", value) for name, value in profile.server.env.items()})
    return [(key, name, value) for name, (key, value) in merged.items()]


def unexpanded(profile: Profile) -> Remarks:
    """A shell's variable, where no shell reads it."""
    values: list[tuple[str, object]] = [("server.model", profile.server.model)]
    values += [(show_keys(("server", "flags", name)), value) for name, value in profile.server.flags.items()]
    client = profile.bench.client_flags if profile.bench is not None else {}
    values += [(show_keys(("bench", "client_flags", name)), value) for name, value in client.items()]
    values += [(key, value) for key, _, value in environment(profile)]
    for key, value in values:
        if any(DOLLAR.search(text) for text in _texts(value)):
            yield key, "has a $ variable in it, which no shell reads: it is passed on as it stands; write its value"


def empty_text(profile: Profile) -> Remarks:
    """A flag with nothing as its value, which may be meant to leave it out."""
    for name, value in profile.server.flags.items():
        if value == "":
            yield (
                show_keys(("server", "flags", name)),
                "is an empty text, which the server is given; null leaves it out",
            )


def unseen(profile: Profile) -> Remarks:
    """Flags by which the server differs from what orch takes it for."""
    for name, text in UNSEEN.items():
        value = lookup(profile.server.flags, name)
        if value not in (None, False, 0):
            yield _flag_key(profile, name), text


def _flag_key(profile: Profile, name: str) -> str:
    return show_keys(("server", "flags", written_as(profile.server.flags, name)))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


def mistakable(profile: Profile) -> Remarks:
    """What may be taken for another server than the one that is started."""
    yield from unexpanded(profile)
    yield from unseen(profile)


RULES = (open_to_all, plain_secrets, numa_binding, visible_devices, unexpanded, empty_text, unseen)

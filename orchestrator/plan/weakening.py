"""Which settings of a container weaken what keeps it apart from the node, each in words for whoever runs it.

Nothing is refused here: such settings work when a profile asks for them, and the plan and the record say so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from orchestrator.causes import Cause
from orchestrator.profile.schema.devices import nodes
from orchestrator.profile.schema.profile import Container
from orchestrator.profile.schema.values import MountSpec

STRONG_CAPABILITIES = frozenset(
    {"ALL", "BPF", "DAC_READ_SEARCH", "MAC_ADMIN", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN"}
    | {"SYS_BOOT", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME", "SYSLOG"}
)
SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/root"),
    *("/run", "/sbin", "/srv", "/sys", "/usr", "/var"),
)
ENGINE_SOCKETS = (
    *("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"),
    *("/run/containerd/containerd.sock", "/run/crio/crio.sock"),
)
DISK_DEVICES = (
    "/dev/dm-",
    "/dev/kmem",
    "/dev/mapper",
    "/dev/mem",
    "/dev/nvme",
    "/dev/port",
    "/dev/sd",
    "/dev/vd",
)
SECURITY_OPTIONS = {
    "seccomp": "unconfined",
    "apparmor": "unconfined",
    "label": "disable",
    "systempaths": "unconfined",
    "no-new-privileges": "false",
}
"""The value of a security option that weakens."""


def weakenings(container: Container) -> list[str]:
    """Return a line `setting: what it gives away` for each weakening setting, in the schema's order."""
    return [warning.text() for warning in weakened(container)]


def weakened(container: Container) -> list[Cause]:
    """Return each weakening setting as an id with fields, in the schema's order."""
    return [
        *_devices(container),
        *(warning for mount in container.mounts for warning in _mount(mount)),
        *_namespaces(container),
        *_limits(container),
        *([Cause("privileged")] if container.privileged else []),
        *_security_options(container),
        *_capabilities(container),
    ]


def _devices(container: Container) -> Iterator[Cause]:
    for device in nodes(container.devices):
        source = posixpath.normpath(device.source)
        if source == "/dev" or source.startswith(DISK_DEVICES):
            yield Cause("device-of-disks", {"source": device.source})


def _mount(mount: MountSpec) -> Iterator[Cause]:
    if mount.type == "volume":
        return
    source = posixpath.normpath("/" + mount.source.lstrip("/"))
    if any(_inside(socket, source) for socket in ENGINE_SOCKETS):
        yield Cause("mount-of-socket", {"source": mount.source})
    elif _is_system(source) and not mount.read_only:
        yield Cause("mount-of-system", {"source": mount.source})
    if mount.propagation in ("shared", "rshared"):
        yield Cause("mount-propagated", {"source": mount.source, "propagation": mount.propagation})
    if mount.selinux is not None and _is_system(source):
        yield Cause("mount-relabelled", {"source": mount.source})


def _is_system(source: str) -> bool:
    return source == "/" or any(_inside(source, folder) for folder in SYSTEM_FOLDERS)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _namespaces(container: Container) -> Iterator[Cause]:
    ipc = container.ipc or ""
    if ipc == "host" or ipc.startswith("container:"):
        yield Cause("ipc", {"ipc": ipc, "owner": "node" if ipc == "host" else "container"})
    if container.network == "host":
        yield Cause("network-host")
    if container.pid is not None:
        yield Cause("pid", {"pid": container.pid, "owner": "node" if container.pid == "host" else "container"})
    if container.uts is not None:
        yield Cause("uts", {"uts": container.uts})
    if container.userns is not None:
        yield Cause("userns", {"userns": container.userns})
    if container.cgroupns == "host":
        yield Cause("cgroupns-host")


def _limits(container: Container) -> Iterator[Cause]:
    for rule in container.device_cgroup_rules:
        yield Cause("device-cgroup-rule", {"rule": rule})
    for name in container.sysctls:
        yield Cause("sysctl", {"name": name})
    if container.cgroup_parent is not None:
        yield Cause("cgroup-parent", {"cgroup_parent": container.cgroup_parent})
    if container.oom_kill_disable:
        yield Cause("oom-kill-disabled")
    if container.oom_score_adj is not None and container.oom_score_adj < 0:
        yield Cause("oom-score", {"oom_score_adj": container.oom_score_adj})


def _security_options(container: Container) -> Iterator[Cause]:
    for option in container.security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if value and value == SECURITY_OPTIONS.get(name):
            yield Cause("security-option", {"option": option, "meaning": name})


def _capabilities(container: Container) -> Iterator[Cause]:
    for capability in container.cap_add:
        if capability.upper().removeprefix("CAP_") in STRONG_CAPABILITIES:
            yield Cause("capability", {"capability": capability})

"""Which settings of a container weaken what keeps it apart from the node, each in words for whoever runs it.

Nothing is refused here: such settings work when a profile asks for them, and the plan and the record say so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from orchestrator.profile.schema.devices import nodes
from orchestrator.profile.schema.profile import Container
from orchestrator.profile.schema.values import MountSpec
from orchestrator.text import Text

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
    "seccomp": ("unconfined", "no system call is filtered"),
    "apparmor": ("unconfined", "no AppArmor profile confines it"),
    "label": ("disable", "SELinux does not confine it"),
    "systempaths": ("unconfined", "the kernel's files under /proc and /sys are writable"),
    "no-new-privileges": ("false", "its processes may gain privileges"),
}


def weakenings(container: Container) -> list[str]:
    """Return a line `setting: what it gives away` for each weakening setting, in the schema's order."""
    return [
        *_devices(container),
        *(line for mount in container.mounts for line in _mount(mount)),
        *_namespaces(container),
        *_limits(container),
        *(["privileged: every capability and every device of the node"] if container.privileged else []),
        *_security_options(container),
        *_capabilities(container),
    ]


def _devices(container: Container) -> Iterator[str]:
    for device in nodes(container.devices):
        source = posixpath.normpath(device.source)
        if source == "/dev" or source.startswith(DISK_DEVICES):
            yield Text("device {source}: the node's disks or memory", source=device.source)


def _mount(mount: MountSpec) -> Iterator[str]:
    if mount.type == "volume":
        return
    source = posixpath.normpath("/" + mount.source.lstrip("/"))
    if any(_inside(socket, source) for socket in ENGINE_SOCKETS):
        yield Text("mount {source}: whoever reaches the engine's socket controls the node", source=mount.source)
    elif _is_system(source) and not mount.read_only:
        yield Text("mount {source}: a system folder of the node, writable", source=mount.source)
    if mount.propagation in ("shared", "rshared"):
        yield Text(
            "mount {source}: {propagation}, so that what the container mounts there shows on the node",
            source=mount.source,
            propagation=mount.propagation,
        )
    if mount.selinux is not None and _is_system(source):
        yield Text("mount {source}: relabels a system folder of the node for SELinux", source=mount.source)


def _is_system(source: str) -> bool:
    return source == "/" or any(_inside(source, folder) for folder in SYSTEM_FOLDERS)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _namespaces(container: Container) -> Iterator[str]:
    ipc = container.ipc or ""
    if ipc == "host" or ipc.startswith("container:"):
        owner = "the node" if ipc == "host" else "another container"
        yield Text("ipc {ipc}: shared memory of {owner}", ipc=ipc, owner=owner)
    if container.network == "host":
        yield "network host: every address and port of the node"
    if container.pid is not None:
        owner = "the node" if container.pid == "host" else "another container"
        yield Text(
            "pid {pid}: sees the processes of {owner}, and may signal those of its user", pid=container.pid, owner=owner
        )
    if container.uts is not None:
        yield Text("uts {uts}: the node's host name, which a capable process may change", uts=container.uts)
    if container.userns is not None:
        yield Text("userns {userns}: its root is the node's root", userns=container.userns)
    if container.cgroupns == "host":
        yield "cgroupns host: sees the cgroups of the node"


def _limits(container: Container) -> Iterator[str]:
    for rule in container.device_cgroup_rules:
        yield Text("device_cgroup_rules {rule}: devices by number, beyond those that it is given", rule=rule)
    for name in container.sysctls:
        yield Text("sysctls {name}: a setting of the kernel", name=name)
    if container.cgroup_parent is not None:
        yield Text(
            "cgroup_parent {cgroup_parent}: outside the cgroup that the engine keeps its containers in",
            cgroup_parent=container.cgroup_parent,
        )
    if container.oom_kill_disable:
        yield "oom_kill_disable: a process that runs out of memory hangs, and may hang the node"
    if container.oom_score_adj is not None and container.oom_score_adj < 0:
        yield Text(
            "oom_score_adj {oom_score_adj}: the node kills its own processes for memory first",
            oom_score_adj=container.oom_score_adj,
        )


def _security_options(container: Container) -> Iterator[str]:
    for option in container.security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        weak, meaning = SECURITY_OPTIONS.get(name, ("", ""))
        if weak and value == weak:
            yield Text("security_opt {option}: {meaning}", option=option, meaning=meaning)


def _capabilities(container: Container) -> Iterator[str]:
    for capability in container.cap_add:
        if capability.upper().removeprefix("CAP_") in STRONG_CAPABILITIES:
            yield Text("cap_add {capability}: a capability that reaches beyond the container", capability=capability)

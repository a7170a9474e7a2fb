"""Causes in the container: what the Docker engine refuses."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="image-missing",
        title="the image is not there",
        why="It is neither on the node nor can it be pulled under that name.",
        advice=(
            "Check container.image, pull it by hand (docker pull), or load it from a file (docker load).",
            "If a registry asks for a login: docker login, then orch again.",
        ),
        engine=texts(
            r"the image \S+ (?:is not on this node|cannot be pulled)|no registry has the image",
            r"No such image|manifest (?:for \S+ )?(?:unknown|not found)|pull access denied|repository \S+ not found",
        ),
    ),
    Rule(
        id="device-node-missing",
        title="the node does not have the device {device}",
        why=(
            "container.devices names a device node that does not exist: another kind of accelerator, or its driver "
            "is not loaded."
        ),
        advice=(
            "Check on the node: ls -l {device}",
            (
                "Remove it from container.devices if this node has no such accelerator; else load its driver "
                "(Hygon: lsmod | grep hycu, AMD: lsmod | grep amdgpu)."
            ),
        ),
        engine=texts(
            r"error gathering device information while adding custom device \"(?P<device>[^\"]*)\"",
            r"no such (?:device|file or directory).*(?P<device>/dev/\S+)",
        ),
    ),
    Rule(
        id="mount-source-missing",
        title="a folder to mount does not exist on the node",
        why="container.mounts names a source that is not there; orch does not let the engine make an empty one.",
        advice=(
            "Check on the node: ls -ld {path}",
            "Correct container.mounts, or make the folder.",
        ),
        engine=texts(r"bind source path does not exist: (?P<path>\S.*)"),
    ),
    Rule(
        id="mount-kind-differs",
        title="a file would be mounted on a folder, or a folder on a file",
        why="Source and target of one of container.mounts are of different kinds.",
        advice=("Correct container.mounts: both a file or both a folder.",),
        engine=texts(
            r"Are you trying to mount a directory onto a file",
            r"error mounting .*: not a directory",
        ),
    ),
    Rule(
        id="group-missing",
        title="the image has no group {group}",
        why=(
            "container.group_add takes names from the image, not from the node, and many images have no group render."
        ),
        advice=(
            "Give the number: container.group_add: [N], where N comes from stat -c %g /dev/kfd on the node.",
            "A server that runs as root needs no groups: remove {group} from container.group_add.",
        ),
        engine=texts(r"[Uu]nable to find group (?P<group>[^:\s]+)"),
    ),
    Rule(
        id="user-missing",
        title="the image has no user {user}",
        why="container.user takes names from the image, not from the node.",
        advice=("Give numbers in container.user, such as 1000:1000.",),
        engine=texts(r"[Uu]nable to find user (?P<user>[^:\s]+)"),
    ),
    Rule(
        id="runtime-unknown",
        title="the Docker engine has no runtime {runtime}",
        why="container.runtime names a runtime that is not registered in /etc/docker/daemon.json.",
        advice=(
            "See which there are: docker info --format '{{.Runtimes}}'",
            (
                "Remove container.runtime: mapped devices need none (Hygon, AMD). NVIDIA: install "
                "nvidia-container-toolkit."
            ),
        ),
        engine=texts(
            r"[Uu]nknown runtime specified (?P<runtime>[^\s,;]+)",
            r"unknown or invalid runtime name: (?P<runtime>[^\s,;]+)",
        ),
    ),
    Rule(
        id="nvidia-toolkit-missing",
        title="the Docker engine cannot hand over NVIDIA devices",
        why="container.gpus needs the NVIDIA container toolkit on the node, and a driver that answers it.",
        advice=(
            (
                "Install nvidia-container-toolkit, then: nvidia-ctk runtime configure --runtime=docker, and "
                "restart the engine."
            ),
            "On AMD and Hygon nodes use container.devices in place of container.gpus.",
        ),
        engine=texts(
            r"could not select device driver \"\w*\" with capabilities: \[\[.*gpu",
            r"nvidia-container-cli: (?:initialization error|mount error|device error|detection error)",
            r"unresolvable CDI devices|failed to discover GPU vendor from CDI",
        ),
    ),
    Rule(
        id="cpuset-unavailable",
        title="the node does not have the CPUs or NUMA nodes asked for",
        why="container.cpuset_cpus or container.cpuset_mems goes beyond what the engine may give.",
        advice=(
            (
                "Correct container.cpuset_cpus and container.cpuset_mems: available are {available}; see lscpu on "
                "the node."
            ),
        ),
        engine=texts(
            r"Requested (?:CPUs|memory nodes) are not available - requested \S+, available: (?P<available>\S+)",
        ),
    ),
    Rule(
        id="network-missing",
        title="the Docker engine has no network {network}",
        why="container.network names one that does not exist.",
        advice=(
            "See which there are: docker network ls",
            "Use host or bridge in container.network.",
        ),
        engine=texts(r"network (?P<network>\S+) not found"),
    ),
    Rule(
        id="option-refused",
        title="the Docker engine refuses a setting of the container",
        why="A capability, limit or security option is not known, or this node may not grant it.",
        advice=(
            (
                "Correct it: container.cap_add, container.cap_drop, container.security_opt, container.ulimits, "
                "container.memory, container.ipc, container.privileged."
            ),
        ),
        engine=texts(
            r"invalid Cap(?:Add|Drop)|invalid --security-opt|wrong rlimit value|unable to apply caps",
            r"Minimum memory limit allowed|conflicting options|invalid IPC mode|No such container",
            r"opening seccomp profile|apparmor.*(?:not loaded|failed)|error setting rlimit",
        ),
    ),
)

"""Causes in the container: what the Docker engine refuses, and commands that the image does not have."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

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
    Rule(
        id="command-missing",
        title="the image does not have the command {command}",
        why="server.command, or a program that it calls, is not in the image or not on its PATH.",
        advice=(
            (
                "Check server.command and container.image; see: docker run --rm --entrypoint sh IMAGE -c 'command "
                "-v {command}'"
            ),
            "If the command comes from a file to be sourced, name that file in container.source.",
            "Without python3 in the image set container.supervise to false.",
        ),
        log=texts(
            r"exec: (?P<command>[\w./+-]+): (?:command )?not found$",
            (
                r"^(?:orch|/run/orch/source\.sh|bash|sh|/bin/sh|/bin/bash): line \d+: "
                r"(?!/opt/dtk|\S*(?:nvcc|hipcc|clang|gcc|\+\+|cc|ninja):)"
                r"(?P<command>[\w./+-]+): (?:command )?not found$"
            ),
            (
                r"^(?:/bin/)?sh: \d+: (?!/opt/dtk|\S*(?:nvcc|hipcc|clang|gcc|\+\+|/cc"
                r"|ninja):)(?P<command>[\w./+-]+): not found$"
            ),
            (
                r"^(?:orch|/run/orch/source\.sh|bash|sh|/bin/sh|/bin/bash): line \d+: "
                r"(?!/opt/dtk)(?P<command>/[\w./+-]+): "
                r"(?:No such file or directory|cannot execute: required file not found)$"
            ),
            r"env: [‘'\"]?(?P<command>[\w./+-]+)[’'\"]?: No such file or directory",
            r"FATAL tini \(\d+\)\] exec (?P<command>\S+) failed: No such file or directory",
        ),
        source=texts(
            (
                r"raise child_exception_type\(.*FileNotFoundError: .*: '(?!\S*(?:nvcc|hipcc|clang|clang\+\+|gcc"
                r"|g\+\+|c\+\+|/cc|ninja)'|/opt/dtk)(?P<command>[^']+)'"
            ),
        ),
        engine=texts(
            r"exec: \"(?P<command>[^\"]+)\": (?:executable file not found|stat \S+: no such file)",
            r"stat (?P<command>/\S+): no such file or directory",
        ),
        exit_codes=(127,),
        before_vllm=True,
    ),
    Rule(
        id="source-missing",
        title="a file to be sourced is not in the image",
        why="container.source names a file that the container does not have or may not read.",
        advice=("Correct container.source; see: docker run --rm --entrypoint ls IMAGE -l {file}",),
        log=texts(r"orch: cannot source (?P<file>\S+)"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="source-ends-shell",
        title="a file to be sourced ended the shell: {file}",
        why=(
            "container.source reads its files into the shell that becomes the server's command; one of them calls "
            "exit, or uses a variable that is not set under set -u, so the server was never started."
        ),
        advice=(
            "See where, with the profile's mounts: docker run --rm --entrypoint bash IMAGE -xc '. {file}'",
            "Take exit and set -u out of the file, or name one in container.source that only sets variables.",
            "If only its variables are wanted, leave the file out and write them in container.env.",
        ),
        log=texts(r"^orch: (?P<file>\S.*) ended the shell that was to go on"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="program-file-missing",
        title="a program of orch is not in the deployment's folder: {program}",
        why=(
            "The container's command starts programs of orch from the deployment's folder on the node, which it sees "
            "as /run/orch. Something emptied that folder, the lines before a printed docker run were left out, or the "
            "container's user may not read it."
        ),
        advice=(
            "End the deployment and start it anew: orch down   then: orch up",
            "By hand: first the lines that orch plan prints before docker run, on a machine that has orch.",
            "Does something clean up the state folder? Choose another with ORCH_STATE_DIR.",
        ),
        log=texts(
            r"can't open file '(?P<program>/run/orch/[\w.]+)'",
            r"^bash: (?P<program>/run/orch/[\w.]+): (?:No such file or directory|Permission denied)$",
        ),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="not-executable",
        title="the command cannot be executed",
        why="The file is there but is no program, is one for another machine, or lacks the permission.",
        advice=(
            "Check server.command.",
            "Check that the image is for this machine: docker image inspect --format '{{.Architecture}}' IMAGE",
        ),
        log=texts(
            r"FATAL tini \(\d+\)\] exec (?P<command>\S+) failed: (?:Permission denied|Exec format error)",
            r"cannot execute binary file|[Ee]xec format error",
            r"(?:line|sh:) \d+: (?P<command>[\w./+-]+): Permission denied$",
            r"^(?P<command>/\S+): \S*/python[\d.]*: Permission denied$|: bad interpreter: ",
            r"env: [‘'\"]?(?P<command>[\w./+-]+)[’'\"]?: Permission denied",
        ),
        source=texts(r"raise child_exception_type\(.*(?:PermissionError|OSError): .*: '(?P<command>[^']+)'"),
        engine=texts(r"exec: .*: permission denied|exec format error"),
        exit_codes=(126,),
    ),
)

"""Causes in users, permissions and limits: what the kernel and the container refuse to the server's processes."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="user-without-name",
        title="the server's user {uid} has no name in the image",
        why=(
            "container.user is a number that the image's /etc/passwd does not list; torch asks for the user's "
            "name to "
            "find its cache, and gets none."
        ),
        advice=(
            "Set USER to any name and HOME to a folder that this user may write, such as /tmp, in server.env.",
            "Or let the server run as root: no container.user.",
            "Or mount a passwd file that lists the user: /etc/passwd:/etc/passwd:ro in container.mounts.",
        ),
        log=texts(
            r"KeyError: ['\"]getpwuid\(\): uid not found: (?P<uid>\d+)",
            r"OSError: No username set in the environment",
        ),
    ),
    Rule(
        id="threads-refused",
        title="the kernel refuses new threads or processes",
        why=(
            "Either the seccomp profile of an old Docker (20.10 before 20.10.10) forbids how newer images make "
            "threads, or a limit on processes is reached."
        ),
        advice=(
            "Try container.security_opt: [seccomp=unconfined]; if that helps, update Docker on the node.",
            "Raise the limit on processes: container.ulimits: {nproc: -1}; see pids_limit: docker inspect CONTAINER.",
            "On a node with many cores let libraries start fewer threads: OMP_NUM_THREADS: 8 in server.env.",
        ),
        log=texts(
            r"BlockingIOError: \[Errno 11\] Resource temporarily unavailable$",
            r"pthread_create failed|can't start new thread|[Tt]hread creation failed",
            r"what\(\): +(?:Operation not permitted|Resource temporarily unavailable)",
            r"pthread_create\S*: (?:Operation not permitted|Resource temporarily unavailable)",
            r"(?:Operation not permitted|Resource temporarily unavailable) \(src/thread\.cpp",
            r"^RuntimeError: (?:Operation not permitted|Resource temporarily unavailable)$",
            r"ThreadPoolBuildError|fork: (?:retry: )?Resource temporarily unavailable",
            r"Can't create new thread|failed to create thread|unable to create new (?:native )?thread",
        ),
        source=texts(r"fork\w*\(.* → BlockingIOError: "),
        notes={
            "Operation not permitted": "Operation not permitted is what a seccomp profile answers.",
            "Resource temporarily unavailable": (
                "Resource temporarily unavailable is what a limit on processes answers."
            ),
        },
    ),
    Rule(
        id="too-many-open-files",
        title="a process may not open more files",
        why=(
            "The container's limit on open files is reached: each worker opens hundreds (weights, kernels, sockets), "
            "with many devices thousands."
        ),
        advice=(
            "Raise it: container.ulimits: {nofile: 1048576}",
            "If {file} is not in the image at all, the image lacks kernels for this device: use another one.",
        ),
        log=texts(
            r"received 0 items of ancdata",
            r"(?<!`)OSError: \[Errno 24\] Too many open files(?!`)",
            r"(?<!Errno 24\] )Too many open files(?!`)",
            r"rocblaslt error: Could not load (?P<file>\S+)",
        ),
    ),
    Rule(
        id="memlock-limit",
        title="not enough memory may be locked for the network card",
        why="InfiniBand and RDMA register memory with the card, which counts against the limit on locked memory.",
        advice=(
            "Take the limit away: container.ulimits: {memlock: -1}",
            "Or do without the card: NCCL_IB_DISABLE: 1 in server.env, on a single node it is not needed.",
        ),
        log=texts(
            r"ibv_(?:create_\w+|reg_\w+|modify_\w+|alloc_\w+) failed.*Cannot allocate memory",
        ),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="library-not-permitted",
        title="a shared library may not be read: {library}",
        why="The file is there, but the server's user may not read it, or it lies where nothing may be executed.",
        advice=(
            "Check its permissions and those of each folder above it: namei -l {library} in the container.",
            "Let the server run as root (no container.user), or give its user the group: container.group_add.",
            (
                "If it is mounted, check the folder on the node (container.mounts), SELinux, and the mount option "
                "noexec."
            ),
        ),
        log=texts(
            r"error while loading shared libraries: (?P<library>[^:\s]+): .*: Permission denied",
            r"Error: .*?(?P<library>[\w/+.-]+\.so[\w.]*): cannot open shared object file: Permission denied",
            r"Error: .*?(?P<library>[\w/+.-]+\.so[\w.]*): failed to map segment from shared object",
        ),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="numa-blocked",
        title="the container may not bind memory to NUMA nodes",
        why=(
            "Docker's default seccomp profile refuses set_mempolicy, get_mempolicy and mbind without the "
            "capability SYS_NICE."
        ),
        advice=(
            "Add SYS_NICE to container.cap_add.",
            (
                "Or leave the binding out: VLLM_NUMA_BIND in server.env, server.flags.numa-bind, numactl in "
                "server.command."
            ),
        ),
        log=texts(
            r"This system does not support NUMA policy",
            (
                r"(?:set_mempolicy|get_mempolicy|mbind|setting membind|setting interleave mask"
                r"|set_mempolicy_home_node|migrate_pages)\S*: Operation not permitted"
            ),
            r"numa\w*.*Operation not permitted|numa_\w+ failed\W{1,3}(?:\(|with )?errno:? 1\b",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="numa-node-missing",
        title="a NUMA node or CPU that a process is to be bound to does not exist",
        why="The container may use other nodes and CPUs than the binding names.",
        advice=(
            (
                "Correct the node numbers: VLLM_RANKn_NUMA and VLLM_CPU_OMP_THREADS_BIND in server.env, numactl in "
                "server.command."
            ),
            "Check container.cpuset_cpus and container.cpuset_mems; see: numactl -H",
        ),
        log=texts(
            r"libnuma: Warning: (?:node|cpu) argument \S+ is out of range",
            r"^<\d+> is invalid$",
            r"(?:sched_setaffinity|set_mempolicy|mbind)\S*: Invalid argument",
            r"NUMA binding was requested, but|exceeds numa_bind_(?:nodes|cpus) size",
        ),
    ),
    Rule(
        id="permission-denied",
        title="the server's user may not read or write something",
        why="A file or folder belongs to somebody else, or is mounted read-only.",
        advice=(
            "Check who may read {path} on the node, and container.user.",
            (
                "A cache needs to be written: mount a folder on /root/.cache, or set HF_HOME and VLLM_CACHE_ROOT "
                "in server.env."
            ),
        ),
        log=texts(
            r"PermissionError at \S+ when downloading|Permission denied \(os error 13\)|ZMQError: Permission denied",
            r"PermissionError: \[Errno 13\] Permission denied: '(?P<path>[^']*)'",
            r"\[Errno 30\] Read-only file system: '(?P<path>[^']*)'",
            r"PermissionError: |\[Errno 30\] Read-only file system|No usable temporary directory found",
        ),
    ),
)

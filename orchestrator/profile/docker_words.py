"""Words of `docker run`, compose files and scripts that a profile says otherwise, or has no need of.

Each has a sentence that names the way out. A word is looked up without its dashes, in small letters, with `_` for `-`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.profile.pod_words import POD_WORDS

if TYPE_CHECKING:
    from orchestrator.profile.tree import Keys

_PORTS = "the server's port on the node is server.port, that in the container server.container_port"
_COMMAND = "the command is server.command, with server.model and server.flags after it"
_ALONE = "one container serves and is measured; what it needs beside it must run before orch does"
_ENDS = "orch starts the server again itself where that helps, and removes it when the work is done; leave it out"
_HEALTH = "orch asks the server itself whether it is healthy; how long it may take is health.deadline"
_STOP = "orch itself stops the server, with SIGTERM and then SIGKILL; leave it out"
_BATCH = "the server runs without a terminal, in the background; leave it out"
_BLOCK_IO = "orch limits no disk; leave it out"
_CPU_TIME = "the limit of CPU time is container.cpus, quota divided by period"
_NETWORK = "a container has one network, container.network, and only this node asks it; leave it out"
_GPUS = "accelerators are container.gpus or container.devices"

MEANT = {
    "add_host": "container.extra_hosts", "c": "container.cpu_shares", "cap": "container.cap_add",
    "cgroup": "container.cgroupns",
    "cpu": "container.cpus", "cpuset": "container.cpuset_cpus", "device": "container.devices",
    "device_cgroup_rule": "container.device_cgroup_rules", "dns_opt": "container.dns_options",
    "dns_option": "container.dns_options", "domain_name": "container.domainname", "e": "container.env",
    "environment": "container.env", "envs": "container.env", "env_files": "container.env_file",
    "gpu": "container.gpus", "group": "container.group_add", "groups": "container.group_add", "h": "container.hostname",
    "image_name": "container.image", "ipc_mode": "container.ipc", "l": "container.labels", "label": "container.labels",
    "log_opt": "container.log_options", "log_opts": "container.log_options", "m": "container.memory",
    "mem_limit": "container.memory", "mem_reservation": "container.memory_reservation",
    "mem_swappiness": "container.memory_swappiness", "memswap_limit": "container.memory_swap",
    "mount": "container.mounts", "net": "container.network", "network_mode": "container.network",
    "pid_mode": "container.pid", "pull_policy": "container.pull", "security_opts": "container.security_opt",
    "shm": "container.shm_size", "sysctl": "container.sysctls", "u": "container.user", "ulimit": "container.ulimits",
    "userns_mode": "container.userns", "uts_mode": "container.uts", "v": "container.mounts",
    "volume": "container.mounts", "volumes": "container.mounts", "w": "container.workdir",
    "working_dir": "container.workdir", "work_dir": "container.workdir",
}  # fmt: skip
"""Words that mean one key, by that key."""

SENTENCES = {
    **dict.fromkeys(("ports", "port", "p", "publish", "expose", "publish_all"), _PORTS),
    **dict.fromkeys(("command", "cmd", "entrypoint", "args", "arguments"), _COMMAND),
    **dict.fromkeys(("restart", "restart_policy"), _ENDS),
    **dict.fromkeys(("rm", "auto_remove"), "orch removes the container itself, and keeps its log; leave it out"),
    **dict.fromkeys(("healthcheck", "health_cmd", "health_interval", "health_retries", "health_timeout"), _HEALTH),
    **dict.fromkeys(("health_start_period", "health_start_interval", "no_healthcheck"), _HEALTH),
    **dict.fromkeys(("stop_timeout", "stop_grace_period", "stop_signal"), _STOP),
    **dict.fromkeys(("stdin_open", "tty", "interactive", "detach", "attach", "i", "t", "d", "it", "a"), _BATCH),
    **dict.fromkeys(("detach_keys", "sig_proxy", "quiet", "q", "cidfile"), _BATCH),
    **dict.fromkeys(("depends_on", "links", "link", "volumes_from", "external_links"), _ALONE),
    **dict.fromkeys(("services", "scale", "secrets", "configs", "profiles", "networks", "develop", "include"), _ALONE),
    **dict.fromkeys(("models", "provider"), _ALONE),
    **dict.fromkeys(("annotation", "annotations"), "orch passes no annotations to the runtime; leave it out"),
    **dict.fromkeys(("extends", "extends_from"), "the profiles that this one is laid over are extends, at the top"),
    **dict.fromkeys(
        ("post_start", "pre_stop"),
        "what is to run before the server is container.source, or a script in server.command",
    ),
    **dict.fromkeys(
        ("network_alias", "ip", "ip6", "link_local_ip", "mac_address"),
        _NETWORK,
    ),
    **dict.fromkeys(("blkio_config", "blkio_weight", "blkio_weight_device", "device_read_bps"), _BLOCK_IO),
    **dict.fromkeys(("device_read_iops", "device_write_bps", "device_write_iops", "storage_opt"), _BLOCK_IO),
    **dict.fromkeys(("cpu_quota", "cpu_period", "cpu_count", "cpu_percent"), _CPU_TIME),
    **dict.fromkeys(("cpu_rt_period", "cpu_rt_runtime"), "orch gives no realtime scheduling; leave it out"),
    **dict.fromkeys(("deploy", "resources"), f"{_GPUS}, limits container.memory and container.cpus"),
    **dict.fromkeys(("name", "container_name"), "the container is called orch-NAME after the deployment: --name"),
    "build": "orch builds no image; build it before and name it in container.image",
    "init": "orch always runs an init in the container; leave it out",
    "version": "a profile is no compose file, and has no version; leave it out",
    "logging": "the driver is container.log_driver, its options are container.log_options",
    "isolation": "that is for Windows; leave it out",
    "kernel_memory": "the kernel no longer limits it; leave it out",
    "credential_spec": "that is for Windows; leave it out",
    "disable_content_trust": "name the image by its digest instead, and leave it out",
    "label_file": "write the labels into container.labels",
    "runtime_args": "the runtime is container.runtime; its options are the node's",
    "volume_driver": "make the volume before (docker volume create --driver …), then name it in container.mounts",
    "attach_stdout": _BATCH,
    "use_api_socket": "orch hands no engine's socket to the container; container.mounts can, if it must be",
    "model": "the model is server.model",
}
"""Words that no key stands for alone, or that are not needed, each with what to do."""

OF_MOUNTS = {
    "src": "source", "dst": "target", "destination": "target", "readonly": "read_only", "ro": "read_only",
    "bind_propagation": "propagation", "volume_nocopy": "no_copy", "bind": "propagation", "volume": "no_copy",
    "consistency": "", "tmpfs": "",
}  # fmt: skip
"""Docker's words inside a mount, by ours; an empty one is for what has no effect here."""

SECTIONS: tuple[Keys, ...] = ((), ("container",), ("server",))


def way_out(keys: Keys) -> str | None:
    """Return what to write for a key that a profile does not have; None for a word that docker has neither."""
    word = str(keys[-1]).lstrip("-").lower().replace("-", "_")
    if keys[:2] == ("container", "mounts") and word in OF_MOUNTS:
        ours = OF_MOUNTS[word]
        return f"here it is '{ours}'" if ours else "it has no effect here: leave it out, a tmpfs is container.tmpfs"
    if keys[:-1] not in SECTIONS:
        return None
    meant = MEANT.get(word)
    if meant is None:
        return SENTENCES.get(word) or POD_WORDS.get(word)
    return f"here it is {meant}"

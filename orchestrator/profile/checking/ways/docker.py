"""Words of `docker run`, compose files and scripts that a profile says otherwise, or has no need of.

A word is looked up without its dashes, in small letters, with `_` for `-`.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.schema.keys import valid_keys
from orchestrator.profile.text.tree import Keys


def _to(how: str) -> WayOut:
    return WayOut(how=how)


def _left_out(why: str) -> WayOut:
    return WayOut(how=why, leave_out=True)


_PORTS = _to("the server's port on the node is server.port, that in the container server.container_port")
_COMMAND = _to("the command is server.command, with server.model and server.flags after it")
_ALONE = _to("one container serves and is measured; what it needs beside it must run before orch does")
_ENDS = _left_out("orch starts the server again itself where that helps, and removes it when the work is done")
_HEALTH = _to("orch asks the server itself whether it is healthy; how long it may take is health.deadline")
_STOP = _left_out("orch itself stops the server, with SIGTERM and then SIGKILL")
_BATCH = _left_out("the server runs without a terminal, in the background")
_BLOCK_IO = _left_out("orch limits no disk")
_CPU_TIME = _to("the limit of CPU time is container.cpus, quota divided by period")
_NETWORK = _left_out("a container has one network, container.network, and only this node asks it")
_DEPLOY = _to("accelerators are container.gpus or container.devices, limits container.memory and container.cpus")
_BEFORE = _to("what is to run before the server is container.source, or a script in server.command")

_KEYS = {
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
"""Words that mean one key, with that key."""

WORDS: dict[str, WayOut] = {
    **{word: WayOut(key=key) for word, key in _KEYS.items()},
    **dict.fromkeys(("ports", "port", "p", "publish", "expose", "publish_all"), _PORTS),
    **dict.fromkeys(("command", "cmd", "entrypoint", "args", "arguments"), _COMMAND),
    **dict.fromkeys(("restart", "restart_policy"), _ENDS),
    **dict.fromkeys(("rm", "auto_remove"), _left_out("orch removes the container itself, and keeps its log")),
    **dict.fromkeys(("healthcheck", "health_cmd", "health_interval", "health_retries", "health_timeout"), _HEALTH),
    **dict.fromkeys(("health_start_period", "health_start_interval", "no_healthcheck"), _HEALTH),
    **dict.fromkeys(("stop_timeout", "stop_grace_period", "stop_signal"), _STOP),
    **dict.fromkeys(("stdin_open", "tty", "interactive", "detach", "attach", "i", "t", "d", "it", "a"), _BATCH),
    **dict.fromkeys(("detach_keys", "sig_proxy", "quiet", "q", "cidfile", "attach_stdout"), _BATCH),
    **dict.fromkeys(("depends_on", "links", "link", "volumes_from", "external_links"), _ALONE),
    **dict.fromkeys(("services", "scale", "secrets", "configs", "profiles", "networks", "develop", "include"), _ALONE),
    **dict.fromkeys(("models", "provider"), _ALONE),
    **dict.fromkeys(("annotation", "annotations"), _left_out("orch passes no annotations to the runtime")),
    **dict.fromkeys(
        ("extends", "extends_from"), _to("the profiles that this one is laid over are extends, at the top")
    ),
    **dict.fromkeys(("post_start", "pre_stop"), _BEFORE),
    **dict.fromkeys(("network_alias", "ip", "ip6", "link_local_ip", "mac_address"), _NETWORK),
    **dict.fromkeys(("blkio_config", "blkio_weight", "blkio_weight_device", "device_read_bps"), _BLOCK_IO),
    **dict.fromkeys(("device_read_iops", "device_write_bps", "device_write_iops", "storage_opt"), _BLOCK_IO),
    **dict.fromkeys(("cpu_quota", "cpu_period", "cpu_count", "cpu_percent"), _CPU_TIME),
    **dict.fromkeys(("cpu_rt_period", "cpu_rt_runtime"), _left_out("orch gives no realtime scheduling")),
    **dict.fromkeys(("deploy", "resources"), _DEPLOY),
    **dict.fromkeys(("name", "container_name"), _to("the container is called orch-NAME after the deployment: --name")),
    **dict.fromkeys(("isolation", "credential_spec"), _left_out("that is for Windows")),
    "build": _to("orch builds no image; build it before and name it in container.image"),
    "init": _left_out("orch always runs an init in the container"),
    "version": _left_out("a profile is no compose file, and has no version"),
    "logging": _to("the driver is container.log_driver, its options are container.log_options"),
    "kernel_memory": _left_out("the kernel no longer limits it"),
    "disable_content_trust": _to("name the image by its digest instead, and leave it out"),
    "label_file": _to("write the labels into container.labels"),
    "runtime_args": _to("the runtime is container.runtime; its options are the node's"),
    "volume_driver": _to("make the volume before (docker volume create --driver …), then name it in container.mounts"),
    "use_api_socket": _to("orch hands no engine's socket to the container; container.mounts can, if it must be"),
    "model": _to("the model is server.model"),
}
"""Words that stand where a profile has the keys of a container, each with what to write."""

_NO_EFFECT = _to("it has no effect here: leave it out, a tmpfs is container.tmpfs")
OF_MOUNTS: dict[str, WayOut] = {
    **dict.fromkeys(("src",), WayOut(key="'source'")),
    **dict.fromkeys(("dst", "destination"), WayOut(key="'target'")),
    **dict.fromkeys(("readonly", "ro"), WayOut(key="'read_only'")),
    **dict.fromkeys(("bind_propagation", "bind"), WayOut(key="'propagation'")),
    **dict.fromkeys(("volume_nocopy", "volume"), WayOut(key="'no_copy'")),
    **dict.fromkeys(("consistency", "tmpfs"), _NO_EFFECT),
}
"""Docker's words inside a mount."""

SERVER: Keys = ("server",)
SECTIONS: tuple[Keys, ...] = ((), ("container",), SERVER)


def of_key(keys: Keys, _: object) -> WayOut | None:
    """Return what to write for a key that a profile does not have; None for a word that docker has neither."""
    word = str(keys[-1]).lstrip("-").lower().replace("-", "_")
    if keys[:2] == ("container", "mounts") and word in OF_MOUNTS:
        return OF_MOUNTS[word]
    found = WORDS.get(word) if keys[:-1] in SECTIONS else None
    if found is None or keys[:-1] != SERVER:
        return found
    name = found.key.rpartition(".")[2]
    return replace(found, key=f"server.{name}") if name in valid_keys(SERVER) else found

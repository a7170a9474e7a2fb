"""A container spec as the arguments of docker-py's low-level create call."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import docker
from docker.types import DeviceRequest, Mount, Ulimit

from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.plan.container import ContainerSpec
from orchestrator.plan.docker_run import bind_text
from orchestrator.profile.schema.devices import GpuRequest, cdi_names, nodes
from orchestrator.profile.schema.docker_options import DockerOptions
from orchestrator.profile.schema.values import MountSpec
from orchestrator.text import Text

NANO = 10**9

SPACE_OR_STRING = re.compile(r'("(?:\\.|[^"\\])*")|\s+')
"""What stands between the tokens of a JSON text, and the strings in which it must stay."""
UNMASKED = "systempaths=unconfined"
"""A security option that the docker client turns into two other settings."""


def create_arguments(api: docker.APIClient, spec: ContainerSpec) -> dict[str, Any]:
    """Return the arguments of `APIClient.create_container` for the same container as the `docker run` line gives.

    Raises:
        UsageError: Nobody has put in the variables that come from elsewhere.
        EnvironmentFault: A seccomp profile cannot be read.
    """
    if left := (*spec.inherited, *spec.options.env_file):
        raise UsageError(
            Text(
                "the container {spec} would go without {left}: its variables are not put in yet",
                spec=spec.name,
                left=", ".join(left),
            ),
            "Pass the profile through orchestrator.profile.inherited.with_values before it is started.",
        )
    ports: list[tuple[int, str]] = []
    bindings: dict[int | str, Any] = {}
    if spec.publish is not None:
        host, port, inside = spec.publish
        ports = [(inside, "tcp")]
        bindings = {f"{inside}/tcp": [(host, port)]}
    host_config = api.create_host_config(
        init=True,
        network_mode=spec.network,
        port_bindings=bindings,
        mounts=[_mount(mount) for mount in spec.mounts if mount.selinux is None],
        binds=[bind_text(mount) for mount in spec.mounts if mount.selinux is not None] or None,
        devices=[f"{device.source}:{device.target}:{device.permissions}" for device in nodes(spec.devices)],
        device_requests=_device_requests(spec),
        shm_size=spec.shm_size,
        ipc_mode=spec.ipc,
        privileged=spec.privileged,
        security_opt=[_security_option(option) for option in spec.security_opt if option != UNMASKED] or None,
        group_add=list(spec.group_add) or None,
        cap_add=list(spec.cap_add) or None,
        cap_drop=list(spec.cap_drop) or None,
        ulimits=[Ulimit(name=name, soft=limit.soft, hard=limit.hard) for name, limit in spec.ulimits.items()] or None,
        cpuset_cpus=spec.cpuset_cpus,
        cpuset_mems=spec.cpuset_mems,
        mem_limit=spec.memory,
        runtime=spec.runtime,
        restart_policy={"Name": "no"},
    )
    host_config.update(host_settings(spec.options))
    if UNMASKED in spec.security_opt:
        host_config.update(MaskedPaths=[], ReadonlyPaths=[])
    return {
        "image": spec.image,
        "name": spec.name,
        "entrypoint": [spec.entrypoint],
        "command": list(spec.command),
        "labels": dict(spec.labels),
        "environment": [*(f"{name}={value}" for name, value in spec.env.items()), *spec.taken_away],
        "ports": ports or None,
        "user": spec.user,
        "working_dir": spec.options.workdir,
        "hostname": spec.options.hostname,
        "domainname": spec.options.domainname,
        "platform": spec.options.platform,
        "detach": True,
        "host_config": host_config,
    }


def host_settings(options: DockerOptions) -> dict[str, Any]:
    """Return settings of the engine's HostConfig by its own names; those that are not asked for are left out."""
    logging = {"Type": options.log_driver or "", "Config": dict(options.log_options)}
    asked = {
        "PidMode": options.pid,
        "UTSMode": options.uts,
        "UsernsMode": options.userns,
        "CgroupnsMode": options.cgroupns,
        "CgroupParent": options.cgroup_parent,
        "NanoCpus": None if options.cpus is None else round(options.cpus * NANO),
        "CpuShares": options.cpu_shares,
        "MemorySwap": options.memory_swap,
        "MemoryReservation": options.memory_reservation,
        "MemorySwappiness": options.memory_swappiness,
        "PidsLimit": options.pids_limit,
        "OomKillDisable": options.oom_kill_disable or None,
        "OomScoreAdj": options.oom_score_adj,
        "ReadonlyRootfs": options.read_only or None,
        "ExtraHosts": list(options.extra_hosts) or None,
        "Dns": list(options.dns) or None,
        "DnsSearch": list(options.dns_search) or None,
        "DnsOptions": list(options.dns_options) or None,
        "Tmpfs": dict(item.partition(":")[::2] for item in options.tmpfs) or None,
        "DeviceCgroupRules": list(options.device_cgroup_rules) or None,
        "Sysctls": dict(options.sysctls) or None,
        "LogConfig": logging if options.log_driver or options.log_options else None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _mount(mount: MountSpec) -> Mount:
    return Mount(
        mount.target,
        mount.source,
        type=mount.type,
        read_only=mount.read_only,
        propagation=mount.propagation,
        no_copy=mount.no_copy,
    )


def _security_option(option: str) -> str:
    """Return an option with the content of the seccomp profile that it names, as the docker client sends it."""
    name, value = re.split("[=:]", option, maxsplit=1) if re.search("[=:]", option) else (option, "")
    if name != "seccomp" or value in ("", "unconfined", "builtin"):
        return option
    try:
        text = Path(value).read_text(encoding="utf-8")
        json.loads(text)
        return "seccomp=" + SPACE_OR_STRING.sub(lambda match: match[1] or "", text)
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            Text("the seccomp profile {value} cannot be read: {error}", value=value, error=error),
            "Check container.security_opt.",
        ) from error


def _device_requests(spec: ContainerSpec) -> list[DeviceRequest] | None:
    """Return what the docker client sends for `--gpus` and for CDI devices, in its order (docker/cli, opts/gpus.go)."""
    requests = [] if spec.gpus is None else [_gpus(spec.gpus)]
    if names := cdi_names(spec.devices):
        requests.append(DeviceRequest(driver="cdi", device_ids=list(names)))
    return requests or None


def _gpus(gpus: str | int | tuple[str, ...] | GpuRequest) -> DeviceRequest:
    match gpus:
        case "all":
            return DeviceRequest(count=-1, capabilities=[["gpu"]])
        case int():
            return DeviceRequest(count=gpus, capabilities=[["gpu"]])
        case tuple():
            return DeviceRequest(device_ids=list(gpus), capabilities=[["gpu"]])
        case str():
            raise AssertionError(gpus)
    count = gpus.count if gpus.count is not None else 0 if gpus.device_ids else 1
    return DeviceRequest(
        driver=gpus.driver,
        count=count,
        device_ids=list(gpus.device_ids),
        capabilities=[[*gpus.capabilities, "gpu"]],
        options=dict(gpus.options),
    )

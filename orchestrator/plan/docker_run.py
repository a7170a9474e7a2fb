"""The `docker run` line that does by hand what orch asks the engine for; a test compares what both create."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable

from orchestrator.inside import FILES, in_container, supervisor
from orchestrator.plan.container import ContainerSpec
from orchestrator.profile.schema.devices import GpuRequest, cdi_names, nodes
from orchestrator.profile.schema.docker_options import DockerOptions
from orchestrator.profile.schema.values import MountSpec


def docker_run_argv(spec: ContainerSpec, verb: tuple[str, ...] = ("run", "--detach")) -> list[str]:
    """Return the arguments of `docker run --detach` (or of another verb, such as `create`) for a container."""
    return [*_docker(spec), *verb, *(word for option in _options(spec) for word in option), spec.image, *spec.command]


def docker_run_line(spec: ContainerSpec) -> str:
    """Return the line as one would paste it into a shell, an option a line."""
    words = [(*_docker(spec), "run", "--detach"), *_options(spec), (spec.image, *spec.command)]
    return " \\\n  ".join(shlex.join(line) for line in words)


def folder_lines(spec: ContainerSpec) -> tuple[str, ...]:
    """Return the lines that make the deployment's folder with the programs of the command, to be run before.

    None where the container sees no such folder.
    """
    folder = next((mount.source for mount in spec.mounts if mount.target == supervisor.FOLDER), None)
    if folder is None:
        return ()
    programs = [str(file) for file in FILES if in_container(file) in spec.command]
    return (shlex.join(["mkdir", "-p", "-m", "755", folder]), shlex.join(["install", "-m", "644", *programs, folder]))


def _docker(spec: ContainerSpec) -> tuple[str, ...]:
    """Return the client, without the variables of the shell that the image is to go without: it would pass them on."""
    unset = tuple(word for name in spec.taken_away for word in ("-u", name))
    return ("env", *unset, "docker") if unset else ("docker",)


def _options(spec: ContainerSpec) -> list[tuple[str, ...]]:
    single: tuple[tuple[str, str | int | None], ...] = (
        ("--name", spec.name),
        ("--gpus", None if spec.gpus is None else _gpus(spec.gpus)),
        ("--shm-size", spec.shm_size),
        ("--ipc", spec.ipc),
        ("--network", spec.network),
        ("--publish", None if spec.publish is None else _publish(*spec.publish)),
        ("--cpuset-cpus", spec.cpuset_cpus),
        ("--cpuset-mems", spec.cpuset_mems),
        ("--memory", spec.memory),
        ("--runtime", spec.runtime),
        ("--user", spec.user),
        ("--entrypoint", spec.entrypoint),
        *_single(spec.options),
    )
    repeated: tuple[tuple[str, Iterable[str]], ...] = (
        ("--label", [f"{name}={value}" for name, value in spec.labels.items()]),
        ("--device", [f"{device.source}:{device.target}:{device.permissions}" for device in nodes(spec.devices)]),
        ("--device", cdi_names(spec.devices)),
        ("--mount", [_mount(mount) for mount in spec.mounts if mount.selinux is None]),
        ("--volume", [bind_text(mount) for mount in spec.mounts if mount.selinux is not None]),
        ("--security-opt", spec.security_opt),
        ("--group-add", spec.group_add),
        ("--cap-add", spec.cap_add),
        ("--cap-drop", spec.cap_drop),
        ("--ulimit", [f"{name}={limit.soft}:{limit.hard}" for name, limit in spec.ulimits.items()]),
        ("--env", [*(f"{name}={value}" for name, value in spec.env.items()), *spec.inherited, *spec.taken_away]),
        *_repeated(spec.options),
    )
    switches = (
        ("--privileged", spec.privileged),
        ("--read-only", spec.options.read_only),
        ("--oom-kill-disable", spec.options.oom_kill_disable),
    )
    options: list[tuple[str, ...]] = [("--init",), *((switch,) for switch, on in switches if on)]
    options += [(flag, str(value)) for flag, value in single if value is not None]
    options += [(flag, value) for flag, values in repeated for value in values]
    return options


def _single(options: DockerOptions) -> tuple[tuple[str, str | int | None], ...]:
    return (
        ("--workdir", options.workdir),
        ("--hostname", options.hostname),
        ("--domainname", options.domainname),
        ("--pid", options.pid),
        ("--uts", options.uts),
        ("--userns", options.userns),
        ("--cgroupns", options.cgroupns),
        ("--cgroup-parent", options.cgroup_parent),
        ("--cpus", None if options.cpus is None else f"{options.cpus:.15g}"),
        ("--cpu-shares", options.cpu_shares),
        ("--memory-swap", options.memory_swap),
        ("--memory-reservation", options.memory_reservation),
        ("--memory-swappiness", options.memory_swappiness),
        ("--pids-limit", options.pids_limit),
        ("--oom-score-adj", options.oom_score_adj),
        ("--log-driver", options.log_driver),
        ("--platform", options.platform),
    )


def _repeated(options: DockerOptions) -> tuple[tuple[str, Iterable[str]], ...]:
    return (
        ("--env-file", options.env_file),
        ("--add-host", options.extra_hosts),
        ("--dns", options.dns),
        ("--dns-search", options.dns_search),
        ("--dns-option", options.dns_options),
        ("--tmpfs", options.tmpfs),
        ("--device-cgroup-rule", options.device_cgroup_rules),
        ("--sysctl", [f"{name}={value}" for name, value in options.sysctls.items()]),
        ("--log-opt", [f"{name}={value}" for name, value in options.log_options.items()]),
    )


def _mount(mount: MountSpec) -> str:
    fields = [f"type={mount.type}", f"source={mount.source}", f"target={mount.target}"]
    fields += ["readonly"] if mount.read_only else []
    fields += [f"bind-propagation={mount.propagation}"] if mount.propagation else []
    fields += ["volume-nocopy"] if mount.no_copy else []
    return _csv(fields)


def _csv(fields: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue().removesuffix("\n")


def bind_text(mount: MountSpec) -> str:
    """Return a mount as `docker run -v` writes it, which alone can label for SELinux."""
    options = [
        *(["ro"] if mount.read_only else []),
        *([mount.selinux] if mount.selinux else []),
        *([mount.propagation] if mount.propagation else []),
        *(["nocopy"] if mount.no_copy else []),
    ]
    return ":".join([mount.source, mount.target, *([",".join(options)] if options else [])])


def _publish(host: str, port: int, inside: int) -> str:
    return f"{f'[{host}]' if ':' in host else host}:{port}:{inside}"


def _gpus(gpus: str | int | tuple[str, ...] | GpuRequest) -> str:
    if isinstance(gpus, tuple):
        return f'"device={",".join(gpus)}"'
    if isinstance(gpus, str | int):
        return str(gpus)
    lists = (("device", gpus.device_ids), ("capabilities", gpus.capabilities))
    fields = [f"driver={gpus.driver}"] if gpus.driver else []
    fields += [f"count={gpus.count}"] if gpus.count is not None else []
    fields += [f"{key}={','.join(words)}" for key, words in lists if words]
    fields += [f"options={_csv(f'{name}={value}' for name, value in gpus.options.items())}"] if gpus.options else []
    return _csv(fields)

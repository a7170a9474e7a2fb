"""The `docker run` line that does by hand what orch asks the engine for; a test compares what both create."""

from __future__ import annotations

import csv
import io
import shlex
from typing import TYPE_CHECKING

from orchestrator.profile.devices import cdi_names, nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.plan.container import ContainerSpec
    from orchestrator.profile.devices import GpuRequest
    from orchestrator.profile.values import MountSpec


def docker_run_argv(spec: ContainerSpec, verb: tuple[str, ...] = ("run", "--detach")) -> list[str]:
    """Return the arguments of `docker run --detach` (or of another verb, such as `create`) for a container."""
    return ["docker", *verb, *(word for option in _options(spec) for word in option), spec.image, *spec.command]


def docker_run_line(spec: ContainerSpec) -> str:
    """Return the line as one would paste it into a shell, an option a line."""
    words = [("docker", "run", "--detach"), *_options(spec), (spec.image, *spec.command)]
    return " \\\n  ".join(shlex.join(line) for line in words)


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
    )
    repeated: tuple[tuple[str, Iterable[str]], ...] = (
        ("--label", [f"{name}={value}" for name, value in spec.labels.items()]),
        ("--device", [f"{device.source}:{device.target}:{device.permissions}" for device in nodes(spec.devices)]),
        ("--device", cdi_names(spec.devices)),
        ("--mount", [_mount(mount) for mount in spec.mounts]),
        ("--security-opt", spec.security_opt),
        ("--group-add", spec.group_add),
        ("--cap-add", spec.cap_add),
        ("--cap-drop", spec.cap_drop),
        ("--ulimit", [f"{name}={limit.soft}:{limit.hard}" for name, limit in spec.ulimits.items()]),
        ("--env", [f"{name}={value}" for name, value in spec.env.items()]),
    )
    options: list[tuple[str, ...]] = [("--init",), *([("--privileged",)] if spec.privileged else [])]
    options += [(flag, str(value)) for flag, value in single if value is not None]
    options += [(flag, value) for flag, values in repeated for value in values]
    return options


def _mount(mount: MountSpec) -> str:
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    return _csv(fields + (["readonly"] if mount.read_only else []))


def _csv(fields: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue().removesuffix("\n")


def _publish(host: str, port: int) -> str:
    return f"{f'[{host}]' if ':' in host else host}:{port}:{port}"


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

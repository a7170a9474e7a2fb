"""The `docker run` line that does by hand what orch asks the engine for; a test compares what both create."""

from __future__ import annotations

import csv
import io
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.plan.container import ContainerSpec
    from orchestrator.profile.schema import MountSpec


def docker_run_argv(spec: ContainerSpec, verb: str = "run") -> list[str]:
    """Return the arguments of `docker run --detach` (or of another verb, such as `create`) for a container."""
    argv = ["docker", verb, *(["--detach"] if verb == "run" else []), "--init", "--name", spec.name]
    for name, value in spec.labels.items():
        argv += ["--label", f"{name}={value}"]
    for device in spec.devices:
        argv += ["--device", f"{device.source}:{device.target}:{device.permissions}"]
    if spec.gpus is not None:
        argv += ["--gpus", spec.gpus if isinstance(spec.gpus, str) else _gpus(spec.gpus)]
    for mount in spec.mounts:
        argv += ["--mount", _mount(mount)]
    limits: tuple[tuple[str, str | int | None], ...] = (
        ("--shm-size", spec.shm_size),
        ("--ipc", spec.ipc),
        ("--network", spec.network),
        ("--cpuset-cpus", spec.cpuset_cpus),
        ("--cpuset-mems", spec.cpuset_mems),
        ("--memory", spec.memory),
        ("--runtime", spec.runtime),
        ("--user", spec.user),
    )
    for flag, value in limits:
        if value is not None:
            argv += [flag, str(value)]
    if spec.publish is not None:
        host, port = spec.publish
        argv += ["--publish", f"{f'[{host}]' if ':' in host else host}:{port}:{port}"]
    if spec.privileged:
        argv.append("--privileged")
    for flag, values in (
        ("--security-opt", spec.security_opt),
        ("--group-add", spec.group_add),
        ("--cap-add", spec.cap_add),
        ("--cap-drop", spec.cap_drop),
        ("--ulimit", [f"{name}={limit.soft}:{limit.hard}" for name, limit in spec.ulimits.items()]),
        ("--env", [f"{name}={value}" for name, value in spec.env.items()]),
    ):
        for item in values:
            argv += [flag, item]
    return [*argv, "--entrypoint", spec.entrypoint, spec.image, *spec.command]


def docker_run_line(spec: ContainerSpec) -> str:
    """Return the line as one would paste it into a shell, an option a line."""
    argv = docker_run_argv(spec)
    words = [shlex.quote(word) for word in argv]
    image = len(words) - len(spec.command) - 1
    lines, index = [" ".join(words[:2])], 2
    while index < image:
        step = 2 if not words[index + 1].startswith("--") and index + 1 < image else 1
        lines.append(" ".join(words[index : index + step]))
        index += step
    lines.append(" ".join(words[image:]))
    return " \\\n  ".join(lines)


def _mount(mount: MountSpec) -> str:
    buffer = io.StringIO()
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    csv.writer(buffer, lineterminator="").writerow(fields + (["readonly"] if mount.read_only else []))
    return buffer.getvalue()


def _gpus(gpus: int | tuple[str, ...]) -> str:
    return str(gpus) if isinstance(gpus, int) else f'"device={",".join(gpus)}"'

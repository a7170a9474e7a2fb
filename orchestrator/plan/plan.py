"""The whole plan of a profile as plain data: what `orch plan` shows and what a run will do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from orchestrator.plan.bench_command import bench_argv, client_target
from orchestrator.plan.claims import Held, holding
from orchestrator.plan.container import BY_HAND, ContainerSpec, Identity, container_spec, server_argv
from orchestrator.plan.docker_run import docker_run_line, folder_lines
from orchestrator.plan.estimate import Estimated, estimate
from orchestrator.plan.sweep import sweep, warmups
from orchestrator.plan.weakening import weakenings
from orchestrator.profile.flags import warnings
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.client import LATEST, dialect_of
from orchestrator.vllm.versions import planned_version
from orchestrator.workload.point import Measurement


@dataclass(frozen=True)
class PlannedMeasurement:
    """A measurement and the command that takes it."""

    measurement: Measurement
    command: str


@dataclass(frozen=True)
class Plan:
    """What a profile comes to."""

    spec: ContainerSpec
    docker_run: str
    before_docker_run: tuple[str, ...]
    """Lines that make the folder which the container mounts."""
    serve: str
    """The server's command alone."""
    vllm_version: str
    """Version whose client the commands are written for; the run asks the image."""
    assumed: bool
    """The version is a guess, because the image's name does not say."""
    warmups: tuple[PlannedMeasurement, ...]
    measurements: tuple[PlannedMeasurement, ...]
    held: Held
    """What no other deployment of the node may hold meanwhile; the node may add to it."""
    weakenings: tuple[str, ...]
    flags: tuple[str, ...]
    """Flags that the version which the image's name tells does not know, or not for long."""
    estimate: Estimated


def plan(profile: Profile, name: str, folder: str) -> Plan:
    """Return the plan of a profile.

    Args:
        profile: The resolved profile.
        name: Name of the deployment.
        folder: Path on the node of the deployment's folder, as the printed line mounts it.
    """
    spec = container_spec(profile, Identity(name, BY_HAND, folder))
    named = planned_version(profile.container.image)
    version = named or LATEST
    bench = profile.bench
    planned = [] if bench is None else [_planned(profile, bench, item, version) for item in sweep(bench)]
    warm = [] if bench is None else [_planned(profile, bench, item, version) for item in warmups(bench)]
    return Plan(
        spec=spec,
        docker_run=docker_run_line(spec),
        before_docker_run=folder_lines(spec),
        serve=shlex.join(server_argv(profile)),
        vllm_version=version,
        assumed=named is None,
        warmups=tuple(warm),
        measurements=tuple(planned),
        held=holding(profile),
        weakenings=tuple(weakenings(profile.container)),
        flags=tuple(warnings(profile, None)),
        estimate=estimate(profile),
    )


def _planned(profile: Profile, bench: Bench, measurement: Measurement, version: str) -> PlannedMeasurement:
    argv = bench_argv(bench.client, client_target(profile), measurement, dialect_of(bench.client, version))
    return PlannedMeasurement(measurement, shlex.join(argv))

"""Runs the sweep of a profile, or the missing part of it, on one server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.deployment.attach import whole_log
from orchestrator.deployment.running import Deployment
from orchestrator.deployment.server import Server
from orchestrator.errors import EngineError
from orchestrator.events import Listener
from orchestrator.files import write_atomic
from orchestrator.measuring.abilities import check_abilities, seen_dataset
from orchestrator.measuring.driver import Client, Driver
from orchestrator.measuring.events import ClientNotAsked, ClientsApart
from orchestrator.measuring.measure import Sweep
from orchestrator.measuring.repetitions import further
from orchestrator.measuring.resume import COMPARED, check_client, check_image
from orchestrator.plan.fingerprints import environment_fingerprint, server_fingerprint, workload_fingerprint
from orchestrator.plan.suits import bench_of, check_context
from orchestrator.plan.sweep import measurements, points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.format.records import DeploymentFacts, Fingerprints, NodeFacts, RunState
from orchestrator.runs.run import Run
from orchestrator.vllm.client import is_rust


@dataclass(frozen=True)
class Serving:
    """A healthy server, and the driver in its container if one was started while it loaded."""

    deployment: Deployment
    driver: Driver | None = None


@contextlib.contextmanager
def under_way(directory: Run, profile: Profile, serving: Serving, tell: Listener) -> Iterator[Sweep]:
    """Record a run's server and client, and yield its sweep; each measurement is on disk as soon as it has ended.

    Args:
        directory: The run.
        profile: Its profile.
        serving: The server.
        tell: Told what happens.

    Raises:
        ServerFailed: When the server has died more often than it may be started again.
        BenchmarkFailed: When the image has no benchmark client.
        EnvironmentFault: When its client cannot do what the sweep asks, or the prompts are not those on record.
        UsageError: When the run was begun with another image.
    """
    bench, deployment = bench_of(profile), serving.deployment
    check_context(bench, deployment.max_model_len)
    check_image(directory, deployment.image.id)
    facts = deployment_facts(profile, deployment)
    directory.update(
        state=RunState.RUNNING,
        cause=None,
        ended=None,
        done=None,
        earlier=(*directory.manifest().earlier, *directory.manifest().members),
        members=(facts,),
        points=_points(directory, bench),
        fingerprints=fingerprints(profile, directory.manifest().node, deployment.image.id),
    )
    log = directory.server_log
    server = Server(profile, deployment, log, tell, bench.stall)
    sweep = Sweep(server, profile, bench, directory, tell, serving.driver)
    try:
        client = sweep.client()
        directory.update(dataset=seen_dataset(bench.dataset, directory.manifest().dataset, client))
        check_abilities(bench, client)
        facts = with_client(facts, client)
        check_client(directory, facts)
        for point, repetition in directory.missing():
            directory.set_aside(point, repetition)
        directory.update(members=(facts,))
        if not client.fork and not is_rust(client.name):  # a program of its own has nothing to import
            tell(ClientsApart(client.reason))
        if client.unasked:
            tell(ClientNotAsked(client.name, client.unasked))
        yield sweep
    finally:
        sweep.close()
        with contextlib.suppress(EngineError):  # the log that was followed is there, and why there is no more is known
            write_atomic(log, whole_log(deployment))


def take_missing(sweep: Sweep, profile: Profile) -> None:
    """Take a run's missing measurements, and the further repetitions that its results ask for."""
    bench, directory = bench_of(profile), sweep.directory
    round_ = measurements(bench, directory.missing())
    while True:
        for _ in sweep.run(round_):
            pass  # each is on record
        round_ = further(bench, directory.records())
        if not round_:
            return
        directory.plan_further(round_)


def _points(directory: Run, bench: Bench) -> dict[str, dict[str, Any]]:
    """Return what each point of a run is; an earlier format did not say it."""
    manifest = directory.manifest()
    named = {point for point, _ in manifest.measurements}
    planned = {point.id: point.parameters() for point in points(bench) if point.id in named}
    return {**planned, **manifest.points}


def fingerprints(profile: Profile, node: NodeFacts | None = None, image_id: str | None = None) -> Fingerprints:
    """Return the fingerprints of a run, without that of the environment until its image is known."""
    where = None
    if node is not None and image_id is not None:
        where = environment_fingerprint(profile, image_id, node.model_dump(mode="json", include=set(COMPARED)))
    return Fingerprints(workload=workload_fingerprint(profile), server=server_fingerprint(profile), environment=where)


def deployment_facts(profile: Profile, deployment: Deployment) -> DeploymentFacts:
    """Return the facts of a deployment, as a run records them."""
    return DeploymentFacts(
        name=deployment.identity.name,
        launch=deployment.identity.launch,
        container=deployment.member.container,
        image=profile.container.image,
        image_id=deployment.image.id,
        image_digests=deployment.image.digests,
        docker_run=deployment.docker_run,
        url=deployment.api.url,
        vllm_version=deployment.vllm_version,
    )


def with_client(facts: DeploymentFacts, client: Client) -> DeploymentFacts:
    """Return the facts of a deployment with those of its client."""
    return facts.model_copy(
        update={
            "client": client.name,
            "client_program": client.program,
            "client_version": client.vllm_version,
            "client_sha256": None if client.file is None else client.file.sha256,
            "client_python": client.python_version,
            "client_mode": client.mode,
        }
    )

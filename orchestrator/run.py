"""A run: the sweep of a profile, or what is missing of it, against one deployment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.atomic import write_atomic
from orchestrator.bench.abilities import check_abilities, seen_dataset
from orchestrator.bench.measure import Step, Sweep
from orchestrator.bench.session import Driver, wanted
from orchestrator.deployment.attach import whole_log
from orchestrator.deployment.launch import Launch, Prepared, launched
from orchestrator.deployment.preflight import check_context
from orchestrator.deployment.server import Server
from orchestrator.deployment.up import server_api
from orchestrator.deployment.watchdog import Watch, Watchdog
from orchestrator.errors import BenchmarkFailed, EngineError
from orchestrator.mask import Mask
from orchestrator.record import bench_of
from orchestrator.repetitions import further
from orchestrator.resume import check_client, check_image
from orchestrator.runs.records import DeploymentFacts, RunState
from orchestrator.sweep import measurements
from orchestrator.vllm.client import is_rust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.up import Deployment, Progress
    from orchestrator.engine import Engine
    from orchestrator.errors import OrchError
    from orchestrator.interruption import Interruption
    from orchestrator.profile.schema import Profile
    from orchestrator.runs.directory import RunDirectory


Work = Callable[[Sweep], None]
"""What is done with a sweep that is under way."""


@dataclass(frozen=True)
class Reports:
    """Who is told what happens."""

    phase: Progress
    step: Callable[[Step], None]
    failure: Callable[[OrchError], None]
    """Told of a server that died and is started again."""
    note: Callable[[str], None]
    """Told anything else that is worth a line."""


def measure(
    engine: Engine,
    directory: RunDirectory,
    profile: Profile,
    deployment: Deployment,
    reports: Reports,
    driver: Driver | None = None,
    work: Work | None = None,
) -> None:
    """Measure what the run has not done yet; each record is on disk as soon as its measurement has ended.

    Args:
        engine: The engine.
        directory: The run.
        profile: Its profile.
        deployment: The server.
        reports: Who is told what happens.
        driver: A driver that was started already.
        work: Something else to do with the server than to measure what is missing.

    Raises:
        ServerFailed: When the server has died more often than it may be started again.
        BenchmarkFailed: When the image has no benchmark client.
        EnvironmentFault: When its client cannot do what the sweep asks, or the prompts are not those on record.
        UsageError: When the run was begun with another image.
    """
    bench = bench_of(profile)
    check_context(bench, deployment.max_model_len)
    check_image(directory, deployment.image.id)
    before = directory.manifest().deployment
    if before is not None:
        directory.update(earlier=(*directory.manifest().earlier, before))
    facts = deployment_facts(profile, deployment)
    directory.update(state=RunState.RUNNING, reason="", ended=None, deployment=facts)
    missing = directory.missing()
    log = directory.server_log
    server = Server(engine, profile, deployment, log, reports.phase, bench.stall)
    under_way = Sweep(server, profile, bench, directory, reports.step, reports.failure, driver)
    try:
        found = under_way.client()
        directory.update(dataset=seen_dataset(bench.dataset, directory.manifest().dataset, found))
        check_abilities(bench, found)
        facts = facts.model_copy(
            update={
                "client": found.name,
                "client_program": found.program,
                "client_version": found.vllm_version,
                "client_sha256": None if found.file is None else found.file.sha256,
                "client_python": found.python_version,
                "client_mode": found.mode,
            }
        )
        check_client(directory, facts)
        for point, repetition in missing:
            directory.set_aside(point, repetition)
        directory.update(deployment=facts)
        if not found.fork and not is_rust(found.name):  # a program of its own has nothing to import
            reports.note(f"each client is a process of its own and imports vLLM anew: {found.reason}")
        if found.unasked:
            reports.note(f"{found.name} was not asked what it knows; benchmark_serving.py is assumed: {found.unasked}")
        if work is not None:
            work(under_way)
        else:
            under_way.run(measurements(bench, missing))
            while more := further(bench, directory.records()):
                directory.plan_further((item.point.id, item.repetition) for item in more)
                under_way.run(more)
    finally:
        under_way.close()
        with contextlib.suppress(EngineError):  # the log that was followed is there, and why there is no more is known
            write_atomic(log, whole_log(engine, deployment))


def measure_launched(
    launch: Launch,
    ready: Prepared,
    directory: RunDirectory,
    interruption: Interruption,
    reports: Reports,
    work: Work | None = None,
) -> None:
    """Bring a deployment up, measure, and tear it down, whatever happens.

    The driver is started with the server, so that it imports vLLM while the weights load, and what the client cannot do
    is said before they are loaded.
    """
    drivers: list[Driver] = []
    bench = bench_of(launch.profile)
    needs = wanted(launch.profile, bench)
    key, mask = server_api(launch.profile, ready.secrets).key, Mask(ready.secrets.values())

    def start_driver(container: str) -> Callable[[], None]:
        with contextlib.suppress(EngineError):  # the server has ended at once; its own failure says more
            drivers.append(Driver(launch.engine, container, needs, key, mask))
        unchecked = list(drivers)

        def check_once() -> None:
            # A server that ends takes the driver with it, and its failure says more; else it is said once it is up.
            with contextlib.suppress(BenchmarkFailed):
                while unchecked and unchecked[0].ready():
                    check_abilities(bench, unchecked.pop().client())

        return check_once

    with launched(launch, ready, interruption, reports.phase, directory, start_driver) as (_, deployment):
        driver = drivers[0] if drivers else None
        measure(launch.engine, directory, launch.profile, deployment, reports, driver, work)


def measure_attached(
    engine: Engine,
    directory: RunDirectory,
    profile: Profile,
    deployment: Deployment,
    interruption: Interruption,
    environ: Mapping[str, str],
    reports: Reports,
    work: Work | None = None,
) -> None:
    """Measure against a deployment that stays up.

    A watchdog marks the run if orch is killed; the driver ends the client by itself then.
    """
    directory.fresh_server_log()
    watchdog = Watchdog(Watch(None, None, str(directory.path)), environ, directory.logs / "watchdog.log")
    try:
        try:
            measure(engine, directory, profile, deployment, reports, work=work)
        finally:
            interruption.disarm()
    finally:
        watchdog.dismiss()


def deployment_facts(profile: Profile, deployment: Deployment) -> DeploymentFacts:
    """Return what the record says of the deployment that is measured."""
    return DeploymentFacts(
        name=deployment.identity.name,
        launch=deployment.identity.launch,
        container=deployment.container,
        image=profile.container.image,
        image_id=deployment.image.id,
        image_digests=deployment.image.digests,
        docker_run=deployment.docker_run,
        url=deployment.api.url,
        vllm_version=deployment.vllm_version,
    )

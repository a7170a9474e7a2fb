"""A run: one sweep of a profile against one deployment, recorded so that whatever ends it leaves a true record."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.atomic import write_atomic
from orchestrator.bench.measure import Step, run_sweep
from orchestrator.bench.session import Driver
from orchestrator.deployment.attach import whole_log
from orchestrator.deployment.preflight import check_context, flagged_context
from orchestrator.deployment.watchdog import Watch, Watchdog
from orchestrator.errors import Interrupted, OrchError, UsageError
from orchestrator.node import node_facts
from orchestrator.plan.container import profile_hash
from orchestrator.plan.weakening import weakenings
from orchestrator.report.table import summary_csv
from orchestrator.runs.directory import RunDirectory, create_run, new_run_id, now
from orchestrator.runs.records import DeploymentFacts, Manifest, MeasurementRecord, RunState
from orchestrator.sweep import sweep, warmup
from orchestrator.vllm.flags import lookup, tensor_parallel_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.deployment.up import Deployment
    from orchestrator.engine import Engine
    from orchestrator.interruption import Interruption
    from orchestrator.profile.schema import Bench, Profile


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    directory: RunDirectory
    records: tuple[MeasurementRecord, ...]

    @property
    def failed(self) -> tuple[MeasurementRecord, ...]:
        """Return the measurements that are not done."""
        return tuple(record for record in self.records if record.state != RunState.DONE)


def bench_of(profile: Profile) -> Bench:
    """Return the sweep of a profile; raise UsageError if it has none, or one that its server cannot serve."""
    if profile.bench is None:
        raise UsageError(
            f"the profile {profile.name} has no bench section",
            "Add one, or name a profile that has: orch profile list",
        )
    check_context(profile.bench, flagged_context(profile))
    return profile.bench


def open_run(runs: Path, profile: Profile, engine: Engine) -> RunDirectory:
    """Make the run directory of a planned run."""
    flags = profile.server.flags
    return create_run(
        runs,
        profile,
        Manifest(
            id=new_run_id(profile.name),
            state=RunState.PLANNED,
            orch_version=__version__,
            profile=profile.name,
            profile_hash=profile_hash(profile),
            created=now(),
            tensor_parallel_size=tensor_parallel_size(flags),
            dtype=str(lookup(flags, "dtype") or "auto"),
            node=node_facts(engine.version()),
            measurements=tuple((item.point.id, item.repetition) for item in sweep(bench_of(profile))),
            warnings=tuple(weakenings(profile.container)),
        ),
    )


def measure(
    engine: Engine,
    directory: RunDirectory,
    profile: Profile,
    deployment: Deployment,
    on_step: Callable[[Step], None],
) -> Outcome:
    """Run the sweep and return what came of it; the record of each measurement is on disk as soon as it has ended."""
    bench = bench_of(profile)
    check_context(bench, deployment.max_model_len)
    facts = DeploymentFacts(
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
    _update(directory, state=RunState.RUNNING, deployment=facts)
    driver = Driver(engine, deployment.container)
    try:
        facts = facts.model_copy(update={"client_version": driver.vllm_version, "client_python": driver.python_version})
        _update(directory, deployment=facts)
        records = run_sweep(driver, profile, directory, warmup(bench), sweep(bench), bench.deadline, on_step)
    finally:
        driver.close()
    return Outcome(directory, tuple(records))


def measure_attached(
    engine: Engine,
    directory: RunDirectory,
    profile: Profile,
    deployment: Deployment,
    interruption: Interruption,
    environ: Mapping[str, str],
    on_step: Callable[[Step], None],
) -> Outcome:
    """Run the sweep, to its recorded end, against a deployment that stays up.

    A watchdog marks the run if orch is killed; the driver ends the client by itself then.
    """
    watchdog = Watchdog(Watch(None, None, str(directory.path)), environ, directory.logs / "watchdog.log")
    try:
        with recorded(directory):
            try:
                outcome = measure(engine, directory, profile, deployment, on_step)
            finally:
                interruption.disarm()
                write_atomic(directory.server_log, whole_log(engine, deployment))
            conclude(outcome)
    finally:
        interruption.disarm()
        watchdog.dismiss()
    return outcome


@contextlib.contextmanager
def recorded(directory: RunDirectory) -> Iterator[None]:
    """Write into the manifest how a run ended, whatever ended it, and the table of what is done."""
    try:
        yield
    except Interrupted as interruption:
        finish(directory, RunState.INTERRUPTED, f"orch received {signal.Signals(interruption.signum).name}")
        raise
    except OrchError as error:
        finish(directory, RunState.FAILED, error.message)
        raise
    except BaseException as error:
        finish(directory, RunState.FAILED, f"orch itself failed: {type(error).__name__}: {error}")
        raise


def finish(directory: RunDirectory, state: RunState, reason: str = "") -> None:
    """Write the end of a run into its record; measurements that had begun end as the run does."""
    for record in directory.records():
        if record.state == RunState.RUNNING:
            directory.write_record(record.model_copy(update={"state": state, "reasons": (reason,)}))
    write_atomic(directory.summary_csv, summary_csv(directory))
    _update(directory, state=state, reason=reason, ended=now())


def conclude(outcome: Outcome) -> None:
    """Write the end of a run whose sweep was carried through."""
    failed = outcome.failed
    if failed:
        finish(outcome.directory, RunState.FAILED, f"{len(failed)} of {len(outcome.records)} measurements failed")
    else:
        finish(outcome.directory, RunState.DONE)


def _update(directory: RunDirectory, **changes: object) -> None:
    directory.write_manifest(directory.manifest().model_copy(update=changes))

"""One sweep against one healthy server: each measurement is run, judged and on disk before the next one begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.plan.bench_command import bench_argv, job_name
from orchestrator.runs.directory import now
from orchestrator.runs.records import MeasurementRecord, RunState
from orchestrator.vllm.client import RESULT_NAME
from orchestrator.vllm.results import UnreadableResultError, incompleteness, read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.bench.session import ClientRun, Driver
    from orchestrator.profile.schema import Profile
    from orchestrator.runs.directory import RunDirectory
    from orchestrator.sweep import Measurement


@dataclass(frozen=True)
class Step:
    """A measurement that begins (its record says running) or has ended."""

    index: int
    """Counted from 1; 0 is the warm-up."""
    total: int
    record: MeasurementRecord


def run_sweep(
    driver: Driver,
    profile: Profile,
    directory: RunDirectory,
    warmup: Measurement | None,
    measurements: Sequence[Measurement],
    deadline_s: float,
    on_step: Callable[[Step], None],
) -> list[MeasurementRecord]:
    """Return the records of all measurements, in order; one that fails does not end the sweep."""
    planned = ([(0, warmup)] if warmup else []) + list(enumerate(measurements, start=1))
    records = []
    for index, measurement in planned:
        running = begin(profile, measurement, driver.vllm_version)
        directory.write_record(running)
        on_step(Step(index, len(measurements), running))
        outcome = driver.run(job_name(measurement), running.argv, RESULT_NAME, deadline_s)
        ended = judge(running, measurement, outcome)
        directory.write_record(ended, outcome.result, outcome.log)
        on_step(Step(index, len(measurements), ended))
        if index:
            records.append(ended)
    return records


def begin(profile: Profile, measurement: Measurement, version: str) -> MeasurementRecord:
    """Return the record of a measurement that is about to run."""
    point = measurement.point
    return MeasurementRecord(
        point=point.id,
        repetition=measurement.repetition,
        label=point.label(),
        parameters=point.parameters(),
        seed=measurement.seed,
        state=RunState.RUNNING,
        argv=tuple(bench_argv(profile, measurement, version)),
        started=now(),
    )


def judge(running: MeasurementRecord, measurement: Measurement, outcome: ClientRun) -> MeasurementRecord:
    """Return the record of a measurement that has ended: done, or failed with every reason."""
    reasons: list[str] = []
    metrics = None
    if outcome.timed_out:
        reasons.append("the client was killed at its deadline")
    elif outcome.code != 0:
        reasons.append(f"the client exited with code {outcome.code}: {last_words(outcome.log)}")
    if outcome.result is not None:
        try:
            metrics = read_metrics(outcome.result)
            reasons += incompleteness(measurement.point, metrics)
        except UnreadableResultError as error:
            reasons.append(f"the client's result cannot be read: {error}")
    elif not reasons:
        reasons.append("the client left no result")
    return running.model_copy(
        update={
            "state": RunState.FAILED if reasons else RunState.DONE,
            "reasons": tuple(reasons),
            "wall_s": outcome.wall_s,
            "client_code": outcome.code,
            "metrics": metrics,
        }
    )


def last_words(log: bytes) -> str:
    """Return the last line of a log that says anything."""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"

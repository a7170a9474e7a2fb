"""Turns the result of a client into the record of a measurement: done, or failed with every reason."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from orchestrator.measuring.driver import ClientRun
from orchestrator.metrics.values import Metrics
from orchestrator.results.tails import tails
from orchestrator.runs.directory import now
from orchestrator.runs.records import MeasurementRecord, RunState
from orchestrator.vllm.result import Details, UnreadableResultError, read_details, read_metrics
from orchestrator.workload.point import Measurement, Point


def begin(measurement: Measurement, argv: Sequence[str]) -> MeasurementRecord:
    """Return the record of a measurement that is about to run with a client's command."""
    point = measurement.point
    return MeasurementRecord(
        point=point.id,
        repetition=measurement.repetition,
        label=point.label(),
        parameters=point.parameters(),
        seed=measurement.seed,
        state=RunState.RUNNING,
        argv=tuple(argv),
        started=now(),
    )


def failed(record: MeasurementRecord, reason: str) -> MeasurementRecord:
    """Return the record of a measurement that came to nothing, with one more reason."""
    return record.model_copy(update={"state": RunState.FAILED, "reasons": (*record.reasons, reason)})


def judge(running: MeasurementRecord, measurement: Measurement, outcome: ClientRun) -> MeasurementRecord:
    """Return the record of a measurement whose client has ended."""
    reasons: list[str] = []
    metrics, details = None, Details()
    if outcome.timed_out:
        reasons.append("the client was killed at its deadline")
    elif outcome.code != 0:
        reasons.append(f"the client exited with code {outcome.code}: {last_words(outcome.log)}")
    if outcome.result is not None:
        try:
            metrics, details = read_metrics(outcome.result), read_details(outcome.result)
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
            "cpu_s": outcome.cpu_s,
            "client_busy": None if metrics is None else busy(outcome.runnable_at, metrics.duration_s),
            "client_code": outcome.code,
            "tails": {} if metrics is None or outcome.result is None else tails(outcome.result),
            "metrics": metrics,
            **dataclasses.asdict(details),
        }
    )


def busy(runnable_at: Sequence[tuple[float, float]], duration_s: float) -> float | None:
    """Return the part of a measurement for which its client ran or waited for a processor; None if unknown.

    The last `duration_s` of the client's life count as the measurement: the client makes its prompts before, which may
    cost more than the measurement, and writes its result after it in a fraction of a second.

    Args:
        runnable_at: Seconds since the client's start, and for how many of them it was runnable, in order.
        duration_s: How long the measurement took.
    """
    if not runnable_at or not runnable_at[-1][1]:  # a kernel that does not count says zero
        return None
    (ended, runnable), begun = runnable_at[-1], max(runnable_at[-1][0] - duration_s, 0.0)
    for (left, before), (right, after) in itertools.pairwise(((0.0, 0.0), *runnable_at)):
        if begun < right:
            until_begun = before + (after - before) * max(begun - left, 0.0) / (right - left)
            return (runnable - until_begun) / (ended - begun)
    return None


def last_words(log: bytes) -> str:
    """Return the last line of a log that says anything."""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def incompleteness(point: Point, metrics: Metrics) -> list[str]:
    """Return why a measurement does not count; empty if it does.

    The client's own exit code and count of failures say too little: refused requests give zeros, an engine that dies
    gives completed requests with too few tokens, and too long a context is cut without a word.
    """
    reasons = []
    if metrics.completed != point.requests:
        reasons.append(f"{metrics.completed} of {point.requests} requests completed")
    if metrics.failed:
        reasons.append(f"{metrics.failed} requests failed")
    if point.output_tokens is not None and metrics.total_output_tokens != point.output_tokens:
        reasons.append(f"{metrics.total_output_tokens} of {point.output_tokens} output tokens")
    most = point.most_output_tokens
    if not reasons and most is not None and (metrics.total_output_tokens or 0) > most:
        reasons.append(f"{metrics.total_output_tokens} output tokens, {most} at most were asked for")
    figures: dict[str, float | None] = {
        "duration": metrics.duration_s,
        "request throughput": metrics.request_throughput,
    }
    if point.generates:
        figures |= {"output throughput": metrics.output_throughput, "mean TTFT": metrics.ttft_ms.mean}
    else:
        figures["mean E2EL"] = metrics.e2el_ms.mean
    for name, value in figures.items() if not reasons else ():
        if value is None or not math.isfinite(value) or value <= 0:
            reasons.append(f"{name} is {value}")
    return reasons

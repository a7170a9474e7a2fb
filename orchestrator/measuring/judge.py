"""Turns the result of a client into the record of a measurement: measured, or failed with every cause."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from orchestrator.causes import Cause
from orchestrator.measuring.driver import ClientRun
from orchestrator.metrics.catalogue import CATALOGUE
from orchestrator.metrics.values import Metrics
from orchestrator.results.steady import steady_of
from orchestrator.results.tails import tails
from orchestrator.runs.clock import now
from orchestrator.runs.format.outcome import Failed, Measured, Outcome
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.vllm.requests import RequestFigures
from orchestrator.vllm.result import Details, UnreadableResultError, read_details, read_metrics
from orchestrator.workload.point import Measurement, Point


def begin(measurement: Measurement, argv: Sequence[str]) -> MeasurementRecord:
    """Return the record of a measurement that is about to run with a client's command."""
    point = measurement.point
    return MeasurementRecord(
        point=point.id,
        repetition=measurement.repetition,
        parameters=point.parameters(),
        seed=measurement.seed,
        argv=tuple(argv),
        started=now(),
    )


def failed(record: MeasurementRecord, cause: Cause) -> MeasurementRecord:
    """Return the record of a measurement that came to nothing, for one more cause; no figure of it counts."""
    return record.model_copy(update={"outcome": Failed(causes=(*record.causes, cause))})


def judge(running: MeasurementRecord, measurement: Measurement, ran: ClientRun) -> MeasurementRecord:
    """Return the record of a measurement whose client has ended."""
    causes = _of_client(ran)
    metrics, details, steady = None, Details(), None
    if ran.result is not None:
        try:
            metrics, details = read_metrics(ran.result), read_details(ran.result, measurement.point)
            causes += incompleteness(measurement.point, metrics, details.requests)
            steady = None if causes else steady_of(ran.result, measurement.point, metrics.ttft_ms.further)
        except UnreadableResultError as error:
            causes.append(Cause("unreadable-result", {"problem": str(error)}))
    elif not causes:
        causes.append(Cause("no-result"))
    return running.model_copy(
        update={
            "outcome": _outcome(causes, metrics),
            "wall_s": ran.wall_s,
            "cpu_s": ran.cpu_s,
            "client_busy": None if metrics is None else busy(ran.runnable_at, metrics.duration_s),
            "client_code": ran.code,
            "tails": {} if metrics is None or ran.result is None else tails(ran.result),
            **dataclasses.asdict(details),
            "steady": steady,
        }
    )


def _of_client(ran: ClientRun) -> list[Cause]:
    """Return what the end of the client's process says against it."""
    if ran.timed_out:
        return [Cause("client-deadline")]
    if ran.code == 0:
        return []
    words = last_words(ran.log)
    if not words:
        return [Cause("client-exit-silent", {"code": ran.code})]
    return [Cause("client-exit", {"code": ran.code, "last_words": words})]


def _outcome(causes: Sequence[Cause], metrics: Metrics | None) -> Outcome:
    if causes or metrics is None:
        return Failed(causes=tuple(causes), metrics=metrics)
    return Measured(metrics=metrics)


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
    """Return the last line of a log that says anything; empty if none does."""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def incompleteness(point: Point, metrics: Metrics, requests: RequestFigures | None = None) -> list[Cause]:
    """Return why a measurement does not count; empty if it does.

    The client's own exit code and count of failures say too little: refused requests give zeros, an engine that dies
    gives completed requests with too few tokens, and too long a context is cut without a word.
    """
    causes = []
    if metrics.completed != point.requests:
        causes.append(Cause("requests-incomplete", {"completed": metrics.completed, "asked": point.requests}))
    if metrics.failed:
        causes.append(Cause("requests-failed", {"failed": metrics.failed}))
    made, most = metrics.total_output_tokens, point.most_output_tokens
    if point.output_tokens is not None and made != point.output_tokens:
        causes.append(Cause("output-tokens", {"made": made, "asked": point.output_tokens}))
    if not causes and most is not None and (made or 0) > most:
        causes.append(Cause("output-tokens-over", {"made": made, "asked": most}))
    if not causes and requests is not None and requests.outputs_off:
        causes.append(Cause("answers-off", {"off": requests.outputs_off, "completed": metrics.completed}))
    names = ("output_throughput", "mean_ttft_ms") if point.generates else ("mean_e2el_ms",)
    for name in ("duration_s", "request_throughput", *names) if not causes else ():
        value = CATALOGUE[name].value(metrics)
        if value is None or not math.isfinite(value) or value <= 0:
            causes.append(Cause("no-figure", {"figure": name, "value": str(value)}))
    return causes

"""The last columns of the wide table: what orch computes beside the client's figures, and what server and profile say.

The catalogue names them. None is a figure of the client's, and a cell is empty, never zero, where nothing is known.
"""

from __future__ import annotations

from orchestrator.metrics.catalogue import BESIDE
from orchestrator.metrics.steady import Steady
from orchestrator.metrics.values import Metrics
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.vllm.counters import Served
from orchestrator.vllm.serving import Serving

Cell = str | int | float | None


def beside(record: MeasurementRecord, served_by: Serving) -> dict[str, Cell]:
    """Return the columns of a measurement, in the catalogue's order; figures only if it counts.

    Args:
        record: The measurement.
        served_by: How the model was served.
    """
    metrics = record.outcome.metrics if isinstance(record.outcome, Measured) else None
    cells = {
        **_steady(record.steady if metrics else None),
        **_shares(metrics, served_by),
        **_settings(served_by),
        **_server(record.served),
    }
    return {column.name: cells[column.name] for column in BESIDE}


def mean_concurrency(metrics: Metrics) -> float | None:
    """Return how many requests were in flight on average, by Little's law; None without E2EL or duration."""
    e2el_ms = metrics.e2el_ms.mean
    if e2el_ms is None or not metrics.duration_s:
        return None
    return e2el_ms / 1000.0 * metrics.completed / metrics.duration_s


def _steady(steady: Steady | None) -> dict[str, Cell]:
    ttft = steady.ttft_ms if steady else None
    return {
        "steady_share": steady.share if steady else None,
        "steady_s": steady.end_s - steady.begin_s if steady else None,
        "steady_in_flight": steady.most_in_flight if steady else None,
        "steady_output_throughput": steady.output_throughput if steady else None,
        "steady_request_throughput": steady.request_throughput if steady else None,
        "steady_mean_tpot_ms": steady.tpot_ms if steady else None,
        "steady_requests": steady.requests if steady else None,
        "steady_mean_ttft_ms": ttft.mean if ttft else None,
        "steady_median_ttft_ms": ttft.median if ttft else None,
        "steady_p99_ttft_ms": ttft.p99 if ttft else None,
    }


def _shares(metrics: Metrics | None, served_by: Serving) -> dict[str, Cell]:
    throughput = metrics.output_throughput if metrics else None
    at_once = mean_concurrency(metrics) if metrics else None
    return {
        "mean_concurrency": at_once,
        "output_throughput_per_user": throughput / at_once if throughput is not None and at_once else None,
        "devices": served_by.devices,
        "output_throughput_per_device": None if throughput is None else throughput / served_by.devices,
    }


def _settings(served_by: Serving) -> dict[str, Cell]:
    return {
        "pipeline_parallel_size": served_by.pipeline_parallel_size,
        "data_parallel_size": served_by.data_parallel_size,
        "quantization": served_by.quantization,
        "kv_cache_dtype": served_by.kv_cache_dtype,
        "max_num_seqs": served_by.max_num_seqs,
        "speculation": served_by.speculation,
        "draft_tokens": served_by.draft_tokens,
    }


def _server(served: Served | None) -> dict[str, Cell]:
    return {
        "server_mean_tpot_ms": served.mean_tpot_ms if served else None,
        "server_mean_e2el_ms": served.mean_e2el_ms if served else None,
        "server_mean_queue_ms": served.queued_ms if served else None,
    }

"""The results of a run or a study as rows: one wide table with everything, and the guide's own ten columns.

What varied in a study comes first, each key a column. A cell without a value is empty, never zero. Only measurements
that are done have figures; the others say why not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.metrics.catalogue import CATALOGUE, FIGURES, LATENCIES, of_latency
from orchestrator.metrics.values import PERCENTILES, STATISTICS, Metrics
from orchestrator.profile.reading.structure import read_model
from orchestrator.profile.schema.profile import Profile
from orchestrator.report.beside import beside
from orchestrator.report.ordered import ordered
from orchestrator.results.validity import Assessment, assess
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import Manifest, MeasurementRecord, RunState
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study
from orchestrator.vllm.serving import UNFLAGGED, Serving, serving
from orchestrator.workload.arrival import RampUp
from orchestrator.workload.backend import COMPLETIONS
from orchestrator.workload.point import required_parameters

Cell = str | int | float | None
Row = dict[str, Cell]

GUIDE_COLUMNS = {
    "tp": "tensor_parallel_size",
    "data_type": "dtype",
    "batch": "batch",
    "prompt_tokens": "input_len",
    "completion_tokens": "output_len",
    **{
        CATALOGUE[name].guide: name
        for name in ("total_token_throughput", "output_throughput", "mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms")
    },
}
"""The guide's columns in its order, each with the wide table's column that fills it."""


def wide_rows(directory: Run) -> list[Row]:
    """Return one row a measurement that has begun, in the order in which the profile names its points."""
    manifest, records = directory.manifest(), ordered(directory)
    assessed, served_by = assess(records), serving(directory.profile().server.flags)
    return [
        wide_row(manifest, record, assessed.get((record.point, record.repetition)), served_by) for record in records
    ]


def study_rows(study: Study) -> list[Row]:
    """Return the rows of all runs of a study; one in which nothing was measured has a row that says why."""
    rows: list[Row] = []
    for directory in study.runs:
        manifest = directory.manifest()
        unmeasured: Row = {
            **_run_columns(manifest),
            "state": manifest.state.value,
            "reasons": manifest.headline or None,
        }
        rows += wide_rows(directory) or [unmeasured]
    return rows


def wide_row(
    manifest: Manifest, record: MeasurementRecord, assessment: Assessment | None, served_by: Serving = UNFLAGGED
) -> Row:
    """Return everything that is known of a measurement."""
    parameters = record.parameters
    row: Row = {
        **_run_columns(manifest),
        "point": record.point,
        "repetition": record.repetition,
        "state": record.state.value,
        "reasons": "; ".join(record.reasons) or None,
        "verdict": assessment.verdict.value if assessment else None,
        "doubts": "; ".join(f"{reason.id}: {reason.text}" for reason in assessment.reasons) if assessment else None,
        "notes": "; ".join(f"{note.id}: {note.text}" for note in assessment.notes) if assessment else None,
        "thin_percentiles": " ".join(assessment.thin) if assessment else None,
        "tensor_parallel_size": manifest.tensor_parallel_size,
        "dtype": manifest.dtype,
        "batch": parameters["max_concurrency"] or parameters["num_prompts"],
        "dataset": parameters["dataset"],
        "input_len": parameters["input_len"],
        "output_len": parameters["output_len"],
        "num_prompts": parameters["num_prompts"],
        "max_concurrency": parameters["max_concurrency"],
        "request_rate": parameters["request_rate"],
        "burstiness": parameters.get("burstiness"),
        "ramp_up": _ramp_up(parameters.get("ramp_up")),
        "backend": parameters.get("backend", COMPLETIONS),
        "ignore_eos": parameters.get("ignore_eos"),
        "seed": record.seed,
    }
    row |= _figures(record.outcome.metrics if isinstance(record.outcome, Measured) else None)
    served, peak = record.served, record.peak
    row["server_prompt_tokens"] = served.prompt_tokens if served else None
    row["server_generation_tokens"] = served.generation_tokens if served else None
    row["server_mean_ttft_ms"] = served.mean_ttft_ms if served else None
    row["prefix_cache_hits"] = served.prefix_cache_hits if served else None
    row["preemptions"] = served.preemptions if served else None
    row["acceptance_length"] = served.acceptance_length if served else None
    row["peak_kv_cache_usage"] = peak.kv_cache_usage if peak else None
    row["peak_waiting"] = peak.waiting if peak else None
    row["started"] = record.started
    row["wall_s"] = record.wall_s
    row["client_cpu_s"] = record.cpu_s
    row["client_busy"] = record.client_busy
    row["vllm_version"] = manifest.deployment.vllm_version if manifest.deployment else None
    row["image"] = manifest.deployment.image if manifest.deployment else None
    row["image_id"] = manifest.deployment.image_id if manifest.deployment else None
    row |= beside(record, served_by)
    row["unchecked"] = " ".join(each.id for each in assessment.unchecked) if assessment else None
    return row


def _figures(metrics: Metrics | None) -> Row:
    """Return every metric, further percentiles of a latency behind its usual ones."""
    row: Row = {metric.name: metric.value(metrics) if metrics else None for metric in FIGURES}
    for latency in LATENCIES:
        held = getattr(metrics, f"{latency}_ms") if metrics else None
        row |= {f"{statistic}_{latency}_ms": getattr(held, statistic, None) for statistic in STATISTICS}
        row |= {of_latency(latency, name).name: value for name, value in held.further.items()} if held else {}
    return row


def _ramp_up(parameters: Mapping[str, Any] | None) -> str | None:
    return None if parameters is None else str(read_model(RampUp, parameters)[0])


def _run_columns(manifest: Manifest) -> Row:
    return {**manifest.varied, "run": manifest.id, "profile": manifest.profile}


def guide_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the guide's columns of the measurements that are done."""
    done = (row for row in rows if row["state"] == RunState.DONE.value)
    return [{column: row[source] for column, source in GUIDE_COLUMNS.items()} for row in done]


def write_csv(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> str:
    """Return CSV text with a header; numbers in full precision."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _one_line(cell) for name, cell in row.items()} for row in rows)
    return buffer.getvalue()


def _one_line(cell: Cell) -> Cell:
    return " ".join(cell.splitlines()) if isinstance(cell, str) else cell


def summary_csv(directory: Run) -> str:
    """Return the wide table of a run as CSV text."""
    return _wide_csv(wide_rows(directory), directory)


def guide_csv(directory: Run) -> str:
    """Return the guide's table of a run as CSV text."""
    return write_csv(guide_rows(wide_rows(directory)), list(GUIDE_COLUMNS))


def study_csv(study: Study) -> str:
    """Return the wide table of a study as CSV text."""
    return _wide_csv(study_rows(study), study.runs[0])


def study_guide_csv(study: Study) -> str:
    """Return the guide's table of a study as CSV text; it has no column for what varied."""
    return write_csv(guide_rows(study_rows(study)), list(GUIDE_COLUMNS))


def _wide_csv(rows: Sequence[Row], directory: Run) -> str:
    columns = _wide_columns(directory.manifest(), directory.profile())
    further = dict.fromkeys(column for row in rows for column in row)  # what the profile on record does not name
    return write_csv(rows, list(dict.fromkeys([*columns, *further])))


def _wide_columns(manifest: Manifest, profile: Profile) -> list[str]:
    """Return the columns of the wide table, whether or not anything was measured."""
    nothing = dict.fromkeys(required_parameters())
    record = MeasurementRecord(point="", repetition=1, parameters=nothing, seed=0)
    columns = []
    further = () if profile.bench is None else profile.bench.percentiles
    for column in wide_row(manifest, record, None, serving(profile.server.flags)):
        columns.append(column)
        metric = CATALOGUE.get(column)
        if metric and metric.statistic == STATISTICS[-1]:
            columns += [of_latency(metric.latency, f"p{each:g}").name for each in further if each not in PERCENTILES]
    return columns

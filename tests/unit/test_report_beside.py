"""Promise D4: What stands beside the client's figures is computed from the record and the profile, or left empty."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_bench, a_manifest, a_profile, a_record, a_run, result_bytes

from orchestrator.metrics.catalogue import BESIDE, CATALOGUE
from orchestrator.metrics.steady import Steady
from orchestrator.metrics.values import Latency
from orchestrator.plan.sweep import sweep
from orchestrator.report.beside import beside, mean_concurrency
from orchestrator.report.data import run_data
from orchestrator.report.table import summary_csv, wide_row
from orchestrator.runs.format.records import MeasurementRecord, RunState
from orchestrator.vllm.counters import read_served
from orchestrator.vllm.result import read_metrics
from orchestrator.vllm.serving import UNFLAGGED, Serving, serving

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [column.name for column in BESIDE]
TTFT = Latency(mean=120.0, median=110.0, std=9.0, p50=110.0, p90=130.0, p95=140.0, p99=150.0)
STEADY = Steady(
    kept_by="in-flight",
    begin_s=0.5,
    end_s=8.0,
    share=0.75,
    most_in_flight=16,
    output_throughput=800.0,
    request_throughput=8.0,
    tpot_ms=18.5,
    requests=100,
    ttft_ms=TTFT,
)
SERVED = read_served(
    {
        "vllm:request_queue_time_seconds_sum": 0.4,
        "vllm:request_queue_time_seconds_count": 8.0,
        "vllm:e2e_request_latency_seconds_sum": 16.0,
        "vllm:e2e_request_latency_seconds_count": 8.0,
        "vllm:request_decode_time_seconds_sum": 12.0,
        "vllm:request_generation_tokens_sum": 608.0,
        "vllm:request_generation_tokens_count": 8.0,
    }
)
MTP = {"method": "deepseek_mtp", "num_speculative_tokens": 3}


def test_the_columns_stand_behind_all_earlier_ones_in_the_catalogue_s_order() -> None:
    row = wide_row(a_manifest(), a_record(), None)
    begun = list(row).index("image_id") + 1
    assert list(row)[begun : begun + len(NAMES)] == NAMES
    assert not set(NAMES) & set(CATALOGUE)
    assert len(set(row)) == len(list(row))


def test_the_steady_part_of_a_measurement_stands_beside_the_client_s_figures() -> None:
    row = wide_row(a_manifest(), a_record(steady=STEADY), None)
    assert {name: row[name] for name in NAMES if name.startswith("steady_")} == {
        "steady_share": 0.75,
        "steady_s": 7.5,
        "steady_in_flight": 16,
        "steady_output_throughput": 800.0,
        "steady_request_throughput": 8.0,
        "steady_mean_tpot_ms": 18.5,
        "steady_requests": 100,
        "steady_mean_ttft_ms": 120.0,
        "steady_median_ttft_ms": 110.0,
        "steady_p99_ttft_ms": 150.0,
    }
    assert (row["output_throughput"], row["mean_ttft_ms"]) == (512.0, 1.5)


@pytest.mark.parametrize(
    "record",
    [
        a_record(),
        a_record(state=RunState.FAILED, reasons=("requests-failed",), steady=STEADY),
        a_record(steady=STEADY.model_copy(update={"ttft_ms": None, "requests": 0})),
    ],
    ids=["no details", "does not count", "one wave"],
)
def test_what_is_not_known_of_a_steady_part_is_empty_and_never_zero(record: MeasurementRecord) -> None:
    cells = beside(record, UNFLAGGED)
    assert [cells[f"steady_{name}_ttft_ms"] for name in ("mean", "median", "p99")] == [None] * 3
    assert (cells["steady_share"] is None) == (record.steady is None or record.state is RunState.FAILED)
    assert 0.0 not in [cell for name, cell in cells.items() if name != "steady_requests"]


def test_the_server_s_own_means_stand_beside_the_client_s() -> None:
    cells = beside(a_record(served=SERVED), UNFLAGGED)
    assert cells["server_mean_queue_ms"] == 50.0
    assert cells["server_mean_e2el_ms"] == 2000.0
    assert cells["server_mean_tpot_ms"] == 20.0
    without = beside(a_record(served=read_served({})), UNFLAGGED)
    assert {without[name] for name in NAMES if name.startswith("server_")} == {None}


def test_throughput_is_told_for_each_device_and_each_user() -> None:
    figures = {"duration": 10.0, "completed": 40, "output_throughput": 640.0, "mean_e2el_ms": 4000.0}
    metrics = read_metrics(result_bytes(**figures))
    assert mean_concurrency(metrics) == 16.0
    flags = {"tensor-parallel-size": 4, "pipeline-parallel-size": 2, "data-parallel-size": 2}
    cells = beside(a_record(metrics=metrics), serving(flags))
    assert cells["mean_concurrency"] == 16.0
    assert cells["output_throughput_per_user"] == 40.0
    assert (cells["devices"], cells["output_throughput_per_device"]) == (16, 40.0)
    assert (cells["pipeline_parallel_size"], cells["data_parallel_size"]) == (2, 2)
    assert serving({**flags, "pcp": 2, "decode-context-parallel-size": 4}).devices == 32


def test_requests_that_generate_nothing_have_no_throughput_of_tokens_for_anybody() -> None:
    figures = {"output_throughput": None, "mean_ttft_ms": None}
    whole = {key: value for key, value in figures.items() if value is not None}
    raw = {"duration": 2.0, "completed": 8, "total_input_tokens": 512, "request_throughput": 4.0, **whole}
    metrics = read_metrics(result_bytes(**raw)).model_copy(update={"output_throughput": None})
    cells = beside(a_record(metrics=metrics), UNFLAGGED)
    assert (cells["output_throughput_per_user"], cells["output_throughput_per_device"]) == (None, None)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, Serving()),
        ({"tensor_parallel_size": "8", "pp": 2}, Serving(8, pipeline_parallel_size=2)),
        ({"-tp": 2, "dp": 4}, Serving(2, data_parallel_size=4)),
        ({"quantization": "awq", "kv_cache_dtype": "fp8"}, Serving(quantization="awq", kv_cache_dtype="fp8")),
        ({"max-num-seqs": "1k"}, Serving(max_num_seqs=1000)),
        ({"speculative-config": MTP}, Serving(speculation="deepseek_mtp", draft_tokens=3)),
        ({"speculative_config": '{"num_speculative_tokens": 3}'}, Serving(speculation="auto", draft_tokens=3)),
        ({"speculative-config": {"model": "/draft"}}, Serving(speculation="/draft")),
        (
            {"speculative-config.method": "ngram", "speculative-config.num_speculative_tokens": 5},
            Serving(speculation="ngram", draft_tokens=5),
        ),
        ({"quantization": None, "max-num-seqs": None}, Serving()),
    ],
    ids=lambda value: None if isinstance(value, Serving) else "-".join(value) or "none",
)
def test_how_a_model_is_served_follows_from_the_flags_with_vllm_s_defaults(
    flags: dict[str, Any], expected: Serving
) -> None:
    assert serving(flags) == expected


def test_csv_and_json_of_a_run_say_what_its_profile_says(tmp_path: Path) -> None:
    flags = {"tensor-parallel-size": 2, "quantization": "awq", "max-num-seqs": 128, "speculative-config": MTP}
    profile = a_profile(server={"flags": flags})
    run = a_run(tmp_path, profile)
    measurement = sweep(a_bench())[0]
    run.write_record(a_record(measurement, steady=STEADY))
    (row,) = csv.DictReader(io.StringIO(summary_csv(run), newline=""), strict=True)
    wanted = {"devices": "2", "quantization": "awq", "max_num_seqs": "128", "speculation": "deepseek_mtp"}
    assert {name: row[name] for name in wanted} == wanted
    assert (row["draft_tokens"], row["kv_cache_dtype"], row["steady_share"]) == ("3", "auto", "0.75")
    data: Any = run_data(run)["results"]
    assert (data[0]["devices"], data[0]["output_throughput_per_device"]) == (2, 256.0)

"""Promises D4 and C6: the tables are derived from the run alone; a missing figure is an empty cell, never a zero."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_bench, a_profile, a_record, a_run, deployment_facts, result_bytes

from orchestrator.plan.sweep import sweep
from orchestrator.report.table import GUIDE_COLUMNS, guide_csv, guide_rows, summary_csv, wide_row, wide_rows, write_csv
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.runs.run import Run

PROFILE = a_profile(bench={"lengths": [[512, 512], [1024, 1024]], "num_prompts": [2, 4], "warmup": 0})
assert PROFILE.bench is not None
MEASUREMENTS = sweep(PROFILE.bench)
GUIDE_HEADER = (
    "tp,data_type,batch,prompt_tokens,completion_tokens,"
    "TOTAL_THROUGHPUT(toks/s),generate_throughput(toks/s),TTFT(ms),TPOT(ms),ITL(ms)"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of four measurements: done, failed, done and never begun."""
    directory = a_run(tmp_path, PROFILE, deployment=deployment_facts())
    directory.write_record(a_record(MEASUREMENTS[0]))
    directory.write_record(a_record(MEASUREMENTS[1], state=RunState.FAILED, reasons=("7 of 8", "zero")))
    directory.write_record(a_record(MEASUREMENTS[2]))
    return directory


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_guide_s_table_has_the_guide_s_columns_in_its_order(run: Run) -> None:
    assert guide_csv(run).splitlines()[0] == GUIDE_HEADER
    assert ",".join(GUIDE_COLUMNS) == GUIDE_HEADER


def test_the_guide_s_table_has_a_row_for_each_measurement_that_is_done_and_no_other(run: Run) -> None:
    assert guide_csv(run).splitlines()[1:] == [
        "8,float16,2,512,512,2560.0,512.0,1.5,2.5,3.5",
        "8,float16,4,512,512,2560.0,512.0,1.5,2.5,3.5",
    ]


def test_header_and_rows_have_the_same_columns(run: Run) -> None:
    for text in (guide_csv(run), summary_csv(run)):
        assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def test_further_percentiles_have_columns_of_their_own_beside_the_usual_ones(tmp_path: Path) -> None:
    profile = a_profile(bench={"num_prompts": [2], "warmup": 0, "percentiles": [99.9, 99]})
    assert profile.bench is not None
    directory = a_run(tmp_path, profile)
    header = summary_csv(directory).splitlines()[0].split(",")
    assert header[header.index("p99_ttft_ms") + 1] == "p99.9_ttft_ms"
    assert header[header.index("p99_e2el_ms") + 1] == "p99.9_e2el_ms"
    reported = read_metrics(result_bytes(**{"p99.9_ttft_ms": 8.5}))
    directory.write_record(a_record(sweep(profile.bench)[0], metrics=reported))
    (row,) = rows_of(summary_csv(directory))
    assert (row["p99.9_ttft_ms"], row["p99.9_e2el_ms"], row["backend"]) == ("8.5", "", "openai")
    assert row["thin_percentiles"] == "p90 p95 p99"


def test_the_wide_table_has_everything_of_every_measurement_that_has_begun(run: Run) -> None:
    done, failed, _ = rows_of(summary_csv(run))
    assert (done["state"], done["reasons"], done["completed"], done["p99_itl_ms"]) == ("done", "", "8", "3.5")
    assert (done["image"], done["vllm_version"], done["seed"]) == ("vllm:0.8.5", "0.8.5", str(MEASUREMENTS[0].seed))
    assert (done["run"], done["point"], done["repetition"]) == (run.path.name, MEASUREMENTS[0].point.id, "1")
    assert (failed["state"], failed["reasons"]) == ("failed", "7 of 8; zero")


def test_a_measurement_that_is_not_done_has_no_figures(run: Run) -> None:
    failed = rows_of(summary_csv(run))[1]
    for name in ("duration_s", "completed", "output_throughput", "mean_ttft_ms", "p99_e2el_ms"):
        assert failed[name] == ""


def test_a_figure_that_the_client_did_not_report_is_an_empty_cell(run: Run) -> None:
    metrics = read_metrics(result_bytes(failed=None, p99_itl_ms=None, mean_itl_ms=None))
    run.write_record(a_record(MEASUREMENTS[0], metrics=metrics))
    row = rows_of(summary_csv(run))[0]
    assert (row["failed"], row["p99_itl_ms"], row["request_goodput"]) == ("", "", "")
    assert rows_of(guide_csv(run))[0]["ITL(ms)"] == ""


def test_numbers_keep_their_full_precision(run: Run) -> None:
    exact = 0.1 + 0.2
    run.write_record(a_record(MEASUREMENTS[0], metrics=read_metrics(result_bytes(output_throughput=exact))))
    assert float(rows_of(summary_csv(run))[0]["output_throughput"]) == exact


def test_a_batch_is_the_concurrency_or_all_prompts_at_once(run: Run) -> None:
    measurement = sweep(a_bench(concurrency=[3]))[0]
    manifest = run.manifest()
    assert wide_row(manifest, a_record(measurement), None)["batch"] == 3
    assert wide_row(manifest, a_record(MEASUREMENTS[0]), None)["batch"] == 2


def test_before_there_is_a_server_its_facts_are_empty(tmp_path: Path) -> None:
    run = a_run(tmp_path, PROFILE)
    run.write_record(a_record(MEASUREMENTS[0]))
    assert {rows_of(summary_csv(run))[0][name] for name in ("vllm_version", "image", "image_id")} == {""}


def test_a_run_without_measurements_has_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    run = a_run(tmp_path, PROFILE)
    empty = summary_csv(run)
    assert rows_of(empty) == []
    assert guide_csv(run) == GUIDE_HEADER + "\n"
    assert guide_rows(wide_rows(run)) == []
    run.write_record(a_record(MEASUREMENTS[0]))
    assert summary_csv(run).startswith(empty)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2))
def test_any_text_survives_the_csv_in_one_line(texts: list[str]) -> None:
    written = write_csv([{"a": texts[0], "b": texts[1]}], ["a", "b"])
    assert rows_of(written) == [{name: " ".join(text.splitlines()) for name, text in zip("ab", texts, strict=True)}]
    assert len(written.splitlines()) == 2

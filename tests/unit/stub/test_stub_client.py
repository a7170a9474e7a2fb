"""The stub's load client measures over HTTP and reports as the emulated version of vLLM does."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from stub_process import command, free_port, stub_env

if TYPE_CHECKING:
    from pathlib import Path

    from stub_process import Serving

SHAPE = ("--random-input-len", 16, "--random-output-len", 8, "--num-prompts", 6, "--max-concurrency", 2)
PERCENTILES = ("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,90,95,99")
OLD = {"VLLM_VERSION": "0.8.5"}
STATISTICS = {
    f"{statistic}_{metric}_ms"
    for statistic in ("mean", "median", "std", "p50", "p90", "p95", "p99")
    for metric in ("ttft", "tpot", "itl", "e2el")
}
COMMON = {
    "date", "endpoint_type", "label", "model_id", "tokenizer_id", "num_prompts", "request_rate", "burstiness",
    "max_concurrency", "duration", "completed", "total_input_tokens", "total_output_tokens", "request_throughput",
    "output_throughput", "total_token_throughput", *STATISTICS,
}  # fmt: skip
DETAILS = {"input_lens", "output_lens", "ttfts", "itls", "generated_texts", "errors"}
NEW_KEYS = {
    "backend", "failed", "request_goodput", "max_output_tokens_per_s", "max_concurrent_requests", "rtfx",
    "latencies", "queue_times",
}  # fmt: skip


def test_writes_the_keys_of_0_32(serve: Serving) -> None:
    server = serve()
    done = server.bench(*SHAPE, *PERCENTILES, "--metadata", "run=a=b", "point=7")
    assert done.code == 0
    result = done.json()
    assert set(result) == COMMON | NEW_KEYS | {"run", "point"}
    assert (result["run"], result["request_rate"], result["request_goodput"]) == ("a=b", "inf", None)
    assert (result["completed"], result["failed"], result["num_prompts"]) == (6, 0, 6)
    assert (result["total_input_tokens"], result["total_output_tokens"]) == (96, 48)
    assert len(result["latencies"]) == len(result["queue_times"]) == 6
    assert server.metric("vllm:prompt_tokens_total") == 96
    assert server.metric("vllm:generation_tokens_total") == 48
    detailed = server.bench(*SHAPE, *PERCENTILES, "--save-detailed").json()
    assert set(detailed) == COMMON | NEW_KEYS | DETAILS | {"start_times"}
    assert detailed["output_lens"] == [8] * 6
    assert [len(gaps) for gaps in detailed["itls"]] == [7] * 6


def test_writes_the_keys_of_0_8_5(serve: Serving) -> None:
    server = serve(**OLD)
    done = server.bench(*SHAPE, *PERCENTILES, "--ignore-eos", "--metadata", "run=a=b", **OLD)
    assert done.code == 0
    result = done.json()
    assert set(result) == COMMON | DETAILS | {"request_goodput:", "best_of", "run"}
    assert result["run"] == "a"
    assert "Starting initial single prompt test run..." in done.out
    assert server.metric("vllm:prompt_tokens_total") == 96 + 16  # and the test request


def test_measures_what_the_server_does(serve: Serving) -> None:
    server = serve(TTFT_MS=60, TPOT_MS=10)
    result = server.bench(*SHAPE, *PERCENTILES).json()
    assert 60 <= result["median_ttft_ms"] < 120
    assert result["median_tpot_ms"] == pytest.approx(10, abs=4)
    assert result["median_itl_ms"] == pytest.approx(10, abs=4)
    assert 130 <= result["median_e2el_ms"] < 250
    assert result["median_e2el_ms"] == pytest.approx(result["median_ttft_ms"] + 7 * result["median_tpot_ms"], rel=0.1)
    assert 3 * 0.13 <= result["duration"] < 1
    assert result["output_throughput"] == pytest.approx(48 / result["duration"])
    assert result["max_concurrent_requests"] >= 2
    assert max(result["queue_times"]) > 0.25


def test_throughput_saturates_with_the_sequences_of_the_server(serve: Serving) -> None:
    server = serve("--max-num-seqs", 4, TTFT_MS=20, TPOT_MS=5)

    def throughput(concurrency: int) -> float:
        flags = ("--num-prompts", 24, "--random-input-len", 4, "--random-output-len", 10)
        return float(server.bench(*flags, "--max-concurrency", concurrency).json()["output_throughput"])

    one, four, twelve = throughput(1), throughput(4), throughput(12)
    assert four > 2.5 * one
    assert twelve == pytest.approx(four, rel=0.3)


def test_prints_the_table_of_its_version(serve: Serving) -> None:
    new = serve().bench(*SHAPE, *PERCENTILES, "--request-rate", 100, "--goodput", "ttft:1000", "e2el:2000")
    assert re.search(r"^=+ Serving Benchmark Result =+$", new.out, re.MULTILINE)
    for label in (
        "Successful requests:", "Failed requests:", "Maximum request concurrency:", "Request rate configured (RPS):",
        "Benchmark duration (s):", "Total input tokens:", "Total generated tokens:", "Request throughput (req/s):",
        "Request goodput (req/s):", "Output token throughput (tok/s):", "Peak output token throughput (tok/s):",
        "Peak concurrent requests:", "Total token throughput (tok/s):", "Mean TTFT (ms):", "Median TPOT (ms):",
        "P99 ITL (ms):", "P90 E2EL (ms):",
    ):  # fmt: skip
        assert re.search(rf"^{re.escape(label):<40} +[\d.]+ *$", new.out, re.MULTILINE), label
    assert new.out.startswith("Namespace(")
    assert new.out.count("main benchmark run...") == 1
    assert "Skipping endpoint ready check." in new.out
    assert new.json()["request_goodput"] == pytest.approx(new.json()["request_throughput"])
    old = serve(**OLD).bench(*SHAPE, **OLD)
    assert "Total Token throughput (tok/s):" in old.out
    assert "Failed requests:" not in old.out
    assert "E2EL" not in old.out


def test_requests_come_at_their_rate(serve: Serving) -> None:
    flags = ("--num-prompts", 20, "--random-input-len", 4, "--random-output-len", 2, "--save-detailed")
    result = serve().bench(*flags, "--request-rate", 40, "--burstiness", 100).json()
    assert result["request_rate"] == 40
    gaps = [late - early for early, late in zip(result["start_times"], result["start_times"][1:], strict=False)]
    assert sum(gaps) / len(gaps) == pytest.approx(1 / 40, rel=0.3)


def test_speaks_chat_and_base_url(serve: Serving) -> None:
    server = serve("--served-model-name", "alias")
    where = ("--base-url", f"http://127.0.0.1:{server.port}", "--served-model-name", "alias")
    done = server.bench(*SHAPE, *where, "--backend", "openai-chat", "--endpoint", "/v1/chat/completions")
    assert done.json()["completed"] == 6
    assert done.json()["total_output_tokens"] == 48
    wrong = server.bench(*SHAPE, *where, "--backend", "openai-chat")
    assert wrong.code == 1
    assert "URL must end with 'chat/completions'" in wrong.err


def test_asks_the_server_for_its_model(serve: Serving, tmp_path: Path) -> None:
    server = serve("--served-model-name", "alias")
    words = command(
        "bench", "serve", "--port", server.port, "--num-prompts", 1, "--random-output-len", 2,
        "--save-result", "--result-dir", tmp_path / "made" / "by-it",
    )  # fmt: skip
    subprocess.run(words, env=stub_env(), check=True, capture_output=True)
    (file,) = (tmp_path / "made" / "by-it").iterdir()
    assert re.fullmatch(r"openai-infqps-alias-\d{8}-\d{6}\.json", file.name)


def test_the_same_seed_sends_the_same_prompts(serve: Serving) -> None:
    server = serve()
    flags = ("--random-input-len", 33, "--random-output-len", 2)
    hits = []
    for count, seed in ((2, 0), (4, 0), (4, 1)):
        server.bench("--num-prompts", count, "--seed", seed, *flags)
        hits.append(server.metric("vllm:prefix_cache_hits_total"))
    assert hits == [0, 64, 64]
    server.bench("--num-prompts", 4, "--seed", 2, *flags, "--random-prefix-len", 32)
    assert server.metric("vllm:prefix_cache_hits_total") == 64 + 3 * 32
    assert server.metric("vllm:prompt_tokens_total") == 10 * 33 + 4 * 65


def test_warm_ups_and_the_ready_check_are_not_counted(serve: Serving) -> None:
    server = serve()
    done = server.bench(*SHAPE, "--num-warmups", 3, "--ready-check-timeout-sec", 5)
    assert done.json()["completed"] == 6
    assert "Warming up with 3 requests..." in done.out
    assert "Initial test run completed." in done.out
    assert server.metric("vllm:request_success_total", finished_reason="length") == 10


def test_failed_requests_are_counted_and_shown(serve: Serving) -> None:
    done = serve(FAIL_EVERY=3).bench(*SHAPE)
    assert (done.code, done.json()["completed"], done.json()["failed"]) == (0, 4, 2)
    assert "Failed requests during benchmark run detected (capping to 10):\nError 0: Internal Server Error" in done.out
    cut = serve(CUT_EVERY=2).bench(*SHAPE, "--save-detailed").json()
    assert (cut["completed"], cut["failed"], cut["total_output_tokens"]) == (3, 3, 24)
    assert [bool(error) for error in cut["errors"]].count(True) == 3


def test_a_stream_that_ends_in_an_error_counts_as_success(serve: Serving) -> None:
    result = serve(STREAM_ERROR_EVERY=2).bench(*SHAPE).json()
    assert (result["completed"], result["failed"], result["total_output_tokens"]) == (6, 0, 3 * 8 + 3 * 4)


def test_a_buffered_stream_looks_like_one_late_token(serve: Serving) -> None:
    result = serve(BUFFER_STREAM=1, TPOT_MS=10).bench(*SHAPE, *PERCENTILES).json()
    assert result["mean_ttft_ms"] > 0.9 * result["mean_e2el_ms"]


def test_all_requests_refused_is_no_failure_to_0_32(serve: Serving) -> None:
    server = serve()
    server.process.kill()
    server.process.wait()
    done = server.bench(*SHAPE, *PERCENTILES)
    assert (done.code, done.json()["completed"], done.json()["failed"]) == (0, 0, 6)
    assert "All requests failed" in done.err
    assert done.json()["p99_ttft_ms"] == 0
    late = server.bench(*SHAPE, "--ready-check-timeout-sec", 1)
    assert (late.code, "Initial test run failed" in late.err) == (1, True)
    old = server.bench(*SHAPE, **OLD)
    assert old.code == 1
    assert "ValueError: Initial test run failed - Please make sure benchmark arguments" in old.err


def test_unselected_percentiles_fail_0_8_5_after_the_result_is_written(serve: Serving) -> None:
    done = serve(**OLD).bench(*SHAPE, "--metric-percentiles", "50,90", **OLD)
    assert (done.code, done.json()["completed"]) == (1, 6)
    assert "KeyError: 'p99_ttft_ms'" in done.err


def test_0_8_5_does_not_make_the_result_folder(serve: Serving, tmp_path: Path) -> None:
    done = serve(**OLD).bench(*SHAPE, "--result-dir", tmp_path / "absent", **OLD)
    assert done.code == 1
    assert "FileNotFoundError" in done.err


@pytest.mark.parametrize(
    ("flags", "faults", "error"),
    [
        (("--frob", "1"), {}, "vllm: error: unrecognized arguments: --frob 1"),
        (("--endpoint-type", "openai"), {}, "vllm: error: unrecognized arguments: --endpoint-type openai"),
        (("--backend", "openai", "--model", "m"), OLD, "vllm: error: unrecognized arguments: --backend openai"),
        (("--model", "m", "--save-detailed"), OLD, "vllm: error: unrecognized arguments: --save-detailed"),
        ((), OLD, "vllm: error: the following arguments are required: --model"),
        (("--num-prompts", "many"), {}, "vllm: error: argument --num-prompts: invalid int value: 'many'"),
    ],
)
def test_flags_that_the_version_does_not_have_are_errors(
    flags: tuple[str, ...], faults: dict[str, str], error: str
) -> None:
    words = command("bench", "serve", *flags)
    done = subprocess.run(words, env=stub_env(**faults), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, error)


def test_metadata_without_a_value_is_an_error(serve: Serving) -> None:
    done = serve().bench(*SHAPE, "--metadata", "lonely")
    assert (done.code, "Please use KEY=VALUE format." in done.err) == (1, True)


def test_the_client_can_hang() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(command("bench", "serve"), env=stub_env(CLIENT_HANG=1), timeout=0.5, check=False)


def test_the_client_can_fail_before_or_after_it_measures(serve: Serving) -> None:
    server = serve()
    before = server.bench(*SHAPE, CLIENT_EXIT_CODE=3)
    assert (before.code, before.path.exists(), before.out) == (3, False, "")
    after = server.bench(*SHAPE, CLIENT_EXIT_CODE=4, CLIENT_EXIT_WHEN="after")
    assert (after.code, after.json()["completed"]) == (4, 6)


def test_the_client_can_start_slowly() -> None:
    start = time.monotonic()
    words = command("bench", "serve", "--model", "m", "--port", free_port(), "--num-prompts", 1)
    subprocess.run(words, env=stub_env(CLIENT_STARTUP_S=0.7), check=True, capture_output=True)
    assert time.monotonic() - start > 0.7


def test_the_client_can_write_half_a_result(serve: Serving) -> None:
    done = serve().bench(*SHAPE, CLIENT_BAD_JSON=1)
    assert done.code == 0
    text = done.path.read_text(encoding="utf-8")
    assert text.startswith('{"date": ')
    assert not text.endswith("}")

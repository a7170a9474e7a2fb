"""V5: the shipped CPU profiles with real vLLM 0.32.0 and 0.8.5: brought up, measured, recorded truly, taken down."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import free_port
from engine.kit.files import record_in

from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.summary import rise, stats
from orchestrator.telemetry.timeline import read_timeline

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

VERSIONS = {"cpu-tiny": "0.32.0", "cpu-tiny-0.8.5": "0.8.5"}
PHASES = (
    "getting the image",
    "starting the container",
    "starting vLLM",
    "loading weights",
    "opening the port",
    "ready",
)
GUIDE = (
    "tp,data_type,batch,prompt_tokens,completion_tokens,TOTAL_THROUGHPUT(toks/s),generate_throughput(toks/s),"
    "TTFT(ms),TPOT(ms),ITL(ms)"
)
SCALARS = {
    "duration_s": "duration",
    "completed": "completed",
    "total_input_tokens": "total_input_tokens",
    "total_output_tokens": "total_output_tokens",
    "request_throughput": "request_throughput",
    "output_throughput": "output_throughput",
    "total_token_throughput": "total_token_throughput",
}
"""Columns of ours and keys of vLLM's own result."""
LATENCIES = [
    f"{statistic}_{latency}_ms"
    for latency in ("ttft", "tpot", "itl", "e2el")
    for statistic in ("mean", "median", "std", "p50", "p90", "p95", "p99")
]


@pytest.mark.parametrize("profile", VERSIONS)
def test_up_bench_down(profile: str, orch: Orch) -> None:
    name = f"{orch.prefix}-steps"
    port = f"server.port={free_port()}"
    up = orch("up", profile, "--name", name, "--set", port)
    assert up.returncode == 0, up.stderr
    assert f"(vLLM {VERSIONS[profile]}" in up.stdout
    seen = [phase for line in up.stderr.splitlines() for phase in PHASES if line.partition("s  ")[2].startswith(phase)]
    assert seen == list(PHASES)
    told = orch.json("status", name)
    assert (told["healthy"], told["model"]) == (True, "/opt/models/tiny-qwen2")
    bench = orch("bench", "--name", name, "--json", timeout_s=600)
    assert bench.returncode in (0, 5), bench.stderr
    assert_true_record(json.loads(bench.stdout), VERSIONS[profile])
    guide = orch.ok("results", "csv", "--guide").splitlines()
    assert guide[0] == GUIDE
    assert len(guide) == 1 + 4
    assert [line.split(",")[:5] for line in guide[1:]] == [
        ["1", "float32", batch, prompt, "16"] for batch in ("2", "4") for prompt in ("64", "128")
    ]
    assert_same_requests_by_hand(f"orch-{name}", orch.run_directory())
    assert orch.ok("down", name) == f"{name} is down\n"
    assert containers.listed(name) == []


def assert_same_requests_by_hand(container: str, run: Path) -> None:
    """Type the recorded command of a measurement into the container: the same requests.

    Whether the times are the same too is a matter of statistics: benchmarks/same_numbers.py.
    """
    folder = next(run.glob("points/*/r1"))
    argv = record_in(folder)["argv"]
    at = argv[argv.index("--result-dir") + 1]
    containers.docker("exec", container, "mkdir", "-p", at)
    containers.docker("exec", container, *argv)
    by_hand = json.loads(containers.docker("exec", container, "cat", f"{at}/result.json"))
    by_orch = json.loads((folder / "result.json").read_bytes())
    assert by_hand.keys() == by_orch.keys()
    for key in ("completed", "total_input_tokens", "total_output_tokens", "input_lens", "output_lens"):
        assert by_hand[key] == by_orch[key], key


@pytest.mark.parametrize("profile", VERSIONS)
def test_run(profile: str, orch: Orch) -> None:
    name = f"{orch.prefix}-run"
    short = ["bench.lengths=[[32, 8]]", "bench.concurrency=2", "bench.prompts_per_concurrency=8"]
    sets = [word for text in (f"server.port={free_port()}", *short) for word in ("--set", text)]
    done = orch("run", profile, "--name", name, *sets, "--json", timeout_s=600)
    assert done.returncode in (0, 5), done.stderr
    told = json.loads(done.stdout)
    assert_true_record(told, VERSIONS[profile])
    assert [row["completed"] for row in told["results"]] == [16]
    assert containers.listed(name) == []
    log = (orch.run_directory() / "logs" / "server.log").read_text(encoding="utf-8")
    assert VERSIONS[profile] in log
    assert_timeline(orch.run_directory())
    wide = list(csv.DictReader(io.StringIO(orch.ok("results", "csv"))))
    assert [float(row["mean_ttft_ms"]) for row in wide] == [row["mean_ttft_ms"] for row in told["results"]]


def assert_timeline(run: Path) -> None:
    """Say that what was recorded meanwhile shows the server at work, in its container, on this machine."""
    timeline = read_timeline(run / FILE)
    (server,), (host,), (container,) = (list(timeline.of(kind)) for kind in ("server", "host", "container"))
    first, last = server.rows[0], server.rows[-1]
    tokens = [column.name for column in server.columns].index("generation_tokens")
    assert last.readings[tokens] != first.readings[tokens]
    assert float(rise(container, "cpu_time", container.rows[0].at, container.rows[-1].at) or 0) > 0
    assert stats(host, first.at, last.at)["busy"].mean > 0
    assert [hole for hole in timeline.holes if hole.source in ("proc", "cgroup")] == []
    assert '{"end":' in (run / FILE).read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.parametrize("profile", VERSIONS)
def test_a_bad_flag_is_named_at_once(profile: str, orch: Orch) -> None:
    name = f"{orch.prefix}-flag"
    sets = ["--set", f"server.port={free_port()}", "--set", "server.flags.no-such-flag=1"]
    done = orch("up", profile, "--name", name, *sets, timeout_s=600)
    assert done.returncode == 1
    assert "exited with code 2" in done.stderr
    assert "no-such-flag" in done.stderr
    assert containers.listed(name) == []


def assert_true_record(told: dict[str, Any], version: str) -> None:
    """Say that a run's figures are all there, and are what vLLM's own client wrote."""
    from pathlib import Path  # noqa: PLC0415 - a type elsewhere

    manifest = told["manifest"]
    assert manifest["state"] == "done"
    assert manifest["dtype"] == "float32"
    facts = manifest["deployment"]
    assert facts["vllm_version"].startswith(version)
    assert facts["client_version"].startswith(version)
    assert facts["image_id"].startswith("sha256:")
    path = Path(told["path"])
    for row in told["results"]:
        folder = path / "points" / row["point"] / f"r{row['repetition']}"
        raw = folder / "result.json"
        result = json.loads(raw.read_bytes())
        record = record_in(folder)
        assert (row["state"], row["reasons"], record["client_code"]) == ("done", None, 0)
        assert row["completed"] == row["num_prompts"] == result["num_prompts"]
        assert row["total_output_tokens"] == row["num_prompts"] * row["output_len"]
        for ours, theirs in SCALARS.items():
            assert row[ours] == result[theirs], ours
        for key in LATENCIES:
            assert row[key] == result[key], key
            assert math.isfinite(row[key]), key
        assert row["p50_ttft_ms"] <= row["p90_ttft_ms"] <= row["p99_ttft_ms"]
        assert row["mean_ttft_ms"] < row["mean_e2el_ms"]
        assert math.isclose(row["output_throughput"], row["total_output_tokens"] / row["duration_s"], rel_tol=1e-6)
        assert_kept_as_written(raw, folder / "client.log")
        assert_server_agrees(row)
        assert 0.0 < row["steady_share"] <= 1.0
        assert row["steady_output_throughput"] > 0.5 * row["output_throughput"]
        assert row["steady_in_flight"] == row["batch"]


def assert_server_agrees(row: dict[str, Any]) -> None:
    """Say that the server's own means are those of the same requests: the client's clock has the way to it besides."""
    assert 0.5 * row["mean_e2el_ms"] < row["server_mean_e2el_ms"] < 1.1 * row["mean_e2el_ms"]
    assert 0.5 * row["mean_tpot_ms"] < row["server_mean_tpot_ms"] < 1.5 * row["mean_tpot_ms"]
    assert 0.0 <= row["server_mean_queue_ms"] < row["mean_ttft_ms"]


def assert_kept_as_written(raw: Path, log: Path) -> None:
    """Say that a result is the client's own text: what it printed is in it, and no key was added or moved."""
    result = json.loads(raw.read_bytes())
    assert raw.read_bytes() == json.dumps(result).encode()
    assert next(iter(result)) == "date"
    printed = log.read_text(encoding="utf-8")
    assert f"{result['request_throughput']:.2f}" in printed
    assert f"{result['mean_ttft_ms']:.2f}" in printed

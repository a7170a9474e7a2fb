"""V3, V5, F1: the whole job on real vLLM of the versions between the guide's and the newest; a version is one row.

A version that `make versions` alone tries bears the marker `versions`; the others are tried on each landing.
"""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import free_port
from engine.kit.files import record_in
from engine.kit.together import together

from orchestrator.vllm.phases import Phase

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Version:
    """A version of vLLM and what is different with it."""

    number: str
    test_requests: int = 0
    """What its client sends before each measurement besides the point's requests; the server counts it."""
    missing_model: str = "model-missing"
    """The cause that its words for a model's missing folder mean: some have the same ones for a missing file in it."""


VERSIONS = {
    Version("0.9.2", test_requests=1, missing_model="model-folder-unusable"): False,
    Version("0.10.2", test_requests=1): False,
    Version("0.11.2"): False,
    Version("0.14.1"): False,
    Version("0.20.2"): False,
    Version("0.26.0"): False,
    Version("0.29.0"): True,
}
"""The versions, and whether each landing tries them."""
START = (Phase.IMAGE, Phase.CONTAINER, Phase.STARTING, Phase.WEIGHTS, Phase.SERVING, Phase.READY)
"""What even so small a model is long enough at to be seen; others may come between."""
MODEL = "/opt/models/tiny-qwen2"
OUTPUT_LEN = 8
SWEEP = (f"bench.lengths=[[32, {OUTPUT_LEN}], [64, {OUTPUT_LEN}]]", "bench.concurrency=2", "bench.warmup=2")
REQUESTS = 2 * 8
LATENCIES = ("ttft", "tpot", "itl", "e2el")
FAILURES = {
    "unknown-flag": "server.flags.no-such-flag=1",
    "bad-flag-value": "server.flags.dtype=flot32",
    "model-missing": "server.model=/opt/models/nothing-here",
    "max-model-len-too-long": "server.flags.max-model-len=100000",
}
"""Causes, and what in the profile leads to them."""
COUNTED_APART = 0.02
"""How far the counts of prompt tokens may differ: some clients tokenise a random prompt otherwise than the server."""
LONG = ("bench.lengths=[[64, 1024]]", "bench.concurrency=4", "bench.prompts_per_concurrency=64")


@dataclass(frozen=True)
class Server:
    """A server of one version that is up, and how it came up."""

    version: Version
    orch: Orch
    name: str
    """Of the deployment and of its profile."""
    told: subprocess.CompletedProcess[str]

    def bench(self, *changes: str) -> dict[str, Any]:
        """Return what `orch bench` says of a sweep on it."""
        words = [f"--set={change}" for change in ("bench.prompts_per_concurrency=8", *changes)]
        done = self.orch("bench", "--name", self.name, "--json", *words, timeout_s=400)
        assert done.returncode in (0, 5), done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(version, id=version.number, marks=() if each_landing else pytest.mark.versions)
        for version, each_landing in VERSIONS.items()
    ],
)
def version(request: pytest.FixtureRequest, needs_image: Callable[[str], None]) -> Version:
    found: Version = request.param
    needs_image(f"orch-cpu:{found.number}")
    return found


def write_profile(orch: Orch, version: Version, label: str) -> str:
    orch.profiles.mkdir(exist_ok=True)
    name = f"{orch.prefix}-{label}-{version.number.replace('.', '-')}"
    text = f"extends: cpu-tiny\ncontainer: {{image: 'orch-cpu:{version.number}'}}\nserver: {{port: {free_port()}}}\n"
    (orch.profiles / f"{name}.yaml").write_text(text, encoding="utf-8")
    return name


@pytest.fixture(scope="module")
def server(version: Version, module_orch: Orch) -> Iterator[Server]:
    name = write_profile(module_orch, version, "up")
    told = module_orch("up", name, timeout_s=400)
    assert told.returncode == 0, told.stderr
    yield Server(version, module_orch, name, told)
    assert module_orch.ok("down", name) == f"{name} is down\n"
    assert containers.listed(name) == []


def test_its_start_is_told_phase_by_phase(server: Server) -> None:
    assert f"(vLLM {server.version.number}" in server.told.stdout
    labels = {phase.label: phase for phase in Phase}
    said = [line.partition("s  ")[2] for line in server.told.stderr.splitlines()]
    seen = [phase for text in said for label, phase in labels.items() if text.startswith(label)]
    assert seen == sorted(set(seen)), "each once, in the order in time"
    assert set(START) <= set(seen), server.told.stderr


def test_its_server_is_up_for_status_ps_and_logs(server: Server) -> None:
    told = server.orch.json("status", server.name)
    assert (told["healthy"], told["model"]) == (True, MODEL)
    listed = {row["name"]: row["status"] for row in server.orch.json("ps")["deployments"]}
    assert listed[server.name] == "running"
    log = server.orch.ok("logs", server.name)
    assert server.version.number in log
    assert "Application startup complete" in log


def test_its_image_says_which_flags_it_takes(version: Version, module_orch: Orch) -> None:
    name = write_profile(module_orch, version, "asked")
    told = module_orch.json("profile", "lint", name, "--image", timeout_s=400)
    (checked,) = told["profiles"]
    assert (checked["faults"], checked["not_asked"]) == ([], None)
    assert checked["vllm_version"].startswith(version.number)
    wrong = {"max-model-lenn": "1", "dtype": "flot32", "max-num-seqs": "many"}
    sets = [f"--set=server.flags.{flag}={value}" for flag, value in wrong.items()]
    done = module_orch("profile", "lint", name, "--image", "--json", *sets)
    assert done.returncode == 2, done.stderr
    (checked,) = json.loads(done.stdout)["profiles"]
    found = {item["key"].rpartition(".")[2]: item["problem"] for item in checked["faults"]}
    assert found.keys() == wrong.keys()
    assert found["dtype"].startswith("is 'flot32', but must be one of auto")
    assert found["max-model-lenn"].startswith(f"unknown to the image's vLLM {version.number}")
    assert found["max-model-lenn"].endswith("did you mean 'max-model-len'?")


def test_its_client_measures_what_the_server_counts(server: Server) -> None:
    told = server.bench(*SWEEP)
    facts = told["manifest"]["deployment"]
    assert facts["client_mode"] == "fork"
    for key in ("vllm_version", "client_version"):
        assert facts[key].startswith(server.version.number), key
    assert [row["input_len"] for row in told["results"]] == [32, 64]
    for row, folder in each_measurement(server.orch, told):
        assert (row["state"], row["completed"], row["total_output_tokens"]) == ("done", REQUESTS, REQUESTS * OUTPUT_LEN)
        for latency in LATENCIES:
            assert row[f"mean_{latency}_ms"] > 0, latency
            assert row[f"p99_{latency}_ms"] > 0, latency
        result = json.loads((folder / "result.json").read_bytes())
        served = record_in(folder)["served"]
        besides = server.version.test_requests
        assert served["requests"] == REQUESTS + besides
        assert served["generation_tokens"] == (REQUESTS + besides) * OUTPUT_LEN
        sent = sum(result["input_lens"]) + besides * result["input_lens"][0]
        assert served["prompt_tokens"] == pytest.approx(sent, rel=COUNTED_APART)
        assert served["ttft_count"] == REQUESTS + besides


def test_its_client_draws_lengths_from_a_range(server: Server) -> None:
    told = server.bench("bench.lengths=[[64, 8]]", "bench.concurrency=2", "bench.dataset.range_ratio=0.5")
    ((row, folder),) = each_measurement(server.orch, told)
    assert (row["state"], row["completed"]) == ("done", REQUESTS)
    result = json.loads((folder / "result.json").read_bytes())
    for lengths, nominal in ((result["input_lens"], 64), (result["output_lens"], 8)):
        assert len(set(lengths)) > 1
        assert nominal // 2 <= min(lengths) <= max(lengths) <= nominal * 3 // 2


def each_measurement(orch: Orch, told: dict[str, Any]) -> list[tuple[dict[str, Any], Path]]:
    """Return each row of a run with the folder that it comes from."""
    run = next(path for path in orch.runs.iterdir() if path.name == told["manifest"]["id"])
    return [(row, run / "points" / row["point"] / f"r{row['repetition']}") for row in told["results"]]


def test_its_capacity_is_searched_and_every_run_is_on_record(server: Server) -> None:
    options = ("--name", server.name, "--slo", "p99_e2el_ms<60000", "--from", "2", "--to", "2", "--repetitions", "1")
    shape = (f"--set=bench.lengths=[[32, {OUTPUT_LEN}]]", "--set=bench.prompts_per_concurrency=8")
    done = server.orch("search", server.name, *options, *shape, "--json", timeout_s=400)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["capacity"], found["limit"]) == (2, None), found["statement"]
    runs = server.orch.json("results", "list")["runs"]
    newest = next(run for run in runs if run["profile"] == server.name)
    table = server.orch.ok("results", "show", newest["id"])
    assert "TTFT" in table


def test_each_failure_is_called_by_its_name(version: Version, module_orch: Orch) -> None:
    def fail(cause: str) -> subprocess.CompletedProcess[str]:
        name = write_profile(module_orch, version, cause)
        return module_orch("up", name, f"--set={FAILURES[cause]}", timeout_s=400)

    called = {"model-missing": version.missing_model}
    for cause, ended in together(fail, FAILURES, 2).items():
        assert ended.returncode == 1, (cause, ended.stderr)
        assert f"({called.get(cause, cause)})" in ended.stderr, (cause, ended.stderr)
        assert containers.listed(f"{module_orch.prefix}-{cause}") == []


def test_killed_while_it_measures_nothing_is_left(version: Version, module_orch: Orch) -> None:
    name = write_profile(module_orch, version, "killed")
    started = module_orch.start("run", name, *(f"--set={change}" for change in LONG))
    end = time.monotonic() + 400
    while not list(module_orch.runs.glob(f"*-{name}-????/points/*/r1/record.json")):
        assert started.process.poll() is None, started.err
        assert time.monotonic() < end, started.err
        time.sleep(0.2)
    started.kill()
    assert started.process.returncode == -signal.SIGKILL
    assert containers.left_after(name) == []

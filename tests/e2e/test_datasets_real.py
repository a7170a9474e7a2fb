"""Real clients of both versions with prompts from files, and with arrivals at a rate."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.command import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

SCRIPT = "/opt/vllm-benchmarks/benchmark_serving.py"
WORDS = ("river", "stone", "field", "wheat", "under", "wind", "while", "birds", "sing", "over", "hills", "sea", "night")
LATENCIES = ("ttft", "tpot", "itl", "e2el")


def text(source: random.Random, words: int) -> str:
    return " ".join(source.choice(WORDS) for _ in range(words))


def conversations(path: Path) -> Path:
    source = random.Random(1)
    turns = [
        [{"from": "human", "value": text(source, 12)}, {"from": "gpt", "value": text(source, 8)}] for _ in range(60)
    ]
    path.write_text(json.dumps([{"id": str(i), "conversations": turn} for i, turn in enumerate(turns)]), "utf-8")
    return path


def poem(path: Path) -> Path:
    source = random.Random(2)
    path.write_text("".join(text(source, 6) + "\n" for _ in range(80)), "utf-8")
    return path


def bench(orch: Orch, name: str, *changes: str) -> dict[str, Any]:
    sets = [word for change in changes for word in ("--set", change)]
    done = orch("bench", "--name", name, "--json", *sets, timeout_s=900)
    assert done.returncode in (0, 5), done.stderr
    return dict(json.loads(done.stdout))


def assert_measured(row: dict[str, Any], requests: int, output_tokens: int | None) -> None:
    assert (row["state"], row["completed"]) == ("done", requests), row
    if output_tokens is not None:
        assert row["total_output_tokens"] == output_tokens
    assert row["server_prompt_tokens"] == pytest.approx(row["total_input_tokens"], rel=0.1)
    for latency in LATENCIES:
        assert row[f"mean_{latency}_ms"] > 0, latency


def test_conversations_at_once_and_at_a_rate(orch: Orch) -> None:
    orch.profiles.mkdir(exist_ok=True)
    file = conversations(orch.profiles / "talk.json")
    name = f"{orch.prefix}-talk"
    (orch.profiles / f"{name}.yaml").write_text(
        "extends: cpu-tiny\nbench:\n  lengths: null\n  concurrency: null\n  prompts_per_concurrency: null\n"
        "  num_prompts: 24\n  request_rate: [inf, 20]\n  burstiness: 3\n"
        "  dataset: {name: sharegpt, file: talk.json, output_len: 6}\n",
        encoding="utf-8",
    )
    orch.ok("up", name, "--set", f"server.port={free_port()}", timeout_s=900)
    told = bench(orch, name)
    for row in told["results"]:
        assert_measured(row, 24, 24 * 6)
    assert [(row["request_rate"], row["burstiness"]) for row in told["results"]] == [("inf", None), (20.0, 3.0)]
    assert told["manifest"]["dataset"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    path = orch.run_of(name) / "points" / told["results"][1]["point"] / "r1" / "result.json"
    raw = json.loads(path.read_bytes())
    assert (raw["request_rate"], raw["burstiness"]) == (20.0, 3.0)
    rising = bench(
        orch, name, "bench.burstiness=", "bench.request_rate=", "bench.dataset.output_len=",
        "bench.ramp_up={strategy: linear, from: 5, to: 40}",
    )  # fmt: skip
    (row,) = rising["results"]
    assert_measured(row, 24, None)
    assert row["ramp_up"] == "5 to 40 req/s, linear"
    poems = "bench.dataset={name: sonnet, path: /run/orch-dataset/talk.json}"
    refused = orch("bench", "--name", name, "--set", poems, "--set", "bench.lengths=[[64, 4]]", timeout_s=900)
    assert refused.returncode == 3
    assert "the client vllm of vLLM 0.32.0+cpu cannot measure the dataset 'sonnet' as asked:" in refused.stderr
    assert "bench.dataset.name: no dataset 'sonnet'; it knows burstgpt, custom," in refused.stderr
    orch.ok("down", name)


def test_the_guides_script_with_conversations_and_a_poem(orch: Orch, tmp_path: Path) -> None:
    conversations(tmp_path / "talk.json")
    lines = poem(tmp_path / "poem.txt")
    name = f"{orch.prefix}-script"
    up = [f"server.port={free_port()}", f"container.mounts=['{tmp_path}:/prompts:ro']"]
    orch.ok("up", "cpu-tiny-0.8.5", "--name", name, *(f"--set={change}" for change in up), timeout_s=900)
    short = [f"bench.client={SCRIPT}", "bench.concurrency=2", "bench.prompts_per_concurrency=8"]
    talk = bench(
        orch, name, *short, "bench.lengths=", "bench.dataset={name: sharegpt, path: /prompts/talk.json, output_len: 6}"
    )
    assert_measured(talk["results"][0], 16, 16 * 6)
    sonnet = bench(
        orch, name, *short, "bench.lengths=[[200, 6]]",
        "bench.dataset={name: sonnet, path: /prompts/poem.txt, prefix_len: 100}",
    )  # fmt: skip
    assert_measured(sonnet["results"][0], 16, 16 * 6)
    assert sonnet["manifest"]["dataset"]["sha256"] == hashlib.sha256(lines.read_bytes()).hexdigest()
    assert sonnet["manifest"]["deployment"]["client"] == SCRIPT
    orch.ok("down", name)

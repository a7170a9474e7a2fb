"""E3: real servers and clients with APIs other than completions, and answers that may end by themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.command import free_port

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPT = "/opt/vllm-benchmarks/benchmark_serving.py"
SHORT = ("bench.lengths=[[64, 8]]", "bench.concurrency=4", "bench.prompts_per_concurrency=4")
ENDS = 'bench.client_flags={extra-body: {logit_bias: {"0": 100}}}'
"""Makes the tiny model end each answer with its first token."""


def bench(orch: Orch, name: str, *changes: str) -> dict[str, Any]:
    sets = [word for change in changes for word in ("--set", change)]
    done = orch("bench", "--name", name, "--json", *sets, timeout_s=600)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def the_row(told: dict[str, Any], requests: int) -> dict[str, Any]:
    (row,) = told["results"]
    assert (row["state"], row["completed"]) == ("done", requests), row
    assert "prompt-length" not in row["doubts"], row["doubts"]
    assert "foreign-requests" not in row["doubts"], row["doubts"]
    return dict(row)


def test_chats_and_answers_that_may_end(orch: Orch) -> None:
    name = f"{orch.prefix}-chat"
    orch.ok("up", "cpu-tiny", "--name", name, "--set", f"server.port={free_port()}", timeout_s=600)
    chat = the_row(bench(orch, name, *SHORT, "bench.backend=openai-chat", "bench.percentiles=99.9"), 16)
    assert (chat["backend"], chat["total_output_tokens"]) == ("openai-chat", 16 * 8)
    assert chat["server_prompt_tokens"] > 16 * 64 * 1.1, "the template is longer than what is doubted otherwise"
    assert chat["mean_ttft_ms"] > 0
    assert chat["p99.9_ttft_ms"] >= chat["p99_ttft_ms"]
    ending = the_row(bench(orch, name, *SHORT, ENDS, "bench.ignore_eos=false"), 16)
    assert ending["total_output_tokens"] < 16 * 8
    assert ending["notes"].startswith("shorter: answers had 1.0 of at most 8 output tokens")
    going_on = the_row(bench(orch, name, *SHORT, ENDS), 16)
    assert going_on["total_output_tokens"] == 16 * 8
    refused = orch("bench", "--name", name, "--set", "bench.endpoint=/v1/chat/completions")
    assert refused.returncode == 2
    assert "set bench.backend to openai-chat" in refused.stderr
    orch.ok("down", name)


def test_a_model_that_embeds(orch: Orch) -> None:
    name = f"{orch.prefix}-embed"
    pooling = ("server.flags={runner: pooling, convert: embed}", f"server.port={free_port()}")
    texts = ("bench.backend=openai-embeddings", "bench.lengths={input: [64]}")
    sets = [word for change in (*pooling, *texts) for word in ("--set", change)]
    orch.ok("up", "cpu-tiny", "--name", name, *sets, timeout_s=600)
    few = ("bench.concurrency=4", "bench.prompts_per_concurrency=4")
    row = the_row(bench(orch, name, *texts, *few, "objectives=[p50_e2el_ms<60000]"), 16)
    assert row["mean_e2el_ms"] > 0
    assert row["server_prompt_tokens"] == pytest.approx(16 * 64, rel=0.1)
    for absent in ("total_output_tokens", "output_throughput", "mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms"):
        assert row[absent] is None, absent
    batched = the_row(bench(orch, name, *texts, *few, "bench.dataset={batch_size: 4}"), 4)
    assert batched["total_input_tokens"] == pytest.approx(16 * 64, rel=0.1)
    the_row(bench(orch, name, *few, texts[1], "bench.backend=vllm-pooling"), 16)
    pairs = "bench.dataset={name: random-rerank, batch_size: 4, reranker: false}"
    the_row(bench(orch, name, texts[1], few[0], "bench.backend=vllm-rerank", pairs, "bench.num_prompts=13",
                  "bench.prompts_per_concurrency="), 4)  # fmt: skip
    refused = orch("bench", "--name", name, "--set", "objectives=[p99_ttft_ms<5]", *sets[4:])
    assert refused.returncode == 2
    assert "does not exist where requests generate no tokens" in refused.stderr
    orch.ok("down", name)


def test_a_chat_with_the_guides_version(orch: Orch) -> None:
    name = f"{orch.prefix}-old-chat"
    orch.ok("up", "cpu-tiny-0.8.5", "--name", name, "--set", f"server.port={free_port()}", timeout_s=600)
    chat = "bench.backend=openai-chat"
    row = the_row(bench(orch, name, *SHORT, chat, f"bench.client={SCRIPT}"), 16)
    assert row["total_output_tokens"] == 16 * 8
    refused = orch("bench", "--name", name, "--set", chat, timeout_s=300)
    assert refused.returncode == 3
    assert "bench.backend: no backend 'openai-chat'; it knows openai-comp" in refused.stderr
    orch.ok("down", name)

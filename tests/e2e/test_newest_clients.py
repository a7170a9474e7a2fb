"""V3: the newest clients, in Python and in Rust, measure a real server, and the record says which one did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from engine.kit.command import free_port

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FACTS = {
    "vllm": {"client": "vllm", "client_program": "vllm", "client_version": "0.33.0+cpu", "client_mode": "fork"},
    "vllm-rs": {
        "client": "vllm-rs",
        "client_program": "/opt/client/vllm/vllm-rs",
        "client_version": "0.33.0",
        "client_mode": "process: it is a program of its own",
    },
}
RANDOM = ("bench.lengths=[[32, 8]]", "bench.concurrency=2", "bench.prompts_per_concurrency=8")
TOKENS = "bench.client_flags={prompt-token-ids: true}"
"""The model's vocabulary is too small for the Rust client's way of making random texts of a length."""
PROFILE = """\
extends: cpu-tiny
container: {image: "orch-client:0.33.0"}
server: {command: [env, --unset=PYTHONPATH, vllm, serve]} # what is laid over vLLM 0.32 is the client's alone
bench:
  lengths: null
  concurrency: [2]
  prompts_per_concurrency: 8
  dataset: {name: custom, file: stories.jsonl, output_len: 6, skip_chat_template: true}
"""


@pytest.mark.usefixtures("client_images")
def test_the_newest_clients_of_both_kinds_measure_a_real_server(orch: Orch) -> None:
    name = f"{orch.prefix}-newest"
    orch.profiles.mkdir(exist_ok=True)
    (orch.profiles / f"{name}.yaml").write_text(PROFILE, encoding="utf-8")
    lines = [json.dumps({"prompt": f"Tell what the {number} rivers saw."}) for number in range(24)]
    (orch.profiles / "stories.jsonl").write_text("\n".join(lines), encoding="utf-8")
    orch.ok("up", name, "--set", f"server.port={free_port()}", timeout_s=600)
    for client, facts in FACTS.items():
        random = ("bench.dataset={name: random}", *RANDOM, *([TOKENS] if client == "vllm-rs" else []))
        for changes, output_len in ((random, 8), ((), 6)):
            words = [word for change in (f"bench.client={client}", *changes) for word in ("--set", change)]
            done = orch("bench", "--name", name, "--json", *words, timeout_s=600)
            assert done.returncode in (0, 5), done.stderr
            told = json.loads(done.stdout)
            deployment = told["manifest"]["deployment"]
            assert deployment["vllm_version"].startswith("0.32.0")
            assert {key: deployment[key] for key in facts} == facts
            assert (deployment["client_sha256"] is not None) == (client == "vllm-rs")
            (row,) = told["results"]
            assert (row["state"], row["completed"]) == ("done", 16), row
            assert row["total_output_tokens"] == 16 * output_len
            assert row["server_generation_tokens"] >= 16 * output_len
            assert row["server_prompt_tokens"] == pytest.approx(row["total_input_tokens"], rel=0.1)
            for latency in ("ttft", "tpot", "itl", "e2el"):
                assert row[f"mean_{latency}_ms"] > 0, (client, latency)
                assert row[f"p99_{latency}_ms"] > 0, (client, latency)
    orch.ok("down", name)

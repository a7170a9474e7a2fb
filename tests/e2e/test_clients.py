"""V3: on the guide's own vLLM both its clients run forked from one import, and the record says which one measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from engine.kit.command import free_port

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPT = "/opt/vllm-benchmarks/benchmark_serving.py"
SHORT = ["bench.lengths=[[32, 8]]", "bench.concurrency=2", "bench.prompts_per_concurrency=8"]


def test_both_clients_of_the_guides_version(orch: Orch) -> None:
    name = f"{orch.prefix}-clients"
    orch.ok("up", "cpu-tiny-0.8.5", "--name", name, "--set", f"server.port={free_port()}", timeout_s=600)
    found = {}
    for client in ("vllm", SCRIPT):
        sets = [word for change in (*SHORT, f"bench.client={client}") for word in ("--set", change)]
        done = orch("bench", "--name", name, "--json", *sets, timeout_s=600)
        assert done.returncode == 0, done.stderr
        found[client] = json.loads(done.stdout)
    orch.ok("down", name)
    for client, run in found.items():
        deployment = run["manifest"]["deployment"]
        assert (deployment["client"], deployment["client_mode"]) == (client, "fork")
        assert deployment["client_version"].startswith("0.8.5")
        assert (deployment["client_sha256"] is not None) == (client == SCRIPT), "a script is known by what it holds"
        (row,) = run["results"]
        assert row["completed"] == 16
        assert row["total_output_tokens"] == 16 * 8
        assert row["server_generation_tokens"] >= 16 * 8
        for latency in ("ttft", "tpot", "itl", "e2el"):
            assert row[f"mean_{latency}_ms"] > 0, (client, latency)
            assert row[f"p99_{latency}_ms"] > 0, (client, latency)
    seeds = {client: run["results"][0]["seed"] for client, run in found.items()}
    assert seeds["vllm"] != seeds[SCRIPT], "the server has seen the prompts of the first one"


def test_a_server_on_an_ipv6_address_is_measured_by_both_clients(orch: Orch) -> None:
    """The guide's version puts an address before the port as it is, so that only brackets keep them apart."""
    name = f"{orch.prefix}-six"
    where = ("container.network=host", "server.host=::1", f"server.port={free_port()}")
    orch.ok("up", "cpu-tiny-0.8.5", "--name", name, *(word for key in where for word in ("--set", key)), timeout_s=600)
    for client in ("vllm", SCRIPT):
        sets = [word for change in (*SHORT, f"bench.client={client}") for word in ("--set", change)]
        done = orch("bench", "--name", name, "--json", *sets, timeout_s=600)
        assert done.returncode == 0, done.stderr
        (row,) = json.loads(done.stdout)["results"]
        assert row["completed"] == 16
    orch.ok("down", name)

"""The benchmark client is aimed at the server as a process in the same container reaches it."""

from __future__ import annotations

from typing import Any

import pytest
from samples import a_bench, a_measurement, a_profile

from orchestrator.plan.bench_command import bench_argv, client_target, job_folder, job_name, sent_folder
from orchestrator.plan.sweep import sweep
from orchestrator.vllm.client import client_dialect, dialect_of


@pytest.mark.parametrize(
    ("network", "host", "reached"),
    [
        ("bridge", "127.0.0.1", "127.0.0.1"),
        ("bridge", "10.0.0.1", "127.0.0.1"),
        ("bridge", "0.0.0.0", "127.0.0.1"),
        ("host", "127.0.0.1", "127.0.0.1"),
        ("host", "10.0.0.1", "10.0.0.1"),
        ("host", "0.0.0.0", "127.0.0.1"),
        ("host", "::", "::1"),
    ],
)
def test_the_client_reaches_the_server_where_it_listens(network: str, host: str, reached: str) -> None:
    target = client_target(a_profile(container={"network": network}, server={"host": host, "port": 8010}))
    assert (target.host, target.port) == (reached, 8010)


@pytest.mark.parametrize(
    ("flags", "served", "trusted"),
    [
        ({}, "/models/tiny", False),
        ({"served-model-name": ["alias", "other"], "trust-remote-code": True}, "alias", True),
        ({"trust_remote_code": True}, "/models/tiny", True),
        ({"trust-remote-code": False}, "/models/tiny", False),
    ],
)
def test_the_client_asks_for_the_model_that_the_server_serves(
    flags: dict[str, Any],
    served: str,
    trusted: bool,
) -> None:
    target = client_target(a_profile(server={"flags": flags}))
    assert (target.model, target.served_model, target.trust_remote_code) == ("/models/tiny", served, trusted)


def test_a_job_has_a_name_and_a_folder_of_its_own() -> None:
    measurement = a_measurement()
    name = job_name(measurement)
    assert name == f"{measurement.point.id}-r1"
    assert job_folder(name).endswith(f"/{name}")
    folders = {job_folder(name, container) for container in ("a" * 64, "b" * 64)}
    assert len({*folders, job_folder(name), sent_folder("a" * 64)}) == 4, "containers may share a mounted /tmp"


def test_the_command_writes_into_the_folder_of_its_job_and_has_the_profile_s_flags() -> None:
    bench, target = a_bench(client_flags={"label": "x"}), client_target(a_profile())
    measurement = sweep(bench)[0]
    argv = bench_argv(bench.client, target, measurement, client_dialect("0.8.5"))
    assert argv[:3] == ["vllm", "bench", "serve"]
    assert argv[-2:] == ["--label", "x"]
    assert argv[argv.index("--result-dir") + 1] == job_folder(job_name(measurement))


def test_the_client_can_be_a_script() -> None:
    script = "/opt/vllm-benchmarks/benchmark_serving.py"
    bench = a_bench(client=script)
    argv = bench_argv(bench.client, client_target(a_profile()), a_measurement(), dialect_of(bench.client, "0.8.5"))
    assert argv[:2] == ["python3", script]

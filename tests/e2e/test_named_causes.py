"""F1, F2: real failures of real vLLM are called by their names, at once, with what to try; nothing is left behind."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import free_port
from engine.kit.files import manifest_in
from engine.kit.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ENDS_S = 2.0
"""Promised between the end of the container and the end of orch; teardown included, a slow machine gets more."""
SLOW_MACHINE_S = 6.0

CASES: dict[str, tuple[list[str], str]] = {
    "unknown-flag": (["server.flags.no-such-flag=1"], "unknown-flag"),
    "invalid-json": (['server.flags.speculative-config="{num_speculative_tokens: 3"'], "invalid-json"),
    "model-missing": (["server.model=/opt/models/nothing-here"], "model-missing"),
    "max-model-len": (["server.flags.max-model-len=100000"], "max-model-len-too-long"),
    "quantization": (["server.flags.quantization=no_such_method"], "quantization-unknown"),
    "kv-cache": (
        [
            "server.flags.max-model-len=2000000",
            "server.flags.hf-overrides={max_position_embeddings: 4000000}",
            "bench=null",
        ],
        "kv-cache-too-small",
    ),
    "memory": (["container.memory=400m"], "killed-for-memory"),
}
"""What is changed in cpu-tiny, and the cause that must be named."""


@pytest.fixture
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, float]]:
    """Note when containers end, by name, as the engine tells it."""
    path = tmp_path_factory.mktemp("events") / "events"
    with path.open("wb") as file:
        listener = subprocess.Popen(
            ["docker", "events", "--filter", "event=die", "--format", "{{.TimeNano}} {{.Actor.Attributes.name}}"],
            stdout=file,
        )
    found: dict[str, float] = {}
    yield found
    listener.terminate()
    listener.wait()
    found.update({name: int(when) / 1e9 for when, name in (line.split() for line in path.read_text().splitlines())})


def failing_start(orch: Orch, case: str) -> tuple[subprocess.CompletedProcess[str], float]:
    sets = [word for change in (*CASES[case][0], f"server.port={free_port()}") for word in ("--set", change)]
    done = orch("up", "cpu-tiny", "--name", f"{orch.prefix}-{case}", *sets, timeout_s=600)
    return done, time.time()


def test_each_failure_is_called_by_its_name(
    orch: Orch, deaths: dict[str, float], request: pytest.FixtureRequest
) -> None:
    done = together(lambda case: failing_start(orch, case), CASES, 2)
    request.addfinalizer(lambda: assert_prompt(orch, done, deaths))
    for case, (ended, _) in done.items():
        assert ended.returncode == 1, (case, ended.stderr)
        cause = CASES[case][1]
        assert f"({cause})" in ended.stderr, (case, ended.stderr)
        for part in ("cause:", "why:", "try:", "log:"):
            assert part in ended.stderr, (case, ended.stderr)
    assert containers.listed(orch.prefix) == []


def assert_prompt(orch: Orch, done: dict[str, Any], deaths: dict[str, float]) -> None:
    late = {}
    for case, (_, ended_at) in done.items():
        died_at = deaths.get(f"orch-{orch.prefix}-{case}")
        if died_at is not None and ended_at - died_at > ENDS_S + SLOW_MACHINE_S:
            late[case] = ended_at - died_at
    assert late == {}


def test_a_taken_port_is_named_before_anything_starts(orch: Orch) -> None:
    name = f"{orch.prefix}-first"
    port = f"server.port={free_port()}"
    orch.ok("up", "cpu-tiny", "--name", name, "--set", port, timeout_s=600)
    second = orch("up", "cpu-tiny", "--name", f"{orch.prefix}-second", "--set", port)
    assert second.returncode == 3
    assert "is in use" in second.stderr
    assert "--set server.port=" in second.stderr
    orch.ok("down", name)


def test_a_killed_engine_process_is_noticed_during_the_sweep(orch: Orch) -> None:
    """The server ends with exit code 0 all the same."""
    name = f"{orch.prefix}-killed"
    bench = [
        "bench.lengths=[[64, 512]]",
        "bench.concurrency=[4]",
        "bench.prompts_per_concurrency=64",
        "bench.restarts=0",
    ]
    sets = [word for change in (*bench, f"server.port={free_port()}") for word in ("--set", change)]
    started = orch.start("run", "cpu-tiny", "--name", name, *sets)
    started.wait_for("warm-up", 600)
    while not list(orch.runs.glob("*/points/*/r1/record.json")):
        assert started.process.poll() is None, started.err
        time.sleep(0.2)
    containers.docker("exec", f"orch-{name}", "sh", "-c", "kill -9 $(pgrep -f EngineCore | head -1)")
    killed = time.monotonic()
    assert started.wait(300) == 1
    assert time.monotonic() - killed < 60
    assert "(engine-died)" in started.err, started.err
    manifest = manifest_in(next(orch.runs.glob("*/manifest.json")).parent)
    assert manifest["state"] == "failed"
    assert containers.listed(orch.prefix) == []

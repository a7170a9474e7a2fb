"""A measurement that fails is named with its reason, the others are taken, the client's log is kept; exit code 1."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.files import record_in
from engine.kit.together import together

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

THREE = {"lengths": [[8, 2], [8, 8], [8, 3]], "num_prompts": 4, "concurrency": 2}
"""Three points of four requests each; the seventh request is in the second of them."""


@dataclass(frozen=True)
class Fault:
    """What the stub does wrong, and what comes of each of the three points."""

    reasons: tuple[str | None, str | None, str | None]
    """Part of the reason that each failed point gives."""
    server: dict[str, str] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)
    bench: dict[str, Any] = field(default_factory=dict)
    code: int = 5
    """5 where something was measured that must not be used, 1 where a measurement came to nothing."""


def every(reason: str) -> tuple[str, str, str]:
    return (reason, reason, reason)


FAULTS = {
    "a request is refused": Fault((None, "3 of 4 requests completed", None), {"STUB_FAIL_EVERY": "7"}),
    "a connection is cut": Fault((None, "3 of 4 requests completed", None), {"STUB_CUT_EVERY": "7"}),
    "a stream ends in an error": Fault((None, "of 32 output tokens", None), {"STUB_STREAM_ERROR_EVERY": "7"}),
    "outputs are short": Fault((None, "16 of 32 output tokens", None), {"STUB_SHORT_OUTPUT": "4"}),
    "the client hangs": Fault(
        every("the client was killed at its deadline"),
        client={"STUB_CLIENT_HANG": "1"},
        bench={"deadline": "2s"},
        code=1,
    ),
    "the client writes half a result": Fault(
        every("the client's result cannot be read"), client={"STUB_CLIENT_BAD_JSON": "1"}, code=1
    ),
    "the client fails": Fault(every("the client exited with code 3"), client={"STUB_CLIENT_EXIT_CODE": "3"}, code=1),
    "the client fails after its result": Fault(
        every("the client exited with code 4"),
        client={"STUB_CLIENT_EXIT_CODE": "4", "STUB_CLIENT_EXIT_WHEN": "after"},
    ),
}


@pytest.fixture(scope="module")
def runs(module_orch: Orch) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run all of them side by side."""

    def attempt(label: str) -> subprocess.CompletedProcess[str]:
        fault = FAULTS[label]
        profile = module_orch.profile(
            label.replace(" ", "-"),
            container={"env": fault.client},
            server={"env": fault.server},
            bench={**THREE, **fault.bench},
        )
        return module_orch("run", profile, "--json")

    return together(attempt, FAULTS, 4)


@pytest.mark.parametrize("label", FAULTS)
def test_a_point_that_fails_is_named_and_the_others_count(
    label: str, runs: dict[str, subprocess.CompletedProcess[str]], module_orch: Orch
) -> None:
    fault, done = FAULTS[label], runs[label]
    assert done.returncode == fault.code, done.stderr
    told = json.loads(done.stdout)
    wanted = ["done" if reason is None else "failed" for reason in fault.reasons]
    assert [row["state"] for row in told["results"]] == wanted
    path = module_orch.run_of(f"{module_orch.prefix}-{label.replace(' ', '-')}")
    for row, reason in zip(told["results"], fault.reasons, strict=True):
        folder = path / "points" / row["point"] / "r1"
        record = record_in(folder)
        assert (folder / "client.log").is_file()
        if reason is None:
            assert (row["reasons"], record["reasons"], row["completed"]) == (None, [], 4)
            continue
        assert reason in "; ".join(record["reasons"])
        assert row["mean_ttft_ms"] is None, "a failed measurement has no figures"
        assert reason in done.stderr
        assert str(folder / "client.log") in done.stderr
    failed = wanted.count("failed")
    assert (told["manifest"]["state"], told["manifest"]["reason"]) == (
        "failed",
        f"{failed} of 3 measurements are not done",
    )
    assert len(told["guide"]) == 3 - failed
    assert containers.listed(told["manifest"]["deployment"]["name"]) == []


def test_the_result_of_a_failed_measurement_is_kept_byte_for_byte(
    runs: dict[str, subprocess.CompletedProcess[str]], module_orch: Orch
) -> None:
    label = "the client writes half a result"
    for row in json.loads(runs[label].stdout)["results"]:
        folder = module_orch.run_of(f"{module_orch.prefix}-{label.replace(' ', '-')}") / "points" / row["point"] / "r1"
        raw = (folder / "result.json").read_bytes()
        assert raw.startswith(b"{")
        with pytest.raises(ValueError, match=r"."):
            json.loads(raw)


@pytest.mark.parametrize("death", ["exit0", "kill", "health503"])
def test_a_server_that_dies_during_the_sweep(death: str, orch: Orch) -> None:
    env = {"STUB_DIE_AFTER_REQUESTS": "6", "STUB_DEATH": death, "STUB_LOG_TEXT": "RCCL error: the link is down"}
    name = orch.profile("dies", server={"env": env}, bench={**THREE, "deadline": "20s"})
    done = orch("run", name, "--json")
    assert done.returncode in (1, 5), done.stderr
    manifest = orch.manifest_of(name)
    assert manifest["state"] == "failed"
    states = {record["parameters"]["output_len"]: record for record in records(orch.run_of(name))}
    assert states[2]["state"] == "done", "what was finished stays"
    assert states[8]["state"] == "failed"
    assert any("server" in reason for reason in states[8]["reasons"])
    logs = "".join(log.read_text(encoding="utf-8") for log in (orch.run_of(name) / "logs").glob("server*.log"))
    assert "RCCL error: the link is down" in logs
    assert containers.listed(name) == []


def test_a_server_that_hangs_during_the_sweep(orch: Orch) -> None:
    env = {"STUB_HANG_AFTER_REQUESTS": "6"}
    name = orch.profile("hangs", server={"env": env}, bench={**THREE, "lengths": [[8, 2], [8, 8]], "deadline": "4s"})
    done = orch("run", name)
    assert done.returncode == 1, done.stderr
    states = {record["parameters"]["output_len"]: record["state"] for record in records(orch.run_of(name))}
    assert (states[2], states[8]) == ("done", "failed")
    assert "the server hangs: it has not answered for 10 s" in done.stderr
    assert containers.listed(name) == []


def records(path: Path) -> list[dict[str, Any]]:
    return [record_in(record.parent) for record in path.glob("points/*/r1/record.json")]

"""A capacity search finds what the stub server can bear, whatever its latency does beyond, and trusts no failure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.files import manifest_in
from engine.kit.together import together

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SHAPE: dict[str, Any] = {"lengths": [[8, 4]], "prompts_per_concurrency": 3, "num_prompts": None, "warmup": 0}
TPOT_MS = 200.0
"""So long that what a busy machine adds to it is small."""
CASES = {
    # curve beyond capacity: (capacity, seed, what the time per token is one step beyond, in units of TPOT_MS)
    "linear": (3, 1, 4 / 3),
    "knee": (5, 2, (6 / 5) ** 2),
    "cliff": (11, 3, 10 * 12 / 11),
}


def search(
    orch: Orch,
    label: str,
    env: dict[str, str],
    *options: str,
    **bench: Any,
) -> tuple[str, dict[str, Any]]:
    """Return the profile's name, and what a search with the stub's own client says."""
    name = orch.profile(label, server={"env": env}, bench={**SHAPE, **bench})
    done = orch("search", name, "--json", *options, timeout_s=800)
    assert done.returncode in (0, 4), done.stderr
    return name, json.loads(done.stdout)


@pytest.fixture(scope="module")
def found(module_orch: Orch) -> dict[str, tuple[str, dict[str, Any]]]:
    def attempt(curve: str) -> tuple[str, dict[str, Any]]:
        capacity, seed, beyond = CASES[curve]
        env = {
            "STUB_TPOT_MS": str(TPOT_MS), "STUB_CAPACITY": str(capacity), "STUB_CURVE": curve, "STUB_JITTER": "0.01",
            "STUB_SEED": str(seed),
        }  # fmt: skip
        bound = TPOT_MS * (1 + min(beyond, 2.0)) / 2
        options = ("--slo", f"median_tpot_ms<{bound:.0f}", "--to", "32", "--repetitions", "1")
        return search(module_orch, curve, env, *options)

    return together(attempt, CASES, 3)


@pytest.mark.parametrize("curve", CASES)
def test_it_finds_the_capacity_within_one_step(curve: str, found: dict[str, tuple[str, dict[str, Any]]]) -> None:
    capacity, (_, told) = CASES[curve][0], found[curve]
    assert abs(told["capacity"] - capacity) <= 1, told["tried"]
    assert told["limit"] == told["capacity"] + 1
    assert told["statement"].startswith(f"the highest concurrency that meets the objectives is {told['capacity']}")
    assert len(told["tried"]) == len({tried["load"] for tried in told["tried"]})


def test_it_takes_less_than_a_third_of_what_a_scan_takes(orch: Orch) -> None:
    env = {
        "STUB_TTFT_MS": "300", "STUB_TPOT_MS": "20", "STUB_CAPACITY": "40", "STUB_CURVE": "cliff",
        "STUB_JITTER": "0.05", "STUB_SEED": "4",
    }  # fmt: skip
    options = ("--slo", "median_tpot_ms<100", "--to", "64", "--repetitions", "3")
    _, told = search(orch, "far", env, *options, lengths=[[8, 8]], prompts_per_concurrency=1)
    assert abs(told["capacity"] - 40) <= 1, told["tried"]
    assert 3 * len(told["tried"]) <= 3 * (told["capacity"] + 1), "a scan measures each load three times too"


def test_goodput_is_measured_and_every_measurement_is_on_record(
    found: dict[str, tuple[str, dict[str, Any]]], module_orch: Orch
) -> None:
    name, told = found["cliff"]
    shown = module_orch.json("results", "show", module_orch.run_of(name))
    rows = {(row["point"], row["repetition"]): row for row in shown["results"]}
    assert len(rows) == len(told["tried"])
    for tried in told["tried"]:
        row = rows[tried["point"], tried["repetition"]]
        assert (row["max_concurrency"], row["verdict"]) == (tried["load"], tried["verdict"])
        good = row["request_goodput"] / row["request_throughput"]
        assert good >= 0.5 if tried["met"] else good <= 0.5, "half of the requests are on either side of the median"


def test_a_load_at_which_requests_fail_is_missed_and_said_to_be_invalid(orch: Orch) -> None:
    _, told = search(
        orch, "failing", {"STUB_FAIL_EVERY": "30"}, "--slo", "median_tpot_ms<5000", "--to", "8", "--repetitions", "1"
    )
    missed = [tried for tried in told["tried"] if not tried["met"]]
    assert missed, told
    assert all(tried["verdict"] == "INVALID" for tried in missed)
    assert f"at concurrency {told['limit']} is INVALID (incomplete)" in told["statement"]


def test_what_it_rests_on_is_said_where_it_is_doubtful(orch: Orch) -> None:
    _, told = search(
        orch, "short", {"STUB_TTFT_MS": "1", "STUB_TPOT_MS": "1"}, "--slo", "median_tpot_ms<5000", "--to", "2",
        "--repetitions", "1",
    )  # fmt: skip
    assert told["capacity"] == 2
    assert told["tried"][-1]["verdict"] == "SUSPECT"
    assert "but 1 of 1 measurements at concurrency 2 is SUSPECT (" in told["statement"]
    assert "too-short" in told["statement"]


def test_a_rate_lasts_as_long_as_it_was_asked_to(orch: Orch) -> None:
    options = ("--slo", "median_tpot_ms<5000", "--over", "request-rate", "--from", "5", "--to", "10", "--for", "2s")
    name, told = search(orch, "paced", {"STUB_TPOT_MS": "1"}, *options, "--repetitions", "1")
    rows = orch.json("results", "show", orch.run_of(name))["results"]
    assert [(row["request_rate"], row["num_prompts"]) for row in rows] == [(5, 10), (10, 20)]
    assert (told["capacity"], told["limit"]) == (10, None)
    refused = orch("search", name, "--slo", "median_tpot_ms<5000", "--for", "2s")
    assert refused.returncode == 2
    assert "--over request-rate" in refused.stderr


def test_a_server_that_dies_for_good_does_not_take_the_answer_with_it(orch: Orch) -> None:
    """It answers 30 requests and dies: loads 1 and 2 have 18 in sum, load 4 has 20 more."""
    env = {"STUB_DIE_AFTER_REQUESTS": "30", "STUB_DEATH": "kill", "STUB_TPOT_MS": "20"}
    name = orch.profile("mortal", server={"env": env}, bench={**SHAPE, "prompts_per_concurrency": 5, "restarts": 0})
    done = orch("search", name, "--json", "--slo", "median_tpot_ms<5000", "--to", "64")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["kind"], told["capacity"]) == ("search", 2)
    assert "known to meet the objectives is 2" in told["statement"]
    assert "; but the search was cut short: " in told["statement"]
    folder = orch.run_of(name)
    assert json.loads((folder / "search.json").read_bytes())["statement"] == told["statement"]
    assert manifest_in(folder)["state"] == "failed"
    assert "cause:" in done.stderr
    refused = orch("bench", "--resume", folder.name)
    assert refused.returncode == 2
    assert f"{folder.name} is a search: what it measures next depends on what it has measured" in refused.stderr
    assert manifest_in(folder)["state"] == "failed"

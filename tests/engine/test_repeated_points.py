"""D3: repetitions that results decide on end when the mean is known or the budget spent, with kills in between too."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.files import manifest_in, record_in

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

STEADY, SLOW = {"STUB_TTFT_MS": "1500"}, {"STUB_TTFT_MS": "300"}
NEVER_KNOWN = {"auto": {"at_least": 2, "at_most": 6, "width": 0.0001}}
TWO_POINTS = {"lengths": [[8, 2], [8, 3]], "num_prompts": 2, "warmup": 0}


def taken(folder: Path) -> list[tuple[str, int]]:
    """Return the measurements of a run in their order, each of which is done."""
    manifest = manifest_in(folder)
    assert manifest["state"] == "done", manifest
    named = [(point, repetition) for point, repetition in manifest["measurements"]]
    for point, repetition in named:
        record = record_in(folder / "points" / point / f"r{repetition}")
        assert record["state"] == "done"
    return named


def rounds(named: list[tuple[str, int]]) -> list[int]:
    return [repetition for _, repetition in named]


def test_a_server_that_is_always_the_same_is_measured_no_more_than_needed(orch: Orch) -> None:
    auto = {"auto": {"metric": "mean_ttft_ms", "width": 0.5}}
    name = orch.profile("steady", server={"env": STEADY}, bench={**TWO_POINTS, "repetitions": auto})
    orch.ok("run", name)
    assert rounds(taken(orch.run_of(name))) == [1, 1, 2, 2, 3, 3]
    shown = orch.json("results", "show", orch.run_of(name))
    assert [(point["metric"], point["repetitions"]) for point in shown["repeated"]] == [("mean_ttft_ms", 3)] * 2
    for point in shown["repeated"]:
        values = [row["mean_ttft_ms"] for row in shown["results"] if row["point"] == point["point"]]
        assert point["mean"] == pytest.approx(sum(values) / 3)
        assert point["half_width"] <= 0.5 * point["mean"]
    assert "mean_ttft_ms" in orch.ok("results", "show", orch.run_of(name))


def test_a_mean_that_stays_unknown_ends_with_the_budget(orch: Orch) -> None:
    name = orch.profile("unknown", bench={**TWO_POINTS, "repetitions": NEVER_KNOWN})
    orch.ok("run", name)
    assert rounds(taken(orch.run_of(name))) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_a_run_that_is_killed_again_and_again_comes_out_as_one_that_is_not(orch: Orch) -> None:
    name = orch.profile("killed", server={"env": SLOW}, bench={**TWO_POINTS, "repetitions": NEVER_KNOWN})
    orch.ok("up", name)
    chance = random.Random(1)
    started = orch.start("bench", "--name", name)
    seen: dict[str, Any] = {}
    for further in (2, 4, 5, 7, 8):
        while len(done := finished(orch)) < further:
            assert started.process.poll() is None, started.err
            time.sleep(0.01)
        assert seen.items() <= done.items(), "what was done is not measured again"
        seen = done
        time.sleep(chance.uniform(0.0, 0.3))
        started.kill()
        started = orch.start("bench", "--resume", orch.run_of(name).name)
    assert started.wait() == 0, started.err
    assert seen.items() <= finished(orch).items()
    named = taken(orch.run_of(name))
    assert rounds(named) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert len(set(named)) == len(named)
    orch.ok("down", name)
    again = orch("bench", "--resume", orch.run_of(name).name)
    assert (again.returncode, "nothing is missing" in again.stderr) == (0, True)


def finished(orch: Orch) -> dict[str, str]:
    """Return when each measurement that is done began, by the place of its record."""
    found = {}
    for path in orch.runs.glob("*/points/*/r?/record.json"):
        record = record_in(path.parent)
        if record["state"] == "done":
            found[str(path)] = record["started"]
    return found


def test_a_run_that_ended_between_two_rounds_goes_on_with_the_next(orch: Orch) -> None:
    name = orch.profile("between", bench={**TWO_POINTS, "repetitions": NEVER_KNOWN})
    orch.ok("run", name)
    folder = orch.run_of(name)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "measurements": manifest["measurements"][:4]}))
    for late in folder.glob("points/*/r[3-6]"):
        late.rename(late.with_name(f"away-{late.name}"))
    orch.ok("bench", "--resume", folder.name)
    assert rounds(taken(folder)) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]

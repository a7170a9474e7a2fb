"""A run has its timeline beside its results, unless the profile leaves it out; it holds what happened meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.timeline import read_timeline

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SLOW = {"STUB_TTFT_MS": "1500"}


def test_a_run_records_its_container_and_its_server_once_a_second(orch: Orch) -> None:
    name = orch.profile("recorded", server={"env": SLOW}, bench={"num_prompts": 4, "repetitions": 2})
    orch.ok("run", name)
    timeline = read_timeline(orch.run_of(name) / FILE)
    rows = {
        kind: [row for series in timeline.of(kind) for row in series.rows] for kind in ("host", "container", "server")
    }
    assert min(map(len, rows.values())) >= 3
    assert max(late.at - early.at for early, late in zip(rows["host"], rows["host"][1:], strict=False)) < 10.0
    assert [hole for hole in timeline.holes if hole.source in ("proc", "cgroup")] == []


def test_a_profile_may_leave_it_out(orch: Orch) -> None:
    name = orch.profile("unrecorded", bench={"num_prompts": 2, "telemetry": False})
    orch.ok("run", name)
    assert not (orch.run_of(name) / FILE).exists()

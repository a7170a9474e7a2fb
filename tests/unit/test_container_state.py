"""What the engine says of a container, as numbers."""

from __future__ import annotations

import dataclasses

import pytest
from fake_engine import exited

from orchestrator.engine.client import DATED_LATE_S

SECOND = 1795493220


@pytest.mark.parametrize(
    ("written", "started"),
    [
        ("2026-11-24T04:07:00.123456789Z", SECOND + 0.123456789),
        ("2026-11-24T04:07:00.05Z", SECOND + 0.05),
        ("2026-11-24T04:07:00Z", SECOND),
        ("2026-11-24T12:07:00.5+08:00", SECOND + 0.5),
    ],
)
def test_the_output_of_a_start_begins_a_little_before_the_engine_dates_it(written: str, started: float) -> None:
    since = dataclasses.replace(exited(1), started_at=written).output_since
    assert since == pytest.approx(started - DATED_LATE_S, rel=0, abs=1e-6)


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00Z", ""])
def test_a_container_that_was_never_started_has_no_such_moment(written: str) -> None:
    assert dataclasses.replace(exited(1), started_at=written).output_since is None

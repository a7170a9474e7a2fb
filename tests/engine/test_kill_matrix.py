"""T1, T2, T3, T6: a hundred ends at random moments, in every way, leave nothing behind and touch nothing else."""

from __future__ import annotations

import pytest
from engine.kill_matrix import run_matrix, table

KILLS, LANES, SEED = 100, 8, 20261124
STOPPED_S = 2.0
"""After any death of orch the accelerators are free within this time."""

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_hundred_ends_leave_nothing_behind() -> None:
    kills, untouched = run_matrix(KILLS, LANES, SEED)
    shown = "\n".join(table(kills))
    assert len(kills) == KILLS
    assert untouched, shown
    assert [kill for kill in kills if kill.left or not kill.whole] == [], shown
    died = [kill for kill in kills if kill.way.startswith("kill") and kill.code < 0]
    assert died, shown
    assert [kill for kill in died if not kill.stopped_s <= STOPPED_S + OVERLOAD_S] == [], shown


OVERLOAD_S = 3.0
"""What eight runs side by side on two cores may add."""

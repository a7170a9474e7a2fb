"""Promise V2: A search's answer is in its run as ids and numbers, and is shown again from there as it was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from local_container import LocalContainer, UnderWay
from samples import a_profile
from test_capacity_search import BENCH, a_plan

from orchestrator.causes import Cause
from orchestrator.errors import Interrupted
from orchestrator.events import Event, unheard
from orchestrator.measuring.answer import answer_of
from orchestrator.measuring.answered import found_again
from orchestrator.measuring.search import LoadTried, run_search
from orchestrator.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parents[1] / "golden/runs"


@pytest.fixture
def container(tmp_path: Path) -> Iterator[LocalContainer]:
    made = LocalContainer(tmp_path)
    yield made
    made.close()


def test_a_search_is_shown_again_as_it_was_told(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.directory.update(measurements=(), points={})
    found = run_search(going.sweep, going.bench, a_plan(repetitions=2), unheard)
    going.sweep.close()
    run = going.directory.again()
    again = found_again(run)
    assert again is not None
    assert again.as_data() == found.as_data()
    answer = run.manifest().search
    assert answer == answer_of(found)
    assert (answer.capacity, answer.limit, answer.objectives) == (10, 11, ("mean_ttft_ms<52",))
    assert [item.missed for item in answer.tried if item.load == 16] == [("mean_ttft_ms<52",)]
    assert set(run.manifest().points) == {item.point for item in answer.tried}


def test_what_cut_a_search_short_is_a_cause(tmp_path: Path, container: LocalContainer) -> None:
    going = UnderWay(tmp_path, container, a_profile(bench=BENCH))
    going.directory.update(measurements=(), points={})

    def interrupt(event: Event) -> None:
        if isinstance(event, LoadTried) and event.tried.load == 2:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        run_search(going.sweep, going.bench, a_plan(), interrupt)
    going.sweep.close()
    answer, again = going.directory.again().manifest().search, found_again(going.directory.again())
    assert answer is not None
    assert again is not None
    assert answer.cut_short == Cause("interrupted", {"signal": "SIGTERM"})
    assert "the search was cut short: orch received SIGTERM" in again.statement()


JUDGED = ("doubts", "statement")
"""What the rules of the version say that shows it; later rules see more."""


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*-golden-two-search*")), ids=lambda path: path.name)
def test_the_answer_of_a_golden_search_is_what_its_file_tells(path: Path) -> None:
    again = found_again(Run(path))
    told = path / "search.json"
    assert (again is not None) == told.exists()
    if again is None:
        return
    first, now = json.loads(told.read_bytes()), again.as_data()
    assert {key: now[key] for key in first if key not in JUDGED} == {
        key: value for key, value in first.items() if key not in JUDGED
    }
    assert set(first) <= set(now)
    assert set(first["doubts"]) <= set(now["doubts"])


def test_a_run_without_an_answer_has_none_to_show() -> None:
    assert [found_again(Run(path)) for path in GOLDEN.glob("*-golden-two-s[wt]*")] == [None] * 4

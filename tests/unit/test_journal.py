"""Promise D8: a run says what happened in it, as values with a time; a journal that cannot be written harms no run."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_place, a_record, a_run

from orchestrator.errors import ServerFailed
from orchestrator.events import Failed, Waiting
from orchestrator.jobs.record import recorded
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.runs.journal import FILE, Journal
from orchestrator.vllm.phases import Phase, PhaseReached

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.runs.run import Run
from orchestrator.text import said


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "runs")


def told(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / FILE).read_text(encoding="utf-8").splitlines()]


def test_events_before_the_run_was_there_stand_first(run: Run) -> None:
    journal = Journal()
    journal(Waiting("accelerators is held by somebody"))
    with journal.of(run):
        journal(PhaseReached(Phase.WEIGHTS, "50 %"))
    journal(Waiting("of the next run"))
    first, second = told(run)
    assert (first["event"], first["reason"]) == ("waiting", "accelerators is held by somebody")
    assert (second["event"], second["phase"], second["detail"]) == ("phase", "weights", "50 %")


def test_each_line_says_when_by_both_clocks(run: Run) -> None:
    journal = Journal()
    with journal.of(run):
        journal(Waiting("a"))
        journal(Waiting("b"))
    first, second = told(run)
    assert abs(dt.datetime.now(dt.timezone.utc) - dt.datetime.fromisoformat(first["time"])) < dt.timedelta(minutes=1)
    assert 0 <= second["clock_s"] - first["clock_s"] < 60


def test_a_measurement_is_named_and_its_record_says_the_rest(run: Run) -> None:
    journal, record = Journal(), a_record()
    with journal.of(run):
        journal(MeasurementBegun(1, 2, record))
        journal(MeasurementEnded(1, 2, record))
        journal(Failed(ServerFailed("the server died", "read its log")))
    begun, ended, failed = ({key: line[key] for key in line if key not in ("time", "clock_s")} for line in told(run))
    which = {"index": 1, "total": 2, "point": record.point, "repetition": record.repetition}
    assert begun == {"event": "measurement-begun", **which}
    assert ended == {"event": "measurement-ended", **which, "state": "done"}
    assert failed == {
        "event": "failed", "error": "ServerFailed", "id": "server-failed",
        "message": "the server died", "hint": "read its log",
        "said": {"message": said("the server died"), "hint": said("read its log")},
    }  # fmt: skip


def test_the_runs_of_one_place_each_have_their_own(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / "runs", id=f"20260101-00000{number}-tiny-0a1b") for number in (1, 2)]
    here = a_place()
    for run in runs:
        with recorded(here, run):
            here.tell(Waiting(run.path.name))
    assert [[line["event"] for line in told(run)] for run in runs] == [["run-opened", "waiting"]] * 2
    assert [told(run)[1]["reason"] for run in runs] == [run.path.name for run in runs]


def test_one_that_is_gone_on_with_is_gone_on_with_in_the_same_journal(run: Run) -> None:
    for reason in ("a", "b"):
        journal = Journal()
        with journal.of(run):
            journal(Waiting(reason))
    assert [line["reason"] for line in told(run)] == ["a", "b"]


def test_a_journal_that_cannot_be_written_harms_no_run(run: Run) -> None:
    (run.path / FILE).mkdir()
    journal = Journal()
    with journal.of(run):
        journal(Waiting("a"))
    assert (run.path / FILE).is_dir()

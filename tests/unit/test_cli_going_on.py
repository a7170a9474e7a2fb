"""Going on with a run is proposed where it helps: not after a start that would fail again, but after a failed point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_engine import FakeEngine
from samples import a_profile, a_record, a_run

from orchestrator.cli.session import session
from orchestrator.cli.show import report
from orchestrator.errors import ExitCode, Interrupted, ServerFailed
from orchestrator.jobs import places
from orchestrator.jobs.record import recorded
from orchestrator.plan.sweep import sweep
from orchestrator.report.meaning import can_go_on
from orchestrator.runs.format.records import RunKind, RunState

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.runs.run import Run

PROFILE = a_profile(bench={"repetitions": 2})
assert PROFILE.bench is not None
MEASUREMENTS = sweep(PROFILE.bench)


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is asked of an engine, and no state of this machine is touched."""
    monkeypatch.setenv("ORCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(places, "connect", lambda _: FakeEngine())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "runs", PROFILE)


def proposed(run: Run, error: BaseException, capsys: pytest.CaptureFixture[str]) -> bool:
    def fail() -> None:
        with session(quiet=True, as_json=False) as here, recorded(here, run):
            raise error

    with pytest.raises(type(error)):
        fail()
    return f"orch bench --resume {run.path.name}" in capsys.readouterr().err


def test_a_start_that_would_fail_again_is_not_gone_on_with(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert not proposed(run, ServerFailed("unrecognized arguments: --x"), capsys)


def test_a_run_of_which_something_was_measured_is_gone_on_with(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.write_record(a_record(MEASUREMENTS[0]))
    assert proposed(run, ServerFailed("the server has died"), capsys)


def test_a_run_that_was_interrupted_is_gone_on_with(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert proposed(run, Interrupted(2), capsys)


def test_a_sweep_with_a_failed_point_is_gone_on_with(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for measurement in MEASUREMENTS[1:]:
        run.write_record(a_record(measurement))
    run.write_record(a_record(MEASUREMENTS[0], state=RunState.FAILED, metrics=None, client_code=1))
    run.update(state=RunState.DONE)
    assert report(run, as_json=False, quiet=True) is ExitCode.RUN_FAILED
    assert f"go on with it: orch bench --resume {run.path.name}" in capsys.readouterr().err


def test_a_run_that_is_complete_and_a_search_are_not_gone_on_with(run: Run) -> None:
    run.write_record(a_record(MEASUREMENTS[0]))
    assert can_go_on(run)
    run.write_manifest(run.manifest().model_copy(update={"kind": RunKind.SEARCH}))
    assert not can_go_on(run)
    run.write_manifest(run.manifest().model_copy(update={"kind": RunKind.SWEEP}))
    for measurement in MEASUREMENTS:
        run.write_record(a_record(measurement))
    assert not can_go_on(run)

"""Promises D2, D3 and D7: the runs of a study belong together, end by themselves, and say how far the study came."""

from __future__ import annotations

import csv
import io
import json
import signal
from typing import TYPE_CHECKING

import pytest
from fake_engine import NODE
from samples import a_manifest, a_place, a_profile, a_record, a_run

from orchestrator.errors import (
    Busy,
    EngineError,
    EnvironmentFault,
    ExitCode,
    ImageMissing,
    Interrupted,
    OrchError,
    ServerFailed,
    UsageError,
)
from orchestrator.events import Event, Failed
from orchestrator.jobs.record import make_study
from orchestrator.jobs.study_under_way import StudyUnderWay
from orchestrator.plan.sweep import sweep
from orchestrator.plan.variants import variants
from orchestrator.report.meaning import exit_code
from orchestrator.report.table import guide_csv, study_csv, study_guide_csv, study_rows
from orchestrator.runs.directory import settle
from orchestrator.runs.format.records import Manifest, RunState
from orchestrator.runs.layout import MANIFEST
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study, find, study_of

if TYPE_CHECKING:
    from pathlib import Path

SEQS = "server.flags.max-num-seqs"
PROFILE = a_profile(vary={"axes": {SEQS: [1, 2, 3]}})
assert PROFILE.bench is not None
MEASUREMENTS = sweep(PROFILE.bench)
TODO = {0: "1", 1: "2", 2: "3"}
"""The runs of the study, each with what sets it apart."""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Run, ...]:
    """The runs of a study of three servers."""
    return make_study(tmp_path, variants(PROFILE), NODE)


def states(runs: tuple[Run, ...]) -> list[str]:
    return [run.manifest().state.value for run in runs]


def measure(run: Run) -> None:
    for measurement in MEASUREMENTS:
        run.write_record(a_record(measurement))


class Taking:
    """Takes the runs of a study; some end in an error, before they are opened or after."""

    def __init__(self, runs: tuple[Run, ...], before: dict[int, Exception], after: dict[int, Exception]) -> None:
        self.study = StudyUnderWay(a_place(self._hear), lambda: runs)
        self.told: list[OrchError] = []
        self._before = before
        self._after = after

    def all(self) -> None:
        with self.study:
            self.study.each(TODO, self._take)

    def _hear(self, event: Event) -> None:
        self.told += [event.error] if isinstance(event, Failed) else []

    def _take(self, index: int) -> None:
        if index in self._before:
            raise self._before[index]
        with self.study.opened(index) as run:
            measure(run)
            if index in self._after:
                raise self._after[index]


def test_the_runs_of_a_study_are_planned_and_bear_its_id_and_what_varied(runs: tuple[Run, ...]) -> None:
    told = [run.manifest() for run in runs]
    (study,) = {item.study for item in told}
    assert [item.id for item in told] == [run.path.name for run in runs] == [f"{study}-0{n}" for n in (1, 2, 3)]
    assert [item.varied for item in told] == [{SEQS: "1"}, {SEQS: "2"}, {SEQS: "3"}]
    assert states(runs) == ["planned"] * 3
    assert [run.profile().server.flags for run in runs] == [{"max-num-seqs": n} for n in (1, 2, 3)]
    assert [run.profile().vary for run in runs] == [None] * 3
    assert all(run.missing() for run in runs)


def test_a_manifest_of_before_there_were_studies_still_reads(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    old = json.loads((run.path / MANIFEST).read_bytes())
    del old["study"], old["varied"]
    (run.path / MANIFEST).write_text(json.dumps(old), encoding="utf-8")
    assert run.manifest() == a_manifest()
    assert (study_of(run), run.manifest().varied) == (None, {})


def test_a_study_is_found_by_its_id_by_its_beginning_and_as_the_newest(runs: tuple[Run, ...], tmp_path: Path) -> None:
    study = str(study_of(runs[0]))
    for name in (study, study[:-3], study[:8], None):
        found = find(tmp_path, name)
        assert isinstance(found, Study)
        assert (found.id, [run.path for run in found.runs]) == (study, [run.path for run in runs])


def test_a_run_of_a_study_is_found_by_its_own_id_and_by_its_path(runs: tuple[Run, ...], tmp_path: Path) -> None:
    for name in (runs[1].path.name, str(runs[1].path)):
        found = find(tmp_path, name)
        assert isinstance(found, Run)
        assert found.path == runs[1].path


def test_a_beginning_that_fits_a_run_besides_means_neither(runs: tuple[Run, ...], tmp_path: Path) -> None:
    other = a_run(tmp_path, id=f"{str(study_of(runs[0]))[:8]}-000000-other-0a1b")
    with pytest.raises(UsageError, match="4 runs begin with"):
        find(tmp_path, other.path.name[:8])
    assert isinstance(find(tmp_path, other.path.name), Run)
    with pytest.raises(UsageError, match="there is no run"):
        find(tmp_path, "nothing")


def test_a_run_whose_manifest_is_torn_belongs_to_no_study(runs: tuple[Run, ...]) -> None:
    (runs[0].path / MANIFEST).write_bytes(b"{")
    assert study_of(runs[0]) is None


def test_a_run_that_fails_by_itself_does_not_end_the_others(runs: tuple[Run, ...]) -> None:
    missing, died = ImageMissing("the image a is not on this node"), ServerFailed("it died\nand why")
    taking = Taking(runs, {0: missing}, {1: died})
    taking.all()
    assert states(runs) == ["failed", "failed", "done"]
    assert [run.manifest().reason for run in runs] == [missing.message, died.message, ""]
    assert taking.told == [missing, died]


@pytest.mark.parametrize(
    "error", [EnvironmentFault("no device"), UsageError("no secret"), ServerFailed("died")], ids=str
)
def test_what_one_variant_asks_in_vain_is_its_own_failure(error: OrchError, runs: tuple[Run, ...]) -> None:
    Taking(runs, {1: error}, {}).all()
    assert states(runs) == ["done", "failed", "done"]


@pytest.mark.parametrize("error", [Busy("somebody holds it"), EngineError("no engine answers\nhere")], ids=str)
def test_what_would_fail_the_others_too_ends_the_study(error: OrchError, runs: tuple[Run, ...]) -> None:
    with pytest.raises(type(error)):
        Taking(runs, {1: error}, {}).all()
    assert states(runs) == ["done", "interrupted", "interrupted"]
    assert runs[2].manifest().reason == f"not begun: {error.message.splitlines()[0]}"


def test_nothing_is_made_if_the_first_server_cannot_be_had(tmp_path: Path) -> None:
    def make() -> tuple[Run, ...]:
        return make_study(tmp_path / "runs", variants(PROFILE), NODE)

    study = StudyUnderWay(a_place(), make)

    def take(_index: int) -> None:
        raise Busy("somebody holds it")

    with pytest.raises(Busy), study:
        study.each(TODO, take)
    assert not (tmp_path / "runs").exists()


def test_a_signal_during_a_teardown_ends_the_study_before_the_next_server(runs: tuple[Run, ...]) -> None:
    place = a_place()
    study = StudyUnderWay(place, lambda: runs)

    def take(index: int) -> None:
        with study.opened(index) as run:
            measure(run)
        place.interruption.first = int(signal.SIGTERM)

    with pytest.raises(Interrupted), study:
        study.each(TODO, take)
    assert states(runs) == ["done", "interrupted", "interrupted"]
    assert runs[1].manifest().reason == "not begun: orch received SIGTERM"


def test_a_study_under_way_is_held_and_nobody_calls_it_interrupted(runs: tuple[Run, ...]) -> None:
    study = StudyUnderWay(a_place(), lambda: runs)
    with study, study.opened(0) as run:
        measure(run)
        settle(runs[2])
        with pytest.raises(Busy, match="under way in another process"), runs[1].locked():
            pass
    assert states(runs) == ["done", "planned", "planned"]
    settle(runs[2])
    assert states(runs) == ["done", "planned", "interrupted"]


def test_a_study_that_another_process_works_on_is_left_alone(runs: tuple[Run, ...]) -> None:
    with runs[1].locked():
        with pytest.raises(Busy, match="under way in another process"):
            Taking(runs, {}, {}).all()
        assert states(runs) == ["planned"] * 3
    Taking(runs, {}, {}).all()
    assert states(runs) == ["done"] * 3


def test_one_table_shows_what_varied_first_and_says_why_a_run_has_no_figures(runs: tuple[Run, ...]) -> None:
    Taking(runs, {1: ImageMissing("the image a is not on this node\nat all")}, {}).all()
    study = Study("s", runs)
    rows = study_rows(study)
    assert [(next(iter(row)), row[SEQS], row["state"]) for row in rows] == [
        (SEQS, "1", "done"), (SEQS, "1", "done"), (SEQS, "2", "failed"), (SEQS, "3", "done"), (SEQS, "3", "done"),
    ]  # fmt: skip
    read = list(csv.DictReader(io.StringIO(study_csv(study), newline=""), strict=True))
    assert [row["run"] for row in read] == [row["run"] for row in rows]
    assert (read[2]["reasons"], read[2]["output_throughput"]) == ("the image a is not on this node", "")
    assert {len(row) for row in read} == {len(rows[0])}
    assert study_guide_csv(study).splitlines() == guide_csv(runs[0]).splitlines() + guide_csv(runs[2]).splitlines()[1:]


def test_a_run_without_all_its_measurements_has_failed(runs: tuple[Run, ...]) -> None:
    assert exit_code(runs[0]) is ExitCode.RUN_FAILED
    measure(runs[0])
    assert exit_code(runs[0]) is ExitCode.OK


def test_what_varied_comes_back_from_a_manifest_as_it_was() -> None:
    told = a_manifest(study="s", varied={SEQS: None})
    assert Manifest.model_validate_json(told.model_dump_json()) == told
    assert told.state is RunState.PLANNED

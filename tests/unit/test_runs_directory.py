"""Promises D2, D4 and D5: a run says how far it has come, keeps vLLM's own bytes, and trusts nothing foreign."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from processes import python
from samples import a_manifest, a_profile, a_record, a_run, deployment_facts, result_bytes

from orchestrator.causes import Cause, told
from orchestrator.errors import Busy, OutputError, UsageError
from orchestrator.plan.sweep import sweep
from orchestrator.runs.clock import now
from orchestrator.runs.directory import create_run, find_run, list_runs, new_run_id, settle
from orchestrator.runs.format.records import RunState
from orchestrator.runs.layout import MANIFEST, RECORD
from orchestrator.runs.run import Run

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = a_profile(bench={"repetitions": 2})
assert PROFILE.bench is not None
MEASUREMENTS = sweep(PROFILE.bench)

KILLED = Cause("orch-killed")

UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b"\xff\xfe",
    b'{"format": 1}',
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "runs", PROFILE)


def states(run: Run) -> list[RunState]:
    return [record.state for record in run.records()]


def test_a_new_run_is_planned_and_knows_what_it_is_to_do(run: Run) -> None:
    assert run.manifest().state == RunState.PLANNED
    assert run.manifest().measurements == tuple((item.point.id, item.repetition) for item in MEASUREMENTS)
    assert run.profile() == PROFILE
    assert run.records() == []
    assert run.missing() == list(run.manifest().measurements)


def test_a_manifest_is_read_as_it_was_written(run: Run) -> None:
    manifest = a_manifest(PROFILE, deployment=deployment_facts(), warnings=(Cause("privileged"),), reason="é")
    run.write_manifest(manifest)
    assert run.manifest() == manifest
    assert run.again().manifest() == manifest
    run.update(state=RunState.RUNNING, cause=None)
    assert run.again().manifest() == manifest.model_copy(update={"state": RunState.RUNNING, "cause": None})


def test_a_record_is_read_as_it_was_written(run: Run) -> None:
    record = a_record(MEASUREMENTS[0], reasons=("a\nb", "é"))
    run.write_record(record)
    assert run.again().record(record.point, 1) == record
    assert run.again().record(record.point, 2) is None


def test_vllm_s_own_result_is_kept_byte_for_byte(run: Run) -> None:
    record, result = a_record(MEASUREMENTS[0]), result_bytes() + b"  \n\xff"
    run.keep(record, result, b"log \xff\n")
    run.write_record(record)
    folder = run.client_log(record).parent
    assert (folder / "result.json").read_bytes() == result
    assert run.client_log(record).read_bytes() == b"log \xff\n"
    assert folder == run.path / "points" / record.point / "r1"


def test_a_client_that_left_no_result_leaves_its_log(run: Run) -> None:
    record = a_record(MEASUREMENTS[0])
    run.keep(record, None, b"no")
    assert [path.name for path in run.client_log(record).parent.iterdir()] == ["client.log"]


def test_records_come_in_the_order_of_the_sweep_without_the_warm_up(run: Run) -> None:
    for measurement in (MEASUREMENTS[3], MEASUREMENTS[0], MEASUREMENTS[2]):
        run.write_record(a_record(measurement))
    for warmed in MEASUREMENTS[:2]:
        run.write_record(a_record(warmed, repetition=0))
    assert [(record.point, record.repetition) for record in run.records()] == [
        (MEASUREMENTS[index].point.id, MEASUREMENTS[index].repetition) for index in (0, 2, 3)
    ]
    assert sorted(path.parent.name for path in run.path.glob(f"warmup/*/{RECORD}")) == sorted(
        {measurement.point.id for measurement in MEASUREMENTS[:2]}
    )


def test_only_what_is_done_counts_as_done(run: Run) -> None:
    for measurement, state in zip(
        MEASUREMENTS, (RunState.DONE, RunState.FAILED, RunState.INTERRUPTED, RunState.RUNNING), strict=True
    ):
        run.write_record(a_record(measurement, state=state))
    assert run.missing() == [(item.point.id, item.repetition) for item in MEASUREMENTS[1:]]


def test_what_is_taken_again_is_kept_under_another_name(run: Run) -> None:
    record = a_record(MEASUREMENTS[0], state=RunState.FAILED)
    for _ in range(2):
        run.write_record(record)
        run.set_aside(record.point, record.repetition)
    run.set_aside(record.point, record.repetition)
    assert run.record(record.point, 1) is None
    folder = run.path / "points" / record.point
    assert sorted(path.name for path in folder.iterdir()) == ["r1.attempt-1", "r1.attempt-2"]
    assert (folder / "r1.attempt-1" / RECORD).exists()


def test_the_log_of_an_earlier_server_is_kept(run: Run) -> None:
    for text in ("one", "two", "three"):
        run.fresh_server_log().write_text(text, encoding="utf-8")
    kept = {path.name: path.read_text(encoding="utf-8") for path in run.logs.iterdir()}
    assert kept == {"server-1.log": "one", "server-2.log": "two", "server.log": "three"}


def test_two_processes_do_not_work_on_one_run(run: Run) -> None:
    program = (
        "import sys; from pathlib import Path; from orchestrator.runs.run import Run\n"
        "with Run(Path(sys.argv[1])).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    argv = python("-c", program, str(run.path))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(Busy, match=f"the run {run.path.name} is under way"), run.locked():
            pytest.fail("locked twice")
        other.kill()
    with run.locked():
        pass


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_foreign_or_torn_manifest_is_never_trusted(run: Run, content: bytes) -> None:
    (run.path / MANIFEST).write_bytes(content)
    with pytest.raises(UsageError, match=rf"{MANIFEST} is (torn|not what)") as caught:
        run.manifest()
    assert caught.value.hint


def test_a_manifest_of_a_later_format_is_not_taken_for_ours(run: Run) -> None:
    text = (run.path / MANIFEST).read_text(encoding="utf-8")
    (run.path / MANIFEST).write_text(text.replace('"format": 2', '"format": 3'), encoding="utf-8")
    with pytest.raises(UsageError, match="of format 3, which a later version of orch writes; this one reads up to 2"):
        run.manifest()


def test_a_manifest_that_says_more_than_we_know_is_read(run: Run) -> None:
    text = (run.path / MANIFEST).read_text(encoding="utf-8")
    (run.path / MANIFEST).write_text(text.replace("{", '{"from_the_future": [1],', 1), encoding="utf-8")
    assert run.manifest() == a_manifest(PROFILE)


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        Run(tmp_path).manifest()


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_torn_record_is_reported_and_counts_as_missing(run: Run, content: bytes) -> None:
    for measurement in MEASUREMENTS[:2]:
        run.write_record(a_record(measurement))
    (run.path / "points" / MEASUREMENTS[0].point.id / "r1" / RECORD).write_bytes(content)
    run = run.again()
    assert [record.point for record in run.records()] == [MEASUREMENTS[1].point.id]
    (torn,) = run.torn()
    assert RECORD in torn.message
    assert (MEASUREMENTS[0].point.id, 1) in run.missing()


def test_a_run_that_was_killed_says_so_once(run: Run) -> None:
    run.update(state=RunState.RUNNING)
    run.write_record(a_record(MEASUREMENTS[0]))
    run.write_record(a_record(MEASUREMENTS[1], state=RunState.RUNNING, metrics=None))
    run.interrupt(KILLED)
    assert states(run) == [RunState.DONE, RunState.INTERRUPTED]
    assert run.records()[1].reasons == ("orch was killed",)
    marked = run.manifest()
    assert (marked.state, marked.reason) == (RunState.INTERRUPTED, "orch was killed")
    assert marked.ended
    run.interrupt(Cause("interrupted", {"signal": "SIGTERM"}))
    assert run.manifest() == marked
    assert run.records()[1].reasons == ("orch was killed",)


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.INTERRUPTED])
def test_a_run_that_has_ended_is_not_marked(run: Run, state: RunState) -> None:
    run.update(state=state, cause=told("mine"))
    before = (run.path / MANIFEST).read_bytes()
    run.interrupt(KILLED)
    assert (run.path / MANIFEST).read_bytes() == before


def test_a_planned_run_that_was_killed_says_so(run: Run) -> None:
    run.interrupt(KILLED)
    assert run.manifest().state == RunState.INTERRUPTED


def test_a_run_that_nobody_works_on_any_more_is_settled(run: Run) -> None:
    run.update(state=RunState.RUNNING)
    with run.locked():
        settle(run)
        assert run.manifest().state == RunState.RUNNING
    settle(run)
    assert run.manifest().state == RunState.INTERRUPTED
    run.update(state=RunState.DONE)
    settle(run)
    assert run.manifest().state == RunState.DONE


def test_runs_are_listed_oldest_first_and_other_folders_not_at_all(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    for name in ("20260102-b", "20260101-a"):
        a_run(tmp_path, PROFILE, id=name)
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert [run.path.name for run in list_runs(tmp_path)] == ["20260101-a", "20260102-b"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("20260101-000000-tiny-aaaa", "20260101-000000-tiny-aaaab", "20260102-000000-tiny-bbbb"):
        a_run(tmp_path, PROFILE, id=name)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (None, "20260102-000000-tiny-bbbb"),
        ("20260102", "20260102-000000-tiny-bbbb"),
        ("20260102-000000-tiny-bbbb", "20260102-000000-tiny-bbbb"),
        ("20260101-000000-tiny-aaaa", "20260101-000000-tiny-aaaa"),
        ("20260101-000000-tiny-aaaab", "20260101-000000-tiny-aaaab"),
    ],
)
def test_a_run_is_found_by_its_id_or_the_beginning_of_it(runs: Path, name: str | None, found: str) -> None:
    assert find_run(runs, name).path == runs / found


def test_a_run_is_found_by_its_path(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = a_run(tmp_path_factory.mktemp("elsewhere"), PROFILE)
    assert find_run(runs, str(elsewhere.path)).path == elsewhere.path


@pytest.mark.parametrize("name", ["2025", "tiny", "/nonexistent/run"])
def test_a_run_that_is_not_there_is_a_usage_error(runs: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no run {name} in"):
        find_run(runs, name)


def test_where_nothing_was_run_yet_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run yet in"):
        find_run(tmp_path, None)


def test_a_beginning_that_several_ids_share_is_a_usage_error(runs: Path) -> None:
    with pytest.raises(UsageError, match="2 runs begin with '20260101'") as caught:
        find_run(runs, "20260101")
    assert "20260101-000000-tiny-aaaa, 20260101-000000-tiny-aaaab" in caught.value.message


def test_ids_of_runs_sort_by_time_and_do_not_repeat() -> None:
    ids = {new_run_id("tiny") for _ in range(50)}
    assert len(ids) > 1
    assert all(re.fullmatch(r"\d{8}-\d{6}-tiny-[0-9a-f]{4}", name) for name in ids)


def test_times_are_in_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", now())


def test_a_run_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError):
        create_run(tmp_path / "file" / "runs", PROFILE, a_manifest(PROFILE))

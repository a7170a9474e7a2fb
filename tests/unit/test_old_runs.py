"""Promise D8: a run of the past is read whatever is refused by now, and gone on with where that helps."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import a_profile, a_record, a_run, deployment_facts, result_bytes

from orchestrator.cli.app import orch
from orchestrator.errors import ExitCode, UsageError
from orchestrator.measuring.resume import check_can_go_on, is_complete
from orchestrator.plan.sweep import measurements, sweep
from orchestrator.profile.dump import dump_profile
from orchestrator.report.meaning import exit_code
from orchestrator.report.remarks import missed_objectives, remarks
from orchestrator.report.repeated import repeated
from orchestrator.report.table import summary_csv
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.runs.run import Run

PROFILE = a_profile(bench={"num_prompts": [2], "repetitions": 2, "percentiles": [99.9]}, objectives=["p99_ttft_ms<1"])
assert PROFILE.bench is not None
MEASUREMENTS = sweep(PROFILE.bench)
REFUSED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a flag of the client that a key owns": lambda data: data["bench"]["client_flags"].update({"ignore-eos": True}),
    "a flag of the server that a key owns": lambda data: data["server"]["flags"].update({"port": 1}),
    "a key of the container": lambda data: data["container"].update(extra={"shm-size": "1g"}),
    "a section": lambda data: data.update(telemetry={"every": 1}),
    "a command": lambda data: data["server"].update(command=["vllm serve"]),
    "what does not go together": lambda data: data["container"].update(network="none"),
}


def walked(data: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Yield everything in plain data with the keys that lead to it."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*keys, key), value
        yield from walked(value, (*keys, key))


def put(data: Any, keys: tuple[str | int, ...], value: object, *, gone: bool) -> None:
    """Put a value in the place of what the keys lead to, or take that away."""
    *above, last = keys
    for key in above:
        data = data[key]
    if gone:
        del data[last]
    else:
        data[last] = value


def planned(run: Run, *named: tuple[str, int]) -> None:
    """Add measurements of points that the profile does not come to."""
    run.update(measurements=(*run.manifest().measurements, *named))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with one of two measurements done."""
    directory = a_run(
        tmp_path / "runs", PROFILE, deployment=deployment_facts(), state=RunState.INTERRUPTED, reason="a signal"
    )
    directory.write_record(a_record(MEASUREMENTS[0], metrics=read_metrics(result_bytes(**{"p99.9_ttft_ms": 8.5}))))
    return directory


def rewrite(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    path = run.path / "profile.yaml"
    data = yaml.safe_load(path.read_bytes())
    change(data)
    path.write_text(yaml.safe_dump(data), encoding="utf-8")


def told(run: Run, *words: str) -> str:
    """Return what `orch results` writes to standard output."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("ORCH_RUNS_DIR", str(run.path.parent))
        orch.main(["results", *words], standalone_mode=False)
    return out.getvalue()


def shown(run: Run) -> list[str]:
    commands = (
        ("list",), ("list", "--json"), ("show",), ("show", "--json"), ("csv",), ("csv", "--guide"),
    )  # fmt: skip
    return [told(run, *words) for words in commands]


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_by_now_changes_nothing_of_what_is_shown_but_is_not_gone_on_with(run: Run, what: str) -> None:
    before, missed = shown(run), missed_objectives(run)
    assert len(missed) == 1
    rewrite(run, REFUSED[what])
    run = run.again()
    assert shown(run) == before
    assert missed_objectives(run) == missed
    with pytest.raises(UsageError, match="cannot be resumed, this version of orch refuses its profile") as caught:
        check_can_go_on(run)
    assert "profile.yaml:" in caught.value.message
    assert f"orch results show {run.path.name}" in caught.value.hint


def test_keys_that_are_not_known_are_named_once_and_those_that_are_known_are_not(run: Run) -> None:
    known = remarks(run)
    rewrite(run, REFUSED["a key of the container"])
    run = run.again()
    assert remarks(run) == [
        *known,
        "note: the profile on record has what this version of orch does not know: container.extra",
    ]


def test_a_run_with_a_number_that_is_out_of_bounds_by_now_goes_on(run: Run) -> None:
    rewrite(run, lambda data: data["bench"].update(deadline=1e12, stall=1e12))
    assert not is_complete(run)
    check_can_go_on(run)


def test_a_point_that_is_not_come_to_any_more_is_refused_by_its_id_before_anything_starts(run: Run) -> None:
    bench = PROFILE.bench
    assert bench is not None
    planned(run, ("0123456789ab", 1))
    with pytest.raises(UsageError, match=r"does not come to 1 of its points by its profile: 0123456789ab"):
        check_can_go_on(run)
    with pytest.raises(KeyError):
        measurements(bench, run.missing())


def test_a_point_that_is_done_and_not_come_to_any_more_is_shown_and_no_hindrance(run: Run) -> None:
    planned(run, ("0123456789ab", 1))
    run.write_record(a_record(MEASUREMENTS[0], point="0123456789ab"))
    check_can_go_on(run)
    rows = list(csv.DictReader(io.StringIO(summary_csv(run))))
    assert [row["point"] for row in rows] == [MEASUREMENTS[0].point.id, "0123456789ab"]


def test_where_the_results_decide_a_point_that_is_not_come_to_any_more_is_never_complete(run: Run) -> None:
    rewrite(run, lambda data: data["bench"].update(repetitions={"auto": {"at_least": 2, "at_most": 2}}))
    planned(run, ("0123456789ab", 1), ("0123456789ab", 2))
    for measurement in MEASUREMENTS:
        run.write_record(a_record(measurement))
        run.write_record(a_record(measurement, point="0123456789ab"))
    assert run.missing() == []
    assert not is_complete(run)
    with pytest.raises(UsageError, match="0123456789ab"):
        check_can_go_on(run)


def test_a_measurement_that_the_manifest_does_not_name_is_named(run: Run) -> None:
    before = remarks(run)
    run.write_record(a_record(MEASUREMENTS[0], point="0123456789ab"))
    run.set_aside(MEASUREMENTS[0].point.id, 1)
    run.write_record(a_record(MEASUREMENTS[0]))
    said = "note: points/0123456789ab/r1 is not among the run's measurements and is left out"
    assert set(remarks(run)) - set(before) == {said}


@pytest.mark.parametrize("text", [None, "a: [", ""])
def test_a_run_whose_profile_is_gone_is_shown_from_its_records(run: Run, text: str | None) -> None:
    before = told(run, "show", "--json")
    path = run.path / "profile.yaml"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    assert told(run, "show", "--json") == before
    (row,) = csv.DictReader(io.StringIO(told(run, "csv")))
    assert (row["p99.9_ttft_ms"], row["state"]) == ("8.5", "done")
    assert any(line.startswith("note: the profile on record ") for line in remarks(run))
    assert not is_complete(run)
    with pytest.raises(UsageError, match="cannot be resumed"):
        check_can_go_on(run)


def test_an_objective_that_is_not_known_is_not_judged_and_is_named(run: Run) -> None:
    rewrite(run, lambda data: data.update(objectives=["p99_ttft_ms<1000", "energy_j<5"]))
    run.write_record(a_record(MEASUREMENTS[1]))
    assert "note: the objective 'energy_j<5' is not known and was not judged" in remarks(run)
    assert exit_code(run) is ExitCode.OK


def test_what_a_record_says_of_a_backend_and_a_metric_that_are_gone_is_shown(run: Run) -> None:
    rewrite(run, lambda data: data["bench"].update(repetitions={"auto": {"metric": "energy_j"}}))
    for measurement in MEASUREMENTS:
        parameters = {**measurement.point.parameters(), "backend": "tgi", "ramp_up": {"strategy": "steps", "from": 9}}
        run.write_record(a_record(measurement, parameters=parameters))
    assert [row["backend"] for row in json.loads(told(run, "show", "--json"))["results"]] == ["tgi"] * 2
    assert "tgi" in told(run, "csv")
    assert repeated(run) == []


PLACES = [keys for keys, _ in walked(yaml.safe_load(dump_profile(PROFILE)))]
JUNK = st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats(allow_nan=False) | st.text("aé: -\n", max_size=4)
junk = st.recursive(
    JUNK, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab.-", max_size=3), inner)
)


@given(st.sampled_from(PLACES), junk, st.booleans())
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_profile_on_record_its_run_is_shown(
    place: tuple[str | int, ...],
    value: object,
    gone: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = a_run(Path(folder) / "runs", PROFILE, deployment=deployment_facts(), state=RunState.INTERRUPTED)
        directory.write_record(a_record(MEASUREMENTS[0]))
        rewrite(directory, lambda data: put(data, place, value, gone=gone))
        (row,) = csv.DictReader(io.StringIO(summary_csv(directory)))
        assert row["completed"] == "8"
        remarks(directory)
        repeated(directory)
        exit_code(directory)
        for whole in (False, True):
            with contextlib.suppress(UsageError):  # no other error, at least
                is_complete(directory)
                check_can_go_on(directory)
            if not whole:
                directory.write_record(a_record(MEASUREMENTS[1]))

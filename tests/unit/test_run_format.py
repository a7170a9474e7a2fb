"""Promise D2: a run's files hold ids and fields and no sentence, and those of older formats are read as they were."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_manifest, a_measurement, a_point, a_record, a_run, an_outcome

from orchestrator import errors
from orchestrator.causes import CATALOGUE, FIGURES, TEMPLATES, WARNINGS, Cause, nested, told
from orchestrator.diagnosis import Evidence, cause_of, diagnose, happened, render, summary
from orchestrator.errors import OrchError, OutputError, PortTaken, ServerFailed, UsageError
from orchestrator.measuring.resume import check_can_go_on
from orchestrator.metrics.catalogue import CATALOGUE as METRICS
from orchestrator.plan.weakening import weakened
from orchestrator.profile.schema.profile import Container
from orchestrator.report.remarks import remarks
from orchestrator.runs import run as run_module
from orchestrator.runs.format import one
from orchestrator.runs.format.outcome import Failed, Interrupted, Measured
from orchestrator.runs.format.records import Manifest, MeasurementRecord, RunState
from orchestrator.runs.layout import MANIFEST, RECORD
from orchestrator.runs.run import Run
from orchestrator.text import Text
from orchestrator.vllm.phases import Phase
from orchestrator.workload.point import point_id

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/runs"
PAGE = (ROOT / "docs/format.md").read_text(encoding="utf-8")


def number_of(run: Path) -> int:
    return int(json.loads((run / MANIFEST).read_bytes())["format"])


OLD, NEW = ([run for run in sorted(GOLDEN.iterdir()) if number_of(run) == number] for number in (1, 2))


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def kept(cause: Cause) -> Cause:
    """A cause as it comes back from a record."""
    text = a_record(outcome=Failed(causes=(cause,))).model_dump_json()
    (read,) = MeasurementRecord.model_validate_json(text).causes
    return read


# -- what a cause is ---------------------------------------------------------------------------------------------------


def test_no_cause_has_the_id_of_a_kind_of_error() -> None:
    kinds = {kind.kind() for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OrchError)}
    assert kinds & set(TEMPLATES) == set()
    assert set(CATALOGUE) & set(WARNINGS) == set()


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_cause_is_said_with_its_fields_and_stands_on_the_page(name: str) -> None:
    cause = Cause(name, {field: f"<{field}>" for field in places(TEMPLATES[name])})
    assert all(f"<{field}>" in cause.text() for field in cause.fields)
    assert cause.data()["text"] == cause.text()
    assert f"| `{name}` | {TEMPLATES[name]} |" in PAGE


@pytest.mark.parametrize("model", [Manifest, MeasurementRecord])
def test_every_key_stands_on_the_page(model: type[Manifest | MeasurementRecord]) -> None:
    assert [name for name in model.model_fields if f"`{name}`" not in PAGE] == []


def test_a_cause_with_fields_of_another_version_is_said_by_its_id() -> None:
    assert Cause("client-exit", {"status": 1}).text() == "client-exit"
    assert Cause("of-tomorrow", {"x": 1}).text() == "of-tomorrow"


def test_a_figure_is_named_by_its_id_and_said_by_a_word() -> None:
    assert Cause("no-figure", {"figure": "mean_ttft_ms", "value": "0.0"}).text() == "mean TTFT is 0.0"
    assert set(FIGURES) <= set(METRICS)


def test_a_cause_within_a_cause_is_said_in_one_line() -> None:
    inner = ServerFailed("it died\nand why").cause
    assert Cause("not-begun", {"cause": nested(inner)}).text() == "not begun: it died"


MESSAGES = [
    "plain",
    "with {braces} and {0}",
    "two\nlines",
    Text("port {port} is in use", port=8000),
    Text("{share:.0%} of {of}", share=0.25, of=["a", "b"]),
    Text("{path} cannot be read", path=Path("/x/y")),
    Text("{names} in a tuple", names=("a", "b")),
    Text("{why}; then {what}", why=Text("it took {s:.1f} s", s=1.25), what="it ended"),
    Text("the client cannot:\n{lines}", lines="  a\n  b"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_the_cause_of_an_error_says_what_the_error_says(message: str) -> None:
    cause = PortTaken(message).cause
    assert (cause.id, kept(cause)) == ("port-taken", cause)
    assert "\n".join(kept(cause).lines()) == message
    assert kept(cause).text() == message.split("\n", maxsplit=1)[0]


@given(st.text(), st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.booleans() | st.none()))
def test_whatever_an_error_says_its_cause_says_it_too(template: str, fields: dict[str, Any]) -> None:
    message = Text(
        template.replace("{", "{{").replace("}", "}}") + "".join(f" {{{name}}}" for name in fields), **fields
    )
    assert "\n".join(UsageError(message).cause.lines()).splitlines() == message.splitlines()


LOG = b"""INFO 11-01 08:00:00 [x.py:1] vLLM API server version 0.32.0
ValueError: No available memory for the cache blocks."""


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(phase=Phase.MEMORY, exit_code=1, log=LOG),
        Evidence(phase=Phase.WEIGHTS, exit_code=139, log=b"something else"),
        Evidence(phase="measuring", oom_killed=True, exit_code=137, log=LOG),
        Evidence(phase=Phase.STARTING, timed_out=True),
        Evidence(engine_error="Unable to find group render"),
    ],
    ids=["known", "unknown", "memory", "late", "engine"],
)
def test_the_failure_of_a_server_is_made_of_its_fields_again_as_it_was_told(evidence: Evidence) -> None:
    found = diagnose(evidence)
    error = ServerFailed.of(cause_of(found, happened(evidence), "/logs/server.log"))
    headline = f"{summary(evidence)}: {found.title}" if found.is_known else summary(evidence)
    assert error.message.splitlines() == render(found, headline, "/logs/server.log")
    assert "\n".join(kept(error.cause).lines()) == error.message
    assert kept(error.cause).text() == headline
    assert error.cause.fields["cause"] == found.cause
    assert error.cause.fields.get("root", "") == found.root_line
    assert error.data()["cause"] == nested(error.cause)


def test_a_failure_names_phase_code_line_and_process_as_fields() -> None:
    evidence = Evidence(phase=Phase.MEMORY, exit_code=1, log=LOG)
    cause = cause_of(diagnose(evidence), happened(evidence))
    assert cause.id == "server-exited"
    assert {name: cause.fields[name] for name in ("phase", "exit_code", "cause", "line")} == {
        "phase": "memory",
        "exit_code": 1,
        "cause": "no-memory-for-kv-cache",
        "line": 2,
    }


def test_a_warning_is_an_id_with_fields() -> None:
    container = Container.model_validate({"image": "i", "ipc": "host", "cap_add": ["SYS_ADMIN"], "privileged": True})
    assert weakened(container) == [
        Cause("ipc", {"ipc": "host", "owner": "node"}),
        Cause("privileged"),
        Cause("capability", {"capability": "SYS_ADMIN"}),
    ]


# -- what a file holds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.name)
def test_what_people_read_of_a_run_is_not_in_its_files(path: Path) -> None:
    run = Run(path)
    manifest = (path / MANIFEST).read_text(encoding="utf-8")
    said = [run.manifest().headline] if run.manifest().headline else []
    assert [text for text in said if text in manifest] == []
    for record in run.records():
        file = (run.measurement(record.point, record.repetition) / RECORD).read_text(encoding="utf-8")
        assert [text for text in (record.label, *record.reasons) if text in file] == []


def test_golden_runs_of_the_format_of_today_have_every_outcome_and_every_ending() -> None:
    runs = [Run(path) for path in NEW]
    came = {record.outcome.came for run in runs for record in run.records() if record.outcome is not None}
    assert came == {"measured", "failed", "interrupted"}
    causes = {cause.id for run in runs if (cause := run.manifest().cause) is not None}
    assert causes >= {"server-exited", "interrupted", "orch-killed", "measurements-missing"}
    assert any(run.manifest().search for run in runs)
    assert any(run.manifest().warnings for run in runs)
    assert any(run.manifest().earlier for run in runs)


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.name)
def test_a_file_of_the_format_of_today_is_what_is_written_of_it(path: Path) -> None:
    run = Run(path)
    assert Manifest.model_validate_json(run.manifest().model_dump_json()) == run.manifest()
    assert json.loads(run.manifest().model_dump_json()).keys() == json.loads((path / MANIFEST).read_bytes()).keys()
    assert run.manifest().misnamed() == []
    assert {point for point, _ in run.manifest().measurements} == set(run.manifest().points)


def test_a_record_of_a_later_format_is_not_taken_for_ours(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    point, repetition = run.manifest().measurements[0]
    run.measurement(point, repetition).mkdir(parents=True)
    (run.measurement(point, repetition) / RECORD).write_text('{"format": 3, "point": "x"}', encoding="utf-8")
    (torn,) = run.torn()
    assert "is of format 3, which a later version of orch writes" in torn.message
    assert (point, repetition) in run.missing()


# -- format 1 ----------------------------------------------------------------------------------------------------------


METRICS_OF_ONE = a_record().model_dump(mode="json")["outcome"]["metrics"]


@pytest.mark.parametrize(
    ("old", "outcome"),
    [
        ({"state": "done", "metrics": METRICS_OF_ONE}, an_outcome(RunState.DONE, (), a_record().metrics)),
        ({"state": "running"}, None),
        ({"state": "planned"}, None),
        ({"state": "failed", "reasons": ["no: a\nb"]}, Failed(causes=(Cause("told", {"text": "no: a\nb"}),))),
        (
            {"state": "failed", "reasons": ["a", "b"], "metrics": METRICS_OF_ONE},
            Failed(causes=(told("a"), told("b")), metrics=a_record().metrics),
        ),
        ({"state": "interrupted", "reasons": ["orch was killed"]}, Interrupted(cause=told("orch was killed"))),
        ({"state": "interrupted"}, Interrupted(cause=Cause("orch-killed"))),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_state_with_its_reasons_and_figures_becomes_one_outcome(old: dict[str, Any], outcome: object) -> None:
    of_point = {"point": "x", "repetition": 1, "label": "x", "parameters": a_point().parameters(), "seed": 1}
    record = MeasurementRecord.model_validate(one.record({"format": 1, **of_point, "reasons": [], **old}))
    assert record.outcome == outcome


def test_a_reason_of_many_lines_keeps_them_behind_its_first() -> None:
    old = json.loads(a_manifest().model_dump_json())
    new = Manifest.model_validate(one.manifest({**old, "format": 1, "reason": "it died\n  cause: x\n  log: y"}))
    assert (new.headline, new.reason) == ("it died", "it died\n  cause: x\n  log: y")


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.name)
def test_every_record_of_format_1_is_read_with_its_label_and_its_reasons(path: Path) -> None:
    run = Run(path)
    assert run.torn() == []
    for record in run.records():
        old = json.loads((run.measurement(record.point, record.repetition) / RECORD).read_bytes())
        assert (record.label, list(record.reasons), record.state.value) == (old["label"], old["reasons"], old["state"])
        assert record.point == point_id(record.parameters)


@pytest.fixture
def old(tmp_path: Path) -> Run:
    """A run of format 1 that was killed, on a disk of its own."""
    (path,) = (run for run in OLD if "golden-killed" in run.name)
    return Run(Path(shutil.copytree(path, tmp_path / path.name)))


def test_a_run_of_format_1_goes_on_in_format_2_and_keeps_what_it_has(old: Run) -> None:
    before = {path: path.read_bytes() for path in old.path.glob("points/*/r*/record.json")}
    done, missing = old.done(), old.missing()
    with old.locked():
        old.update(state=RunState.RUNNING, cause=None)
        assert number_of(old.path) == 2
        (point, repetition), *rest = missing
        old.write_record(a_record(a_measurement(), point=point, repetition=repetition))
    again = old.again()
    assert (again.done(), again.missing()) == (done + 1, rest)
    assert json.loads((old.measurement(point, repetition) / RECORD).read_bytes())["format"] == 2
    changed = {path for path, content in before.items() if path.read_bytes() != content}
    assert changed <= {old.measurement(point, repetition) / RECORD}


# -- points ------------------------------------------------------------------------------------------------------------


def test_a_point_whose_id_does_not_derive_from_its_parameters_is_named_and_not_gone_on_with(tmp_path: Path) -> None:
    run = a_run(tmp_path, state=RunState.INTERRUPTED)
    (name, parameters), *others = run.manifest().points.items()
    assert run.manifest().misnamed() == []
    run.update(points={name: {**parameters, "input_len": 65}, **dict(others)})
    assert run.again().manifest().misnamed() == [name]
    assert any(re.search(rf"note: .* the point {name} come to another id", line) for line in remarks(run))
    with pytest.raises(UsageError, match=rf"the parameters on record of 1 of its points come to other ids: {name}"):
        check_can_go_on(run)


# -- a run in memory ---------------------------------------------------------------------------------------------------


def test_each_file_of_a_run_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path).write_record(a_record())
    read: list[Path] = []
    for name in ("read_manifest", "read_record"):
        reader = getattr(run_module, name)

        def counted(path: Path, reader: Callable[[Path], object] = reader) -> object:
            read.append(path)
            return reader(path)

        monkeypatch.setattr(run_module, name, counted)
    (path,) = tmp_path.iterdir()
    run = Run(path)
    for _ in range(3):
        run.manifest()
        run.records()
        run.missing()
        run.torn()
    assert len(read) == len(set(read))


def test_what_another_process_has_changed_shows_once_the_run_is_held_or_opened_anew(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert run.manifest().state is RunState.PLANNED
    run.again().update(state=RunState.INTERRUPTED)
    assert run.manifest().state is RunState.PLANNED
    assert run.again().manifest().state is RunState.INTERRUPTED
    with run.locked():
        assert run.manifest().state is RunState.INTERRUPTED


def test_what_could_not_be_written_is_not_in_memory_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path)
    before, record = run.manifest(), a_record()

    def refuses(*_args: object) -> None:
        raise OutputError("cannot write")

    monkeypatch.setattr(run_module, "write_atomic", refuses)
    with pytest.raises(OutputError):
        run.update(state=RunState.RUNNING)
    with pytest.raises(OutputError):
        run.write_record(record)
    assert run.manifest() == before
    assert run.record(record.point, 1) is None


def test_a_measurement_counts_only_as_measured() -> None:
    metrics = a_record().metrics
    assert metrics is not None
    assert a_record(outcome=Measured(metrics=metrics)).state is RunState.DONE
    assert a_record(outcome=Failed(causes=(Cause("no-result"),), metrics=metrics)).state is RunState.FAILED
    assert a_record(outcome=None).state is RunState.RUNNING

"""Promises D2, D3 and T4: whatever ends a run, its manifest says so; it is resumed only as it was begun."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import NODE, Named, node_of
from fake_node import HYGON, rocm_node
from samples import a_place, a_profile, a_record, a_run, deployment_facts

from orchestrator.errors import Interrupted, ServerFailed, UsageError
from orchestrator.jobs.record import make_run, recorded
from orchestrator.measuring.resume import check_client, check_conditions, check_profile
from orchestrator.node.facts import node_facts
from orchestrator.plan.suits import bench_of
from orchestrator.plan.sweep import sweep
from orchestrator.runs.format.records import RunState

if TYPE_CHECKING:
    from orchestrator.runs.run import Run

PROFILE = a_profile()
MEASUREMENTS = sweep(bench_of(PROFILE))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "runs", PROFILE, state=RunState.RUNNING)


def half_done(run: Run) -> None:
    run.write_record(a_record(MEASUREMENTS[0]))
    run.write_record(a_record(MEASUREMENTS[1], state=RunState.RUNNING, metrics=None))


def summary(run: Run) -> list[str]:
    return [row["state"] for row in csv.DictReader(io.StringIO(run.summary_csv.read_text(encoding="utf-8")))]


def test_a_run_whose_measurements_are_all_done_is_done(run: Run) -> None:
    with recorded(a_place(), run):
        for measurement in MEASUREMENTS:
            run.write_record(a_record(measurement))
    manifest = run.manifest()
    assert (manifest.state, manifest.reason) == (RunState.DONE, "")
    assert manifest.ended
    assert summary(run) == ["done", "done"]


def test_a_run_with_a_failed_measurement_has_failed(run: Run) -> None:
    with recorded(a_place(), run):
        run.write_record(a_record(MEASUREMENTS[0]))
        run.write_record(a_record(MEASUREMENTS[1], state=RunState.FAILED, reasons=("no",)))
    assert run.manifest().state == RunState.FAILED
    assert run.manifest().reason == "1 of 2 measurements are not done"
    assert summary(run) == ["done", "failed"]


ENDINGS: list[tuple[BaseException, RunState, str]] = [
    (Interrupted(15), RunState.INTERRUPTED, "orch received SIGTERM"),
    (ServerFailed("the server exited"), RunState.FAILED, "the server exited"),
    (KeyError("oops"), RunState.FAILED, "orch itself failed: KeyError: 'oops'"),
    (SystemExit(1), RunState.FAILED, "orch itself failed: SystemExit: 1"),
]


@pytest.mark.parametrize(("end", "state", "reason"), ENDINGS, ids=lambda value: type(value).__name__)
def test_whatever_ends_a_run_is_in_its_record(run: Run, end: BaseException, state: RunState, reason: str) -> None:
    half_done(run)
    with pytest.raises(type(end)), recorded(a_place(), run):
        raise end
    assert (run.manifest().state, run.manifest().reason) == (state, reason)
    assert [record.state for record in run.records()] == [RunState.DONE, state]
    assert run.records()[1].reasons == (reason,)
    assert summary(run) == ["done", state.value]


def test_a_run_that_is_opened_knows_its_conditions(tmp_path: Path) -> None:
    profile = a_profile(
        container={"privileged": True}, server={"flags": {"tensor_parallel_size": 8, "dtype": "float16"}}
    )
    manifest = make_run(tmp_path, profile, NODE).manifest()
    assert (manifest.state, manifest.tensor_parallel_size, manifest.dtype) == (RunState.PLANNED, 8, "float16")
    assert manifest.warnings[0].id == "privileged"
    assert manifest.node == node_facts(NODE)
    assert make_run(tmp_path, PROFILE, NODE).manifest().dtype == "auto"


def test_a_profile_without_a_sweep_cannot_be_benchmarked() -> None:
    with pytest.raises(UsageError, match="the profile tiny has no bench section"):
        bench_of(PROFILE.model_copy(update={"bench": None}))


def test_a_sweep_that_the_server_s_own_flags_forbid_is_refused() -> None:
    with pytest.raises(UsageError, match="needs 80 tokens of context, the server gives 79"):
        bench_of(a_profile(server={"flags": {"max-model-len": 79}}))


def test_a_run_is_resumed_with_its_own_profile_only(run: Run) -> None:
    check_profile(run, PROFILE)
    with pytest.raises(UsageError) as caught:
        check_profile(run, a_profile(bench={"seed": 5}, description="other"))
    assert caught.value.message.splitlines() == [
        f"the run {run.path.name} cannot be resumed, not everything is as it was:",
        '  description: "" → "other"',
        "  bench.seed: 0 → 5",
    ]


def test_a_run_is_resumed_on_its_own_image_only(run: Run) -> None:
    run.update(node=node_facts(NODE).model_copy(update={"engine_version": "19.03"}), members=(deployment_facts(),))
    check_conditions(run, NODE, PROFILE)
    with pytest.raises(UsageError, match=r"image vllm:0.8.5: sha256:1+ → sha256:2"):
        check_conditions(run, node_of(Named("sha256:2")), PROFILE)


@pytest.mark.parametrize(
    "change",
    [{"client_program": "/other/vllm-rs"}, {"client_version": "0.33.0"}, {"client_sha256": "b" * 64}],
    ids=lambda change: next(iter(change)),
)
def test_a_run_is_resumed_with_its_own_client_only(run: Run, change: dict[str, str]) -> None:
    of_client = {"client_program": "/data/vllm-rs", "client_version": "0.32.0", "client_sha256": "a" * 64}
    facts = deployment_facts().model_copy(update=of_client)
    check_client(run, facts)
    run.update(earlier=(deployment_facts(),))
    check_client(run, facts)
    unread = facts.model_copy(update={"client_sha256": None})
    run.update(earlier=(unread, facts, deployment_facts()))  # one that was refused is on record without a client
    check_client(run, facts)
    ((key, value),) = change.items()
    with pytest.raises(UsageError, match=f'{key}: "{of_client[key]}" → "{value}"'):
        check_client(run, facts.model_copy(update=change))


def test_a_run_that_never_had_a_server_is_resumed_on_any_image(run: Run) -> None:
    run.update(node=node_facts(NODE))
    check_conditions(run, node_of(Named("sha256:2")), PROFILE)


@pytest.mark.parametrize(
    "change", [{"accelerators": ("Hygon 0x54b7 0000:9f:00.0",)}, {"cpu_model": "another"}, {"cpus": 4096}], ids=str
)
def test_a_run_is_resumed_on_its_own_hardware_only(run: Run, change: dict[str, Any]) -> None:
    run.update(node=node_facts(NODE).model_copy(update=change))
    (name,) = change
    with pytest.raises(UsageError, match=rf"node\.{name}"):
        check_conditions(run, NODE, PROFILE)


def test_a_node_without_a_list_of_its_processors_is_described_all_the_same(tmp_path: Path) -> None:
    assert node_facts(replace(NODE, root=tmp_path)).numa_nodes == 1


def test_a_node_is_described_by_the_files_of_its_own_kernel(tmp_path: Path) -> None:
    rocm_node(tmp_path, ["0000:33:00.0", "0000:b1:00.0"], vendor=HYGON)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU of 8 nodes\n", encoding="utf-8")
    for number in range(8):
        (tmp_path / f"sys/devices/system/node/node{number}").mkdir(parents=True)
    facts = node_facts(replace(NODE, root=tmp_path))
    assert (facts.cpu_model, facts.numa_nodes) == ("A CPU of 8 nodes", 8)
    assert facts.accelerators == ("Hygon 0x74a1 0000:33:00.0", "Hygon 0x74a1 0000:b1:00.0")


def test_the_node_is_described_by_its_own_facts() -> None:
    facts = node_facts(NODE)
    assert facts.engine_version == "20.10"
    assert facts.cpus >= 1
    assert facts.numa_nodes >= 1
    assert facts.memory_bytes > 2**20
    assert facts.kernel
    assert facts == node_facts(NODE)

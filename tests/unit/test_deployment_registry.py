"""Promises T6 and T9: what is up is told truly, and gc takes only what nobody wants any more."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import GONE, URL, FakeEngine, a_container, deployed, listed
from samples import RECORDED, a_profile

from orchestrator.deployment.folder import write_record
from orchestrator.deployment.lease import Lease, Tenure
from orchestrator.deployment.registry import YOUNG_S, choose, collect_garbage, deployments, fitting
from orchestrator.engine import Found
from orchestrator.errors import EngineError, UsageError
from orchestrator.plan import labels
from orchestrator.plan.container import serving_hash

if TYPE_CHECKING:
    from pathlib import Path

OURS = RECORDED.model_copy(update={"engine": URL})


def a_folder(state: Path, name: str, *, until: float | None = 0.0, lease: bool = True, record: bool = True) -> Path:
    """A deployment's folder whose lease says until when it is wanted without an owner."""
    folder = state / "deployments" / name
    folder.mkdir(parents=True)
    if record:
        write_record(folder, OURS)
    if lease:
        Lease(folder).hand_over(until)
    return folder


def test_a_deployment_is_told_by_its_labels_its_lease_and_its_record(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "tiny-0a1b2c3d", until=None)
    (found,) = deployments(FakeEngine([deployed("tiny", folder, holds="accelerator-0,accelerator-1")]))
    assert found == listed(
        container=f"{1:064x}",
        created=1.0,
        folder=folder,
        holds=("accelerator-0", "accelerator-1"),
        tenure=Tenure(owned=False, known=True, until=None),
        record=OURS,
    )


def test_what_is_held_is_told_with_its_reason_as_far_as_one_is_recorded(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "tiny-0a1b2c3d", record=False)
    engine = FakeEngine([deployed("tiny", folder, holds="accelerator-0,accelerator-1,accelerator-2")])
    assert deployments(engine)[0].holds_why == ("accelerator-0…2",)
    write_record(folder, OURS.model_copy(update={"holds_why": ("accelerator-0…2: container.gpus: 0, 1, 2",)}))
    assert deployments(engine)[0].holds_why == ("accelerator-0…2: container.gpus: 0, 1, 2",)
    assert listed(holds=(), record=None).holds_why == ("nothing",)


def test_deployments_are_told_oldest_first_and_other_containers_not_at_all(tmp_path: Path) -> None:
    stranger = Found("f" * 64, "database", "running", 0.0, {})
    engine = FakeEngine([stranger, deployed("b", tmp_path / "b-2", number=2), deployed("a", tmp_path / "a-1")])
    assert [found.name for found in deployments(engine)] == ["a", "b"]


def test_a_deployment_whose_labels_say_less_is_told_all_the_same() -> None:
    bare = Found("e" * 64, "orch-bare", "exited", 0.0, {labels.DEPLOYMENT: "bare"})
    (found,) = deployments(FakeEngine([bare]))
    assert (found.launch, found.profile, found.holds, found.record) == ("", "", (), None)
    assert found.tenure == Tenure(owned=False, known=False)


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"tenure": Tenure(owned=True, known=True)}, "owned by root, pid 1"),
        ({"tenure": Tenure(owned=True, known=True), "record": None}, "owned by an orch process"),
        ({"tenure": Tenure(owned=False, known=False)}, "owner unknown"),
        ({"tenure": Tenure(owned=False, known=True, until=None)}, "until orch down"),
        ({"tenure": Tenure(owned=False, known=True, until=1090.0)}, "for 1m 30s more"),
        ({"tenure": Tenure(owned=False, known=True, until=940.0)}, "by nobody: its time was up 1m 00s ago"),
        ({"tenure": Tenure(owned=False, known=True, until=0.0)}, "by nobody: its owner is dead"),
    ],
)
def test_who_wants_a_deployment_is_said_in_words(fields: dict[str, Any], held: str) -> None:
    assert listed(**fields).held(1000.0) == held


def test_the_only_deployment_need_not_be_named() -> None:
    one = listed(name="one")
    assert choose([one], None) == one
    assert choose([one, listed(name="other")], "one") == one


@pytest.mark.parametrize(
    ("names", "name", "message"),
    [
        ([], None, "nothing is up on this node"),
        ([], "one", "nothing is up on this node"),
        (["one", "other"], "third", "no deployment is named third; there is one, other"),
        (["one", "other"], None, "2 deployments are up: one, other"),
    ],
)
def test_a_choice_that_is_none_is_a_usage_error(names: list[str], name: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose([listed(name=found) for found in names], name)
    assert caught.value.message == message
    assert caught.value.hint


def test_a_deployment_that_fits_is_free_running_and_made_from_the_same_sections(tmp_path: Path) -> None:
    profile = a_profile()
    hashed = {labels.PROFILE_HASH: serving_hash(profile)}

    def up(name: str, number: int, status: str = "running", *, same: bool = True, owned: bool = False) -> Found:
        folder = a_folder(tmp_path, f"{name}-{number}", until=None)
        if owned:
            owners.append(Lease(folder))
        found = deployed(name, folder, number=number, status=status)
        return replace(found, labels={**found.labels, **(hashed if same else {})})

    owners: list[Lease] = []
    engine = FakeEngine([up("exited", 1, "exited"), up("different", 2, same=False), up("owned", 3, owned=True)])
    assert fitting(engine, profile, None) is None
    engine.containers += [up("fits", 4), up("fits-too", 5)]
    assert [
        found and found.name for found in (fitting(engine, profile, None), fitting(engine, profile, "fits-too"))
    ] == [
        "fits",
        "fits-too",
    ]
    assert fitting(engine, profile, "owned") is None
    for owner in owners:
        owner.release()


def test_gc_takes_what_nobody_wants_and_leaves_everything_else(tmp_path: Path) -> None:
    names = {"dead": 0.0, "over": time.time() - 1, "handed": None, "timed": time.time() + 600, "owned": None}
    folders = {
        name: a_folder(tmp_path, f"{name}-0000000{number}", until=until)
        for number, (name, until) in enumerate(names.items())
    }
    owner = Lease(folders["owned"])
    unknown = a_folder(tmp_path, "unknown-00000009", lease=False)
    engine = FakeEngine(
        [deployed(name, folder, number=number) for number, (name, folder) in enumerate(folders.items())]
    )
    engine.containers += [deployed("unknown", unknown, number=9), Found("f" * 64, "database", "running", 0.0, {})]
    gone = collect_garbage(engine, tmp_path)
    assert sorted(item.name for item in gone) == ["dead", "over"]
    assert sorted(found.name for found in engine.containers) == [
        "database",
        "orch-handed",
        "orch-owned",
        "orch-timed",
        "orch-unknown",
    ]
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / "deployments").iterdir()) == [
        "handed",
        "owned",
        "timed",
        "unknown",
    ]
    owner.release()


def test_gc_leaves_a_container_without_a_launch_alone(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "hand-00000001")
    by_hand = deployed("hand", folder)
    engine = FakeEngine([replace(by_hand, labels={**by_hand.labels, labels.LAUNCH: ""})])
    assert collect_garbage(engine, tmp_path) == []


def test_gc_takes_folders_whose_container_is_gone(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "tiny-00000001")
    assert collect_garbage(FakeEngine(), tmp_path) == []
    assert not folder.exists()


def test_gc_leaves_the_folder_of_one_that_is_just_starting(tmp_path: Path) -> None:
    owned, young = a_folder(tmp_path, "owned-1"), a_folder(tmp_path, "young-2", lease=False)
    owner = Lease(owned)
    collect_garbage(FakeEngine(), tmp_path)
    assert owned.exists()
    assert young.exists()
    owner.release()


def test_gc_takes_a_folder_that_has_been_without_a_lease_for_long(tmp_path: Path) -> None:
    old = a_folder(tmp_path, "old-1", lease=False, record=False)
    long_ago = time.time() - 2 * YOUNG_S
    os.utime(old, (long_ago, long_ago))
    collect_garbage(FakeEngine(), tmp_path)
    assert not old.exists()


def test_gc_leaves_folders_of_deployments_on_another_engine(tmp_path: Path) -> None:
    elsewhere = a_folder(tmp_path, "else-1")
    collect_garbage(FakeEngine(url="tcp://other:2375"), tmp_path)
    assert elsewhere.exists()


def test_gc_without_an_engine_takes_nothing(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "tiny-1")
    with pytest.raises(EngineError):
        collect_garbage(FakeEngine([a_container("1")], refusals=[GONE]), tmp_path)
    assert folder.exists()


def test_gc_on_a_node_where_nothing_was_ever_up_does_nothing(tmp_path: Path) -> None:
    assert collect_garbage(FakeEngine(), tmp_path / "none") == []

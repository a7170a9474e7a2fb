"""Promises K1 and E2: nothing that a deployment uses is used by another one, and whoever is in the way is named."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine, deployed, node_of
from processes import python, started

from orchestrator.accelerators import collide, node_accelerators
from orchestrator.deployment import hold as hold_module
from orchestrator.deployment.hold import DOOR, Hold, Holds, take
from orchestrator.deployment.lease import Lease, in_use
from orchestrator.errors import Busy, EnvironmentFault, ExitCode, Interrupted
from orchestrator.events import Event, Waiting, unheard
from orchestrator.node import queue as module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.engine import Found

HOLDER = """
import json, sys, time
from pathlib import Path
from orchestrator.deployment.hold import take
from orchestrator.node.node import Node
class Engine:
    def find(self, labels):
        return []
hold = take(tuple(json.loads(sys.argv[2])), Node(Engine(), Path(sys.argv[1])), "another", None, print)
print("held", flush=True)
time.sleep(600)
"""

RACE = """
import os, sys
from pathlib import Path
from orchestrator.deployment.hold import take
from orchestrator.node.node import Node
from orchestrator.errors import Busy
class Engine:
    def find(self, labels):
        return []
start, fire = os.pipe()
finish, end = os.pipe()
for number in range(20):
    if os.fork() == 0:
        os.close(fire)
        os.close(end)
        os.read(start, 1)
        try:
            names, node = sys.argv[2:], Node(Engine(), Path(sys.argv[1]))
            hold = take((names[number % len(names)],), node, f"racer {number}", None, print)
            said = "won"
        except Busy:
            said = "lost"
        os.write(1, f"{said}\\n".encode())
        os.read(finish, 1)  # until all have said what came of it
        os._exit(0)
os.close(start)
os.close(finish)
os.close(fire)
sys.stdin.read()
"""
"""Twenty processes that set off at the same moment and stay until their standard input ends."""


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)


def unwanted(event: Event) -> None:
    pytest.fail(f"nothing is to be told, but {event} was")


def take_at_once(folder: Path, *names: str, engine: FakeEngine | None = None) -> Hold:
    return take(names, node_of(engine or FakeEngine(), folder), "me, pid 1", None, unwanted)


def test_what_is_held_is_not_held_twice_until_it_is_let_go(tmp_path: Path) -> None:
    hold = take_at_once(tmp_path / "locks", "gpu-box")
    with pytest.raises(Busy, match=r"gpu-box is held by me, pid 1 since 20\d\d-") as caught:
        take_at_once(tmp_path / "locks", "gpu-box")
    assert caught.value.exit_code == ExitCode.BUSY
    hold.release()
    hold.release()
    take_at_once(tmp_path / "locks", "gpu-box").release()


def test_different_things_are_held_beside_each_other(tmp_path: Path) -> None:
    one, other = take_at_once(tmp_path, "accelerator-0", "accelerator-1"), take_at_once(tmp_path, "accelerator-2")
    with pytest.raises(Busy, match="accelerator-1 is held"):
        take_at_once(tmp_path, "accelerator-1", "accelerator-3")
    take_at_once(tmp_path, "accelerator-3").release()
    one.release()
    other.release()


def test_all_accelerators_and_one_of_them_exclude_each_other(tmp_path: Path) -> None:
    single = take_at_once(tmp_path, "accelerator-0")
    with pytest.raises(Busy):
        take_at_once(tmp_path, "accelerators")
    single.release()
    everything = take_at_once(tmp_path, "accelerators")
    with pytest.raises(Busy):
        take_at_once(tmp_path, "accelerator-0")
    everything.release()


@pytest.mark.parametrize("other", ["GPU-3a5f", "renderD128", "nvidia0", "left", "pci-0000-3b-00.0"])
def test_what_may_be_the_same_card_by_another_name_is_not_held_twice(tmp_path: Path, other: str) -> None:
    other = f"accelerator-{other}"
    for one, two in ((other, "accelerator-0"), ("accelerator-0", other)):
        hold = take_at_once(tmp_path, one)
        with pytest.raises(Busy, match=f"{one}, which may be {two}, is held by me, pid 1 since"):
            take_at_once(tmp_path, two)
        hold.release()
        take_at_once(tmp_path, two).release()


def test_cards_that_one_numbering_tells_apart_are_held_beside_each_other(tmp_path: Path) -> None:
    held = [take_at_once(tmp_path, f"accelerator-pci-0000-{bus}-00.0") for bus in ("3b", "3c")]
    with pytest.raises(Busy, match=r"accelerator-pci-0000-3b-00\.0 is held by me, pid 1 since"):
        take_at_once(tmp_path, "accelerator-pci-0000-3b-00.0")
    held.pop().release()
    held.pop().release()
    held = [take_at_once(tmp_path, name) for name in ("accelerator-GPU-3a5f", "accelerator-GPU-77aa")]
    with pytest.raises(Busy, match="accelerator-GPU-3a5f, which may be accelerator-GPU-3a, is held"):
        take_at_once(tmp_path, "accelerator-GPU-3a")
    for hold in held:
        hold.release()


def test_whoever_takes_accelerators_waits_for_one_that_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_at_once(tmp_path, "accelerator-0").release()
    door = os.open(tmp_path / DOOR, os.O_RDWR)
    fcntl.flock(door, fcntl.LOCK_EX)
    take_at_once(tmp_path, "card").release()
    passing = after(0.05, lambda: os.close(door))
    take_at_once(tmp_path, "accelerator-0").release()
    passing.join()
    door = os.open(tmp_path / DOOR, os.O_RDWR)
    fcntl.flock(door, fcntl.LOCK_EX)
    monkeypatch.setattr(hold_module, "DOOR_S", 0.05)
    with pytest.raises(Busy, match="accelerators are being taken by another orch process"):
        take_at_once(tmp_path, "accelerator-0")
    os.close(door)


def test_nothing_is_always_granted(tmp_path: Path) -> None:
    assert take_at_once(tmp_path / "locks").files == ()
    assert not (tmp_path / "locks").exists()


def test_a_hold_ends_with_its_holder(tmp_path: Path) -> None:
    argv = python("-c", HOLDER, str(tmp_path), '["accelerators"]')
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match="accelerators is held by another since"):
            take_at_once(tmp_path, "accelerators")
        holder.kill()
    take_at_once(tmp_path, "accelerators").release()


def test_a_hold_lasts_as_long_as_whoever_inherits_it(tmp_path: Path) -> None:
    hold = take_at_once(tmp_path, "accelerators")
    with subprocess.Popen(["sleep", "600"], pass_fds=hold.files) as heir:
        hold.release()
        with pytest.raises(Busy):
            take_at_once(tmp_path, "accelerators")
        heir.kill()
    take_at_once(tmp_path, "accelerators").release()


def test_a_hold_is_not_inherited_by_others(tmp_path: Path) -> None:
    hold = take_at_once(tmp_path, "accelerators")
    with subprocess.Popen(["sleep", "600"], close_fds=False) as child:
        hold.release()
        take_at_once(tmp_path, "accelerators").release()
        child.kill()


@pytest.mark.parametrize(
    "names",
    [
        ("accelerators",),
        ("accelerator-0", "accelerator-GPU-3a5f", "accelerator-renderD128", "accelerator-nvidia0"),
        ("accelerators", "accelerator-0", "accelerator-GPU-3a5f"),
        ("accelerator-pci-0000-3b-00.0",),
        ("accelerator-pci-0000-3b-00.0", "accelerator-4", "accelerators", "accelerator-renderD128"),
    ],
    ids=str,
)
def test_of_twenty_racers_one_wins_however_each_names_the_card(tmp_path: Path, names: tuple[str, ...]) -> None:
    argv = python("-c", RACE, str(tmp_path), *names)
    with started(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as race:
        assert race.stdout is not None
        said = [race.stdout.readline() for _ in range(20)]
    assert sorted(said) == [b"lost\n"] * 19 + [b"won\n"]


def test_who_needs_the_same_next_does_not_let_go_of_it(tmp_path: Path) -> None:
    at_hand: Any = (node_of(FakeEngine(), tmp_path), "me", None, pytest.fail)
    with Holds() as holds:
        first = holds.take(("card", "port"), *at_hand)
        assert holds.take(("card", "port"), *at_hand) is first
        with pytest.raises(Busy):
            take_at_once(tmp_path, "card")
        holds.take(("card",), *at_hand)
        take_at_once(tmp_path, "port").release()
        with pytest.raises(Busy):
            take_at_once(tmp_path, "card")
    take_at_once(tmp_path, "card").release()


def test_a_signal_while_one_lets_go_does_not_make_it_let_go_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed_and_interrupted(file: int) -> None:
        monkeypatch.undo()
        os.close(file)
        raise Interrupted(signal.SIGTERM)

    def study() -> None:
        at_hand: Any = (node_of(FakeEngine(), tmp_path), "me", None, pytest.fail)
        with Holds() as holds:
            holds.take(("card", "port"), *at_hand)
            monkeypatch.setattr(os, "close", closed_and_interrupted)
            holds.take(("other",), *at_hand)

    with pytest.raises(Interrupted):
        study()
    take_at_once(tmp_path, "other").release()


def test_who_does_not_get_what_it_needs_next_holds_nothing(tmp_path: Path) -> None:
    other = take_at_once(tmp_path, "port")
    at_hand: Any = (node_of(FakeEngine(), tmp_path), "me", None, pytest.fail)
    with Holds() as holds:
        holds.take(("card",), *at_hand)
        with pytest.raises(Busy, match="port is held by me"):
            holds.take(("port",), *at_hand)
        take_at_once(tmp_path, "card").release()
        other.release()
        assert holds.take(("port",), *at_hand).files
    take_at_once(tmp_path, "port").release()


def test_one_who_queues_is_told_once_why_and_gets_it_when_it_is_free(tmp_path: Path) -> None:
    first = take_at_once(tmp_path, "accelerators")
    told: list[str] = []

    def tell(event: Event) -> None:
        assert isinstance(event, Waiting)
        told.append(event.reason)
        first.release()

    take(("accelerators",), node_of(FakeEngine(), tmp_path), "me", 60.0, tell).release()
    assert len(told) == 1
    assert told[0].startswith("accelerators is held by me, pid 1")


def test_one_who_queues_in_vain_is_told_who_was_in_the_way(tmp_path: Path) -> None:
    first = take_at_once(tmp_path, "accelerators")
    with pytest.raises(Busy, match="held by me, pid 1"):
        take(("accelerators",), node_of(FakeEngine(), tmp_path), "other", 0.05, unheard)
    first.release()


def up(tmp_path: Path, holds: str, until: float | None = None, status: str = "running") -> Found:
    folder = tmp_path / "kept-00000001"
    folder.mkdir()
    Lease(folder).hand_over(until)
    return deployed("kept", folder, holds=holds, status=status)


def test_a_deployment_that_was_handed_over_holds_by_its_label(tmp_path: Path) -> None:
    engine = FakeEngine([up(tmp_path, "accelerator-0,accelerator-1")])
    with pytest.raises(Busy, match=r"accelerator-0, accelerator-1 is held by the deployment kept \(until orch down\)"):
        take_at_once(tmp_path / "locks", "accelerator-1", engine=engine)
    take_at_once(tmp_path / "locks", "accelerator-2", engine=engine).release()
    with pytest.raises(Busy):
        take_at_once(tmp_path / "locks", "accelerators", engine=engine)


def test_a_deployment_that_an_orch_of_before_made_excludes_whoever_holds_by_addresses(tmp_path: Path) -> None:
    engine = FakeEngine([up(tmp_path, "accelerator-4,accelerator-5")])
    with pytest.raises(Busy, match="accelerator-4, accelerator-5 is held by the deployment kept"):
        take_at_once(tmp_path / "locks", "accelerator-pci-0000-3b-00.0", engine=engine)


@pytest.mark.parametrize("status", ["exited", "restarting"])
def test_one_that_has_died_holds_while_somebody_measures_in_it_and_may_start_it_again(
    tmp_path: Path, status: str
) -> None:
    found = up(tmp_path, "accelerator-1", status=status)
    engine = FakeEngine([found])
    with in_use(tmp_path / "kept-00000001", "kept"), pytest.raises(Busy, match="that measures in it"):
        take_at_once(tmp_path / "locks", "accelerator-1", engine=engine)
    take_at_once(tmp_path / "locks", "accelerator-1", engine=engine).release()


def test_one_that_is_paused_keeps_its_memory(tmp_path: Path) -> None:
    engine = FakeEngine([up(tmp_path, "accelerator-1", status="paused")])
    with pytest.raises(Busy, match="kept"):
        take_at_once(tmp_path / "locks", "accelerator-1", engine=engine)


def test_a_lock_that_is_shared_looks_as_young_as_one_that_is_not(tmp_path: Path) -> None:
    take_at_once(tmp_path, "accelerator-0").release()
    os.utime(tmp_path / "accelerators", (0, 0))
    hold = take_at_once(tmp_path, "accelerator-0")
    assert (tmp_path / "accelerators").stat().st_mtime > 0, "what clears old files away would end it"
    hold.release()


def test_a_refusal_lets_go_of_what_was_taken_for_it(tmp_path: Path) -> None:
    engine = FakeEngine([up(tmp_path, "accelerator-0")])
    with pytest.raises(Busy):
        take_at_once(tmp_path / "locks", "accelerator-0", engine=engine)
    take_at_once(tmp_path / "locks", "accelerator-0").release()


@pytest.mark.parametrize(("holds", "status"), [("", "running"), ("accelerators", "exited")])
def test_a_deployment_that_holds_nothing_or_has_ended_is_not_in_the_way(
    tmp_path: Path, holds: str, status: str
) -> None:
    engine = FakeEngine([up(tmp_path, holds, status=status)])
    take_at_once(tmp_path / "locks", "accelerators", engine=engine).release()


def test_all_users_of_the_node_share_the_locks_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        take_at_once(tmp_path / "locks", "a").release()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o1777
    assert stat.S_IMODE((tmp_path / "locks" / "a").stat().st_mode) == 0o666


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    (tmp_path / "a").symlink_to(tmp_path / "precious")
    with pytest.raises(EnvironmentFault, match="cannot be opened"):
        take_at_once(tmp_path, "a")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("told", ["nonsense", "[]", '{"who": "somebody"}', ""])
def test_a_holder_that_says_something_else_is_told_as_it_says(tmp_path: Path, told: str) -> None:
    hold = take_at_once(tmp_path, "a")
    (tmp_path / "a").write_text(told, encoding="utf-8")
    with pytest.raises(Busy) as caught:
        take_at_once(tmp_path, "a")
    assert caught.value.message == f"a is held by {told or 'another orch process'}"
    hold.release()


def after(seconds: float, do: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, do)
    timer.start()
    return timer


@pytest.mark.parametrize("before", ["", '{"who": "the last holder", "since": 0}'])
def test_whoever_has_only_just_got_it_is_named_and_not_the_one_before(
    tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.deployment.hold.LOOK_S", 0.5)  # longer than a busy machine keeps a thread waiting
    hold = take_at_once(tmp_path, "a")
    (tmp_path / "a").write_text(before, encoding="utf-8")
    writing = after(0.01, lambda: (tmp_path / "a").write_text('{"who": "the new holder", "since": 0}'))
    with pytest.raises(Busy, match="a is held by the new holder since"):
        take_at_once(tmp_path, "a")
    writing.join()
    hold.release()


def test_whoever_only_looks_for_a_holder_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "accelerator-0").touch()
    look = os.open(tmp_path / "accelerator-0", os.O_RDWR)
    fcntl.flock(look, fcntl.LOCK_EX)
    looking = after(0.05, lambda: os.close(look))
    take_at_once(tmp_path, "accelerator-0").release()
    looking.join()


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (("accelerator-0",), ("accelerator-1",), True),
        (("accelerator-0",), ("accelerator-0", "accelerator-1"), False),
        (("accelerators",), ("accelerator-1",), False),
        (("accelerators",), ("accelerators",), False),
        (("accelerators",), ("node",), True),
        (("accelerators",), (), True),
        ((), (), True),
    ],
)
def test_two_deployments_get_on_unless_they_want_the_same(
    one: tuple[str, ...], other: tuple[str, ...], *, together: bool
) -> None:
    assert collide(one, other) is collide(other, one) is not together


def test_the_accelerators_of_a_node_are_told_by_the_kernel(tmp_path: Path) -> None:
    cards = {
        "0000:9f:00.0": ("0x1d94", "0x038000", "0x54b7"),
        "0000:03:00.0": ("0x1002", "0x120000", "0x74a1"),
        "0000:41:00.0": ("0x10de", "0x030200", "0x2330"),
        "0000:05:00.0": ("0x1a03", "0x030000", "0x2000"),  # the screen of a management controller
        "0000:06:00.0": ("0x1002", "0x040300", "0xab38"),  # a sound device of the same vendor
    }
    devices = tmp_path / "sys/bus/pci/devices"
    for address, facts in cards.items():
        (devices / address).mkdir(parents=True)
        for name, text in zip(("vendor", "class", "device"), facts, strict=True):
            (devices / address / name).write_text(text + "\n", encoding="utf-8")
    (devices / "0000:00:00.0").mkdir()
    assert node_accelerators(tmp_path) == (
        "AMD 0x74a1 0000:03:00.0",
        "NVIDIA 0x2330 0000:41:00.0",
        "Hygon 0x54b7 0000:9f:00.0",
    )
    assert node_accelerators(tmp_path / "none") == ()

"""K1 and E2: two runs on the same devices never overlap; who is in the way is named, and one can queue."""

from __future__ import annotations

import fcntl
import time
from typing import TYPE_CHECKING, Any, TextIO

import pytest
from engine.kit import containers
from engine.kit.together import together

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

RACERS = 20
SLOW = {"env": {"STUB_STARTUP_S": "4"}}


def test_of_twenty_racers_one_wins_and_the_others_name_it(orch: Orch) -> None:
    names = [orch.profile(f"racer{number}", container={"holds": ["card"]}, server=SLOW) for number in range(RACERS)]
    done = together(lambda name: orch("run", name), names, RACERS)
    codes = [done[name].returncode for name in names]
    assert sorted(set(codes)) == [0, 75], codes
    assert codes.count(0) == 1, "they began together and the winner took longer than all of them need to ask"
    winner = names[codes.index(0)]
    for name in names:
        if name != winner:
            assert "card is held by" in done[name].stderr
            assert f"deployment {winner}" in done[name].stderr
            assert "--wait" in done[name].stderr
            assert not list(orch.runs.glob(f"*-{name}-????")), "who may not begin has no run"


WAYS: dict[str, dict[str, Any]] = {
    "by its index, to a runtime": {"container": {"env": {"NVIDIA_VISIBLE_DEVICES": "0"}}},
    "by its UUID, to a runtime": {"container": {"env": {"NVIDIA_VISIBLE_DEVICES": "GPU-3a5f77aa"}}},
    "by its index, to the server": {
        "container": {"mounts": ["/dev:/dev-of-the-node"]},
        "server": {"env": {"HIP_VISIBLE_DEVICES": "0"}},
    },
    "by a mount": {"container": {"mounts": ["/dev/null:/var/run/nvidia-container-devices/0"]}},
    "not at all": {"container": {"mounts": ["/dev:/dev-of-the-node"]}},
}
"""Ways to name one card that need none on the node."""


def test_of_racers_that_name_one_card_in_several_ways_one_wins(orch: Orch) -> None:
    slow = {"env": {"STUB_STARTUP_S": "8"}}
    names = []
    for number, way in enumerate(2 * list(WAYS.values())):
        env = {**slow["env"], **way.get("server", {}).get("env", {})}
        names.append(orch.profile(f"racer{number}", container=way["container"], server={"env": env}))
    done = together(lambda name: orch("run", name), names, len(names))
    codes = [done[name].returncode for name in names]
    assert sorted(codes) == [0, *[75] * (len(names) - 1)], "\n".join(done[name].stderr for name in names)
    winner = names[codes.index(0)]
    for name in names:
        assert name == winner or f"deployment {winner}" in done[name].stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_card_that_is_up_is_refused_however_the_next_one_names_it(way: str, orch: Orch) -> None:
    up = orch.profile("up", container={"env": {"NVIDIA_VISIBLE_DEVICES": "0"}})
    orch.ok("up", up)
    next_one = orch.profile("next", **WAYS[way])
    refused = orch("run", next_one)
    assert refused.returncode == 75
    assert f"accelerator-0 is held by the deployment {up} (until orch down)" in refused.stderr
    orch.ok("down", up)
    orch.ok("run", next_one)


def test_two_that_name_different_cards_are_up_at_once_and_say_what_they_hold(orch: Orch) -> None:
    first, second = (
        orch.profile(name, container={"env": {"NVIDIA_VISIBLE_DEVICES": card}})
        for name, card in (("first", "0,1"), ("second", "2"))
    )
    orch.ok("up", first)
    orch.ok("up", second)
    rows = {row["name"]: (row["holds"], row["holds_why"]) for row in orch.json("ps")["deployments"]}
    assert rows[first][0] == ["accelerator-0", "accelerator-1"]
    assert rows[second] == (["accelerator-2"], ["accelerator-2: NVIDIA_VISIBLE_DEVICES in container.env"])
    assert "accelerator-0…1: NVIDIA_VISIBLE_DEVICES in container.env" in orch.ok("ps")
    assert orch.json("plan", second)["holds"] == {"names": rows[second][0], "why": rows[second][1]}
    assert "# - accelerator-2: NVIDIA_VISIBLE_DEVICES in container.env" in orch.ok("plan", second)
    third = orch("run", orch.profile("third", container={"privileged": True}))
    assert third.returncode == 75
    orch.ok("down", first)
    orch.ok("down", second)


def test_with_wait_the_second_follows_the_first(orch: Orch) -> None:
    first, second = (orch.profile(name, container={"holds": ["card"]}, server=SLOW) for name in ("first", "second"))
    leading = orch.start("run", first)
    leading.wait_for("starting the container")
    following = orch.start("run", second, "--wait", "5m")
    following.wait_for("card is held by")
    assert leading.wait() == 0, leading.err
    assert following.wait() == 0, following.err


def test_a_study_keeps_its_devices_from_one_server_to_the_next(orch: Orch) -> None:
    vary = {"axes": {"server.flags.max-num-seqs": [2, 4, 6]}}
    started = orch.start("run", orch.profile("study", container={"holds": ["card"]}, vary=vary))
    started.wait_for("starting the container")
    with (orch.folder / "locks" / "card").open() as lock:
        while not got(lock):
            time.sleep(0.002)
        assert started.err.count("torn down") == 3, "somebody could have got the devices between two servers"
    assert started.wait() == 0, started.err


def got(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_the_hold_lasts_until_a_killed_run_is_cleaned_away(orch: Orch) -> None:
    held = orch.profile("held", container={"holds": ["card"]}, server={"env": {"STUB_PHASE_HANG": "load"}})
    other = orch.profile("other", container={"holds": ["card"]})
    started = orch.start("run", held)
    started.wait_for("loading weights")
    started.kill()
    codes: list[int] = []
    while not codes or codes[-1] == 75:
        codes.append(orch("run", other).returncode)
        if codes[-1] == 0:
            assert containers.listed(held) == [], "the next run began while the container of the last was there"
        time.sleep(0.2)
    assert codes[-1] == 0, codes


def test_a_deployment_that_was_handed_over_holds_without_a_process(orch: Orch) -> None:
    up = orch.profile("up", container={"holds": ["card"]})
    other = orch.profile("other", container={"holds": ["card"]})
    free = orch.profile("free", container={"holds": ["another-card"]})
    orch.ok("up", up)
    refused = orch("run", other)
    assert refused.returncode == 75
    assert f"card is held by the deployment {up} (until orch down)" in refused.stderr
    orch.ok("run", free)
    orch.ok("down", up)
    orch.ok("run", other)


def test_two_users_share_the_locks(orch: Orch) -> None:
    held = orch.profile("held", container={"holds": ["card"]}, server={"env": {"STUB_PHASE_HANG": "load"}})
    other = orch.profile("other", container={"holds": ["card"]})
    started = orch.start("run", held)
    started.wait_for("loading weights")
    assert orch.another_user()("run", other).returncode == 75
    started.kill()
    assert containers.left_after(held) == []


def test_two_sweeps_do_not_share_a_deployment(orch: Orch) -> None:
    card = {"holds": ["card"]}
    name = orch.profile(
        "shared", container=card, server={"env": {"STUB_TPOT_MS": "1000"}}, bench={"lengths": [[8, 64]]}
    )
    other = orch.profile("other", container=card)
    orch.ok("up", name)
    first = orch.start("bench", "--name", name)
    while not (row := next(row for row in orch.json("ps")["deployments"] if row["name"] == name))["owned"]:
        time.sleep(0.1)
    assert row["held"] == "in use by an orch process that measures in it"
    rival = orch("run", other)
    assert rival.returncode == 75
    assert f"card is held by the deployment {name} (in use by an orch process that measures in it)" in rival.stderr
    second = orch("bench", "--name", name)
    assert second.returncode == 75
    assert f"the deployment {name} is in use" in second.stderr
    assert orch("down", name).returncode == 75
    third = orch.start("bench", "--name", name, "--wait", "10m")
    third.wait_for(f"the deployment {name} is in use")
    first.kill()
    while len(orch.json("results", "list")["runs"]) < 2:
        time.sleep(0.1)
    third.kill()
    orch.ok("down", name)

"""Promises T6 and T7: teardown goes by the label alone, can be called any number of times, and fails loudly."""

from __future__ import annotations

import pytest
from fake_engine import GONE, FakeEngine, a_container

from orchestrator.deployment import teardown as module
from orchestrator.deployment.teardown import GRACE_S, incomplete, teardown
from orchestrator.errors import EngineError, ExitCode, TeardownIncomplete


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)


def removed(engine: FakeEngine) -> list[tuple[str, float]]:
    return [(call[1][-1:], float(call[2])) for call in engine.asked if call[0] == "remove"]


def test_everything_of_the_launch_goes_and_nothing_else() -> None:
    ours = [a_container("mine", 1), a_container("mine", 2, "exited"), a_container("mine", 3, "created")]
    others = [a_container("theirs", 4), a_container("mine2", 5)]
    engine = FakeEngine([*ours, *others])
    assert sorted(teardown(engine, "mine")) == [container.id for container in ours]
    assert engine.containers == others


def test_a_server_gets_its_grace_and_what_never_ran_does_not() -> None:
    engine = FakeEngine([a_container("mine", 1), a_container("mine", 2, "created")])
    teardown(engine, "mine")
    assert removed(engine) == [("1", GRACE_S), ("2", 0.0)]


def test_in_a_hurry_nobody_gets_a_grace() -> None:
    engine = FakeEngine([a_container("mine", 1), a_container("mine", 2)])
    hurry = iter([False, True, True])
    teardown(engine, "mine", hurry=lambda: next(hurry))
    assert removed(engine) == [("1", GRACE_S), ("2", 0.0)]


def test_nothing_to_do_is_done() -> None:
    engine = FakeEngine()
    assert teardown(engine, "mine") == []
    assert teardown(engine, "mine") == []


def test_a_container_whose_create_call_was_cut_short_is_waited_for() -> None:
    engine = FakeEngine(late={4: a_container("mine", 7, "created")})
    assert teardown(engine, "mine", quiet_s=0.5) == [a_container("mine", 7).id]
    assert engine.containers == []


def test_while_containers_show_up_it_does_not_count_as_quiet() -> None:
    engine = FakeEngine(late={number: a_container("mine", number) for number in (2, 9, 16)})
    assert len(teardown(engine, "mine", quiet_s=0.3)) == 3


def test_an_engine_that_is_away_for_a_moment_is_waited_for() -> None:
    engine = FakeEngine([a_container("mine")], refusals=[GONE, GONE, None, GONE])
    assert set(teardown(engine, "mine")) == {a_container("mine").id}
    assert engine.containers == []


def test_an_engine_that_stays_away_is_named_with_the_command_to_finish_by_hand() -> None:
    engine = FakeEngine([a_container("mine")], refusals=[GONE] * 10_000)
    with pytest.raises(TeardownIncomplete) as caught:
        teardown(engine, "mine", deadline_s=0.05)
    assert caught.value.exit_code == ExitCode.TEARDOWN_INCOMPLETE
    assert caught.value.message == (
        "teardown is incomplete, containers of launch mine may still be there: no Docker engine answers"
    )
    assert caught.value.hint == "docker rm -f $(docker ps -aq --filter label=orch.launch=mine)"


def test_a_container_that_will_not_go_is_named_with_the_command_to_finish_by_hand() -> None:
    refusal = EngineError("the Docker engine refused removing the container: device or resource busy")
    engine = FakeEngine([a_container("mine")], refusals=[None, refusal] * 10_000)
    with pytest.raises(TeardownIncomplete) as caught:
        teardown(engine, "mine", deadline_s=0.05)
    assert "000000000000 may still be there: the Docker engine refused" in caught.value.message
    assert caught.value.hint == "docker rm -f 000000000000"


def test_a_container_that_never_ends_does_not_keep_orch_for_ever() -> None:
    engine = FakeEngine([a_container("mine")], immortal=True)
    with pytest.raises(TeardownIncomplete, match="000000000000 may still be there"):
        teardown(engine, "mine", deadline_s=0.05)


def test_several_containers_are_all_named() -> None:
    error = incomplete(["1" * 64, "2" * 64], "mine", None)
    assert error.message == "teardown is incomplete, 111111111111, 222222222222 may still be there"
    assert error.hint == "docker rm -f 111111111111 222222222222"

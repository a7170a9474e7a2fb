"""F1, F3: a server that dies or hangs in a sweep is noticed at once, named, started again, and the sweep goes on."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.files import manifest_in, record_in

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

BENCH = {"lengths": [[8, 4], [8, 8], [8, 12]], "num_prompts": 4, "concurrency": 1, "warmup": 1}
NOTICED_S = 5.0
"""Promised is one second; a test machine with other things to do gets more."""


def records(orch: Orch, name: str) -> list[dict[str, Any]]:
    folder = orch.run_of(name)
    manifest = manifest_in(folder)
    found = [folder / "points" / point / f"r{n}" / "record.json" for point, n in manifest["measurements"]]
    return [record_in(path.parent) for path in found if path.exists()]


@pytest.mark.parametrize("death", ["exit0", "kill", "health503"])
def test_the_point_fails_with_the_cause_and_the_sweep_goes_on(orch: Orch, death: str) -> None:
    name = orch.profile(death, server={"env": {"STUB_DIE_AFTER_REQUESTS": "8", "STUB_DEATH": death}}, bench=BENCH)
    done = orch("run", name, "--set", "bench.restarts=3")
    assert done.returncode == 1, done.stderr
    states = [record["state"] for record in records(orch, name)]
    assert states == ["done", "failed", "done"], done.stderr
    failed = records(orch, name)[1]
    assert any("vLLM's engine process died" in reason or "the server" in reason for reason in failed["reasons"])
    assert "cause:" in done.stderr
    assert "log:" in done.stderr
    log = (orch.run_of(name) / "logs" / "server.log").read_text(encoding="utf-8")
    assert log.count("Application startup complete") == 2, "both lives of the server are in the log"


LIVES = """case $(cat /tmp/life 2>/dev/null) in
    '') echo 1 >/tmp/life; export STUB_DIE_AFTER_REQUESTS=3 STUB_LOG_TEXT='RCCL error: the link is down' ;;
    1) echo 2 >/tmp/life; export STUB_DIE_AFTER_REQUESTS=3 STUB_LOG_TEXT='[Errno 28] No space left on device' ;;
    *) export STUB_EXIT_PHASE=load STUB_LOG_TEXT='ValueError: the third life is short' ;;
esac
"""


def test_each_death_has_its_own_cause_and_phase(orch: Orch) -> None:
    scripts = orch.folder / "scripts"
    scripts.mkdir()
    (scripts / "lives.sh").write_text(LIVES, encoding="utf-8")
    container = {"mounts": [f"{scripts}:/scripts:ro"]}
    server = {"command": ["bash", "-c", '. /scripts/lives.sh; exec vllm serve "$@"']}
    name = orch.profile("lives", container=container, server=server, bench={**BENCH, "restarts": 2})
    done = orch("run", name)
    assert done.returncode == 1, done.stderr
    first, second, *third = (record["reasons"] for record in records(orch, name))
    assert third == []
    assert "cannot talk to each other" in str(first)
    assert "disk is full" in str(second)
    assert "cannot talk to each other" not in str(second)
    last = done.stderr[done.stderr.rindex("while ") :]
    assert last.startswith("while loading weights")
    assert "the third life is short" in last


def test_it_is_started_again_only_as_often_as_the_profile_says(orch: Orch) -> None:
    name = orch.profile("mortal", server={"env": {"STUB_DIE_AFTER_REQUESTS": "3", "STUB_DEATH": "exit0"}}, bench=BENCH)
    done = orch("run", name, "--set", "bench.restarts=1")
    assert done.returncode == 1
    assert [record["state"] for record in records(orch, name)] == ["failed", "failed"]
    assert manifest_in(orch.run_of(name))["state"] == "failed"
    assert f"orch bench --resume {orch.run_of(name).name}" in done.stderr


def test_a_death_is_noticed_while_the_client_still_waits(orch: Orch) -> None:
    """The client gets no answer any more and would wait for its deadline of two minutes."""
    env = {"STUB_DIE_AFTER_REQUESTS": "8", "STUB_DEATH": "kill", "STUB_TPOT_MS": "50"}  # amid the second point
    name = orch.profile("waiting", server={"env": env}, bench={**BENCH, "restarts": 0})
    orch("run", name)
    failed = [record for record in records(orch, name) if record["state"] == "failed"]
    assert len(failed) == 1
    manifest = manifest_in(orch.run_of(name))
    took = dt.datetime.fromisoformat(manifest["ended"]) - dt.datetime.fromisoformat(failed[0]["started"])
    assert took.total_seconds() < NOTICED_S + 10


@pytest.mark.parametrize("scope", ["completions", "all"])
def test_a_server_that_hangs_is_given_up(orch: Orch, scope: str) -> None:
    hanging = {"STUB_HANG_AFTER_REQUESTS": "6", "STUB_HANG_SCOPE": scope}
    name = orch.profile("hangs", server={"env": hanging}, bench={**BENCH, "stall": "4s", "restarts": 0})
    done = orch("run", name)
    assert done.returncode == 1
    assert "the server hangs: a client is waiting, and no token has come for" in done.stderr


def test_a_slow_server_does_not_count_as_hanging(orch: Orch) -> None:
    slow = orch.profile(
        "slow", server={"env": {"STUB_TPOT_MS": "1500"}}, bench={**BENCH, "lengths": [[8, 6]], "stall": "4s"}
    )
    orch.ok("run", slow)


def test_a_client_that_hangs_is_killed_in_the_container(orch: Orch) -> None:
    name = orch.profile("deaf", container={"env": {"STUB_CLIENT_HANG": "1"}}, bench={**BENCH, "deadline": "2s"})
    done = orch("run", name)
    assert done.returncode == 1
    assert [record["reasons"] for record in records(orch, name)] == [["the client was killed at its deadline"]] * 3

"""Promise F3: a sweep goes on after what fails, each record is on disk at once, and a dead server is started again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import member_of
from local_container import SERVE, LocalContainer, LocalServer, UnderWay
from processes import eventually
from samples import a_profile, deployment_facts

from orchestrator.engine import Engine, ExecSession
from orchestrator.errors import BenchmarkFailed, EngineError, EnvironmentFault, OrchError, ServerFailed
from orchestrator.events import Event
from orchestrator.inside import driver as driver_program
from orchestrator.measuring import driver as session
from orchestrator.measuring.driver import Driver, Wanted
from orchestrator.measuring.events import MeasurementEnded
from orchestrator.runs.format.records import RunState
from orchestrator.vllm.counters import Load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


MAIN = """
if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser()
    add_cli_args(parser)
    main(parser.parse_args())
"""
"""What makes a script of the client."""
DONE, FAILED, RUNNING = RunState.DONE, RunState.FAILED, RunState.RUNNING


@pytest.fixture
def container(tmp_path: Path) -> Iterator[LocalContainer]:
    made = LocalContainer(tmp_path)
    yield made
    made.close()


def under_way(tmp_path: Path, container: LocalContainer, *behave: str, **bench: Any) -> UnderWay:
    flags = {"behave": behave[0]} if behave else {}
    return UnderWay(tmp_path, container, a_profile(bench={"client_flags": flags, **bench}))


def test_the_driver_tells_what_it_found_in_the_container(container: LocalContainer) -> None:
    driver = Driver(member_of(container), Wanted("vllm"), None)
    client = driver.client()
    assert (client.vllm_version, client.fork, client.reason) == ("0.32.0", True, "")
    assert client.options is not None
    assert {"--backend", "--temperature"} <= client.options
    assert driver.client() is client
    driver.close()
    driver.close()


def test_each_measurement_is_taken_on_a_server_that_is_warm_for_it(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, repetitions=2)
    assert going.run() == [DONE] * 4
    assert [index for index, state in going.steps if state == RUNNING] == [0, 1, 0, 2, 3, 4]
    assert [state for _, state in going.steps] == [RUNNING, DONE] * 6
    assert going.failures == []
    first = going.directory.records()[0]
    assert first.argv[:5] == ("vllm", "bench", "serve", "--backend", "openai")
    assert first.cpu_s is not None
    raw = json.loads((going.directory.client_log(first).parent / "result.json").read_bytes())
    assert raw["completed"] == 2
    assert len(list(going.directory.path.glob("warmup/*/record.json"))) == 2


def test_without_a_warm_up_there_is_none(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, warmup=0)
    assert going.run() == [DONE, DONE]
    assert not (going.directory.path / "warmup").exists()
    assert [record.warm_before for record in going.directory.records()] == [None, None]


@pytest.mark.parametrize(("behaviour", "warm"), [("whole", True), ("cold", False)])
def test_a_record_says_whether_its_warm_up_was_done(
    tmp_path: Path, container: LocalContainer, behaviour: str, *, warm: bool
) -> None:
    going = under_way(tmp_path, container, behaviour, num_prompts=[4], repetitions=2, warmup=2)
    assert going.run() == [DONE, DONE]
    assert [record.warm_before for record in going.directory.records()] == [warm, warm]
    assert [index for index, state in going.steps if state == RUNNING] == [0, 1, 2]


def test_a_record_holds_what_the_server_says_of_the_measurement(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, warmup=0, num_prompts=[2])
    going.server.idle = False
    going.run()
    (record,) = going.directory.records()
    assert record.idle_before is False
    assert record.served is not None
    assert record.served.prompt_tokens == 100.0
    assert record.peak == Load(running=4, waiting=2, kv_cache_usage=0.5)


def test_a_server_that_says_nothing_is_no_obstacle(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, warmup=0)
    going.server.tells = False
    assert going.run() == [DONE, DONE]
    assert going.directory.records()[0].served is None


@pytest.mark.parametrize(("silent", "lost"), [(None, False), (1, False), (2, True)])
def test_counters_that_were_there_before_a_measurement_and_not_after_it_are_missed(
    tmp_path: Path, container: LocalContainer, silent: int | None, *, lost: bool
) -> None:
    going = under_way(tmp_path, container, warmup=0, num_prompts=[2])
    going.server.silent_look = silent
    assert going.run() == [DONE]
    (record,) = going.directory.records()
    assert (record.served is None, record.served_lost) == (silent is not None, lost)


@pytest.mark.parametrize(
    ("environ", "direct"),
    [
        ({}, "127.0.0.1,localhost,10.1.2.3"),
        ({"NO_PROXY": "hub.lan, 10.1.2.3"}, "hub.lan,10.1.2.3,127.0.0.1,localhost"),
        ({"no_proxy": "hub.lan", "NO_PROXY": ".lan,"}, ".lan,hub.lan,127.0.0.1,localhost,10.1.2.3"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_the_client_passes_by_proxies_and_gets_the_key_that_the_server_wants(
    tmp_path: Path,
    container: LocalContainer,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    direct: str,
) -> None:
    monkeypatch.setattr(LocalServer, "key", "s3cr3t")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        if name in environ:
            monkeypatch.setenv(name, environ[name])
    going = UnderWay(tmp_path, container, a_profile(container={"network": "host"}, server={"host": "10.1.2.3"}))
    going.run()
    log = going.directory.client_log(going.directory.records()[0]).read_text()
    assert log == f"key s3cr3t proxy {direct} {direct}\n"


@pytest.mark.parametrize(
    ("behaviour", "reason"), [("fail", "the client exited with code 1"), ("short", "1 of 32 output tokens")]
)
def test_a_measurement_that_fails_does_not_end_the_sweep(
    tmp_path: Path, container: LocalContainer, behaviour: str, reason: str
) -> None:
    going = under_way(tmp_path, container, behaviour)
    assert going.run() == [FAILED, FAILED]
    assert going.directory.records()[0].reasons[0].startswith(reason)
    assert going.server.restarts == 0


def test_a_client_that_hangs_is_killed_at_its_deadline(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, "hang", deadline=0.1, num_prompts=[2], warmup=0)
    assert going.run() == [FAILED]
    assert going.directory.records()[0].reasons == ("the client was killed at its deadline",)


def test_a_server_that_dies_is_started_again_and_the_sweep_goes_on(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, num_prompts=[2, 4, 6], warmup=3)
    take = going.sweep._take  # noqa: SLF001 - the moment at which the server dies

    def dies_in_the_second(measurement: Any, index: int, total: int, **rest: Any) -> object:
        if index == 2 and not going.server.restarts:
            going.server.fails_during = ServerFailed("the server has died: out of memory\ndetails")
        return take(measurement, index, total, **rest)

    going.sweep._take = dies_in_the_second  # type: ignore[method-assign, assignment]  # noqa: SLF001
    monkeypatched = session.LOOK_S
    session.LOOK_S = 0.0001
    try:
        states = going.run()
    finally:
        session.LOOK_S = monkeypatched
    assert states == [DONE, FAILED, DONE]
    assert going.server.restarts == 1
    assert going.failures == ["the server has died: out of memory\ndetails"]
    assert going.directory.records()[1].reasons == ("the server has died: out of memory",)
    assert [index for index, state in going.steps if state == RUNNING] == [0, 1, 2, 0, 3]


def test_a_driver_that_dies_alone_is_started_again(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, "die", num_prompts=[2, 4], warmup=0)
    assert going.run() == [FAILED, FAILED]
    assert going.server.restarts == 0
    assert len(container.sessions) == 2
    assert "driver in the container has ended" in going.directory.records()[0].reasons[0]


def test_a_client_that_is_replaced_within_a_sweep_ends_it(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, "die", num_prompts=[2, 4], warmup=0)
    assert going.sweep.client().vllm_version == "0.32.0"
    (metadata,) = (tmp_path / "site").glob("*.dist-info/METADATA")
    metadata.write_text(metadata.read_text(encoding="utf-8").replace("0.32.0", "0.33.0"), encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="no longer what the sweep began with"):
        going.run()
    assert [record.state for record in going.directory.records()] == [FAILED]


def test_a_script_that_is_replaced_between_two_points_ends_the_sweep(tmp_path: Path, container: LocalContainer) -> None:
    script = tmp_path / "client.py"
    script.write_text(f"{SERVE}{MAIN}", encoding="utf-8")
    going = under_way(tmp_path, container, client=str(script), num_prompts=[2, 4, 6], warmup=0)

    def replacing(event: Event) -> None:
        going.tell(event)
        if isinstance(event, MeasurementEnded) and event.index == 2:
            script.write_text(f"{SERVE}{MAIN}# another one", encoding="utf-8")

    going.sweep._tell = replacing  # noqa: SLF001
    with pytest.raises(EnvironmentFault, match=rf"{re.escape(str(script))} is no longer what the sweep began with"):
        going.run()
    assert [record.state for record in going.directory.records()] == [DONE, DONE, RUNNING]


def test_a_script_that_is_touched_and_says_the_same_is_the_same(tmp_path: Path, container: LocalContainer) -> None:
    script = tmp_path / "client.py"
    script.write_text(f"{SERVE}{MAIN}", encoding="utf-8")
    going = under_way(tmp_path, container, client=str(script), num_prompts=[2], warmup=0)
    going.sweep.client()
    script.write_text(f"{SERVE}{MAIN}", encoding="utf-8")
    assert going.run() == [DONE]


def test_prompts_that_are_replaced_between_two_points_end_the_sweep(tmp_path: Path, container: LocalContainer) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "a"}', encoding="utf-8")
    dataset = {"name": "custom", "path": str(prompts), "output_len": 4}
    profile = a_profile(bench={"dataset": dataset, "lengths": None, "num_prompts": [2], "warmup": 0})
    going = UnderWay(tmp_path, container, profile)
    assert going.sweep.client().dataset is not None
    prompts.write_text('{"prompt": "b"}', encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=rf"{re.escape(str(prompts))} is no longer what the sweep began with"):
        going.run()


def test_a_new_driver_that_cannot_fork_is_recorded(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, "die", num_prompts=[2, 4], warmup=0)
    client = going.sweep.client()
    facts = deployment_facts(client_mode=client.mode)
    going.directory.update(members=(facts,))
    thread = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    (tmp_path / "site" / "vllm" / "__init__.py").write_text(thread, encoding="utf-8")
    going.run()
    deployment = going.directory.manifest().deployment
    assert deployment is not None
    assert deployment.client_mode == "fork; later process: importing vLLM has started Python threads"


@pytest.mark.parametrize(("behave", "waited"), [("connect", True), ("pause", False), ("ask elsewhere", False)])
def test_a_client_waits_while_it_has_a_connection_to_the_server(
    tmp_path: Path, container: LocalContainer, behave: str, *, waited: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as other:
        port = (other if behave == "ask elsewhere" else listening).getsockname()[1]
        script = tmp_path / "client.py"
        held = "" if behave == "pause" else f"held = socket.create_connection(('127.0.0.1', {port}))"
        slow = MAIN.replace(
            "    main(",
            f"    args = parser.parse_args(); import socket, time; {held or 'pass'}\n    time.sleep(2.5)\n    main(",
        )
        script.write_text(f"{SERVE}{slow}", encoding="utf-8")
        profile = a_profile(
            server={"port": listening.getsockname()[1]},
            bench={"client": str(script), "num_prompts": [2], "concurrency": [1], "warmup": 0},
        )
        going = UnderWay(tmp_path, container, profile)
        going.server.asks_the_client = True
        assert going.run() == [DONE]
    assert going.server.client_waited[2:]
    assert waited in going.server.client_waited
    assert waited or not any(going.server.client_waited)


def test_a_client_that_ends_while_it_is_asked_keeps_its_result(
    tmp_path: Path, container: LocalContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = under_way(tmp_path, container, num_prompts=[2, 4], warmup=0)
    going.sweep.client()
    waits = Driver.client_waits

    def late(driver: Driver) -> bool:
        time.sleep(1.0)
        return waits(driver)

    monkeypatch.setattr(Driver, "client_waits", late)
    monkeypatch.setattr(session, "LOOK_S", 0.0)
    going.server.asks_the_client = True
    assert going.run() == [DONE, DONE]
    assert going.server.client_waited[0] is False


def test_a_driver_that_does_not_say_whether_its_client_waits_is_taken_to_wait(
    container: LocalContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ASK_S", 0.1)
    driver = Driver(member_of(container), Wanted("vllm"), None)
    driver.client()
    os.kill(container.sessions[0].process.pid, signal.SIGSTOP)
    assert driver.client_waits() is True
    os.kill(container.sessions[0].process.pid, signal.SIGCONT)
    driver.close()
    assert driver.client_waits() is True


def test_a_driver_that_dies_with_its_container_means_that_the_server_has_died(
    tmp_path: Path, container: LocalContainer
) -> None:
    going = under_way(tmp_path, container, "die", num_prompts=[2, 4], warmup=0)
    going.server.living = False
    states = going.run()
    assert states == [FAILED, FAILED]
    assert going.server.restarts == 1
    assert going.directory.records()[0].reasons == ("the server has died",)


def test_a_client_that_takes_a_death_for_the_end_is_not_believed(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, num_prompts=[2, 4], warmup=0)
    going.server.living = False
    assert going.run() == [FAILED, DONE]
    assert going.server.restarts == 1
    first = going.directory.records()[0]
    assert (first.reasons, first.metrics) == (("the server has died",), None)


def test_a_server_that_dies_more_often_than_allowed_ends_the_sweep(tmp_path: Path, container: LocalContainer) -> None:
    going = under_way(tmp_path, container, "die", num_prompts=[2, 4, 6], warmup=0, restarts=0)
    going.server.living = False
    with pytest.raises(ServerFailed, match="the server has died"):
        going.run()
    assert [record.state for record in going.directory.records()] == [FAILED]


def test_a_server_that_dies_before_the_client_is_ready_is_started_again(
    tmp_path: Path, container: LocalContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.0001)
    going = under_way(tmp_path, container, num_prompts=[2], warmup=0)
    going.server.living = False
    assert going.sweep.client().vllm_version == "0.32.0"
    assert going.server.restarts == 1
    assert going.failures == ["the server has died\nbecause"]
    assert going.run() == [DONE]


def test_a_driver_that_ends_with_its_container_before_it_is_ready_has_the_cause_of_the_server(
    tmp_path: Path, container: LocalContainer
) -> None:
    going = under_way(tmp_path, container, restarts=0)
    going.server.living = False
    container.sessions[0].process.kill()
    with pytest.raises(ServerFailed, match="the server has died\nbecause"):
        going.sweep.client()
    assert going.server.restarts == 0


def test_a_driver_that_ends_alone_before_it_is_ready_is_no_fault_of_the_server(
    tmp_path: Path, container: LocalContainer
) -> None:
    going = under_way(tmp_path, container)
    container.sessions[0].process.kill()
    with pytest.raises(BenchmarkFailed, match="driver in the container has ended"):
        going.sweep.client()
    going.sweep.close()


def test_an_image_without_vllm_is_said_to_have_none(tmp_path: Path, container: LocalContainer) -> None:
    for path in (tmp_path / "site").glob("*.dist-info/METADATA"):
        path.unlink()
        path.parent.rmdir()
    driver = Driver(member_of(container), Wanted("vllm"), None)
    with pytest.raises(EnvironmentFault, match="the container's python3 has no vLLM: PackageNotFoundError"):
        driver.client()
    driver.close()


class Says(Engine):
    """A container whose python3 does something else."""

    def __init__(self, container: LocalContainer, program: str) -> None:
        self._container = container
        self._program = program

    def run_session(self, container: str, argv: Sequence[str]) -> ExecSession:
        return self._container.run_session(container, [*argv[: argv.index("-c") + 1], self._program])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.stdin.readline(); sys.stderr.write('SyntaxError: no')", "has ended: SyntaxError: no"),
        ("import sys; sys.stdin.readline()", "has ended$"),
        ("import sys; print('Python 2'); sys.stdin.read()", "did not start the driver: Python 2"),
    ],
)
def test_a_python_that_cannot_run_the_driver_is_told_in_its_own_words(
    container: LocalContainer, program: str, words: str
) -> None:
    driver = Driver(member_of(Says(container, program)), Wanted("vllm"), None)
    eventually(driver.ready, "it has said what it has to say")
    for _ in range(2):
        with pytest.raises(BenchmarkFailed, match=words):
            driver.client()
    driver.close()


def test_a_container_that_is_frozen_is_noticed(container: LocalContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PREPARE_S", 0.1)
    monkeypatch.setattr(session, "LOOK_S", 0.01)
    driver = Driver(member_of(Says(container, "import time; time.sleep(600)")), Wanted("vllm"), None)
    with pytest.raises(BenchmarkFailed, match="did not answer within 0 s"):
        driver.client()
    driver.close()


def test_the_program_that_runs_is_the_driver() -> None:
    assert driver_program.VLLM == ["vllm", "bench", "serve"]
    assert issubclass(EngineError, OrchError)

"""Promise F1: the wait for a server ends as soon as it can: healthy, ended, out of time, or the engine gone."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import GONE, FakeEngine, exited, member_of
from web import VLLM, answering, free_port

from orchestrator.deployment import watch as watch_module
from orchestrator.deployment.failure import engine_refused
from orchestrator.deployment.folder import SECRETS
from orchestrator.deployment.health import check_identity, wait_until_healthy
from orchestrator.deployment.log import ServerLog, read_log
from orchestrator.deployment.watch import Watch
from orchestrator.errors import EngineError, EnvironmentFault, ServerFailed
from orchestrator.events import Event
from orchestrator.vllm.api import Api
from orchestrator.vllm.phases import Phase, PhaseReached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STARTING = b"INFO 11-24 04:06:57 [x.py:1] vLLM API server version 0.8.5\n"
LOADING = b"INFO 11-24 04:06:57 [x.py:1] Starting to load model /m...\n"
SHARDS = b"Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:00<00:01]\r"


class Followed:
    """A log that is followed, and what its reader was told."""

    def __init__(self, tmp_path: Path, engine: FakeEngine) -> None:
        self.told: list[tuple[Phase, str]] = []
        self.log = ServerLog(tmp_path / "server.log", self.hear)
        self.log.follow(member_of(engine), tmp_path)

    def hear(self, event: Event) -> None:
        assert isinstance(event, PhaseReached)
        self.told.append((event.phase, event.detail))

    def to_its_end(self) -> Followed:
        assert self.log.ended.wait(30)
        return self


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_log_is_kept_byte_for_byte_and_read_for_phases(tmp_path: Path) -> None:
    whole = STARTING + LOADING + SHARDS + b"\xff\xfe junk\n" + STARTING + b"no end of line"
    pieces = [whole[start : start + 7] for start in range(0, len(whole), 7)]
    followed = Followed(tmp_path, FakeEngine(output=pieces)).to_its_end()
    assert (tmp_path / "server.log").read_bytes() == whole
    assert followed.told == [(Phase.STARTING, ""), (Phase.WEIGHTS, ""), (Phase.WEIGHTS, "50 %")]
    assert (followed.log.phase, followed.log.problem) == (Phase.WEIGHTS, None)


def test_a_secret_in_the_log_is_masked_before_it_reaches_the_disk(tmp_path: Path) -> None:
    (tmp_path / SECRETS).write_text('{"HF_TOKEN": "hidden-canary"}', encoding="utf-8")
    Followed(tmp_path, FakeEngine(output=[b"token hidden-", b"canary\n"])).to_its_end()
    assert (tmp_path / "server.log").read_bytes() == b"token ********\n"


def test_a_part_of_a_log_can_be_asked_for(tmp_path: Path) -> None:
    engine = FakeEngine(output=[b"line\n"])
    assert list(read_log(member_of(engine), tmp_path, follow=False, tail=5)) == [b"line\n"]
    assert engine.asked == [("logs", "c" * 64, "False", "5")]


def test_a_log_whose_engine_goes_away_says_so(tmp_path: Path) -> None:
    assert Followed(tmp_path, FakeEngine(output=[STARTING, GONE])).to_its_end().log.problem is GONE


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "server.log").mkdir()
    problem = Followed(tmp_path, FakeEngine(output=[STARTING])).to_its_end().log.problem
    assert problem is not None
    assert "cannot write the server's log" in problem.message
    assert "Is a directory" in problem.message


def wait(tmp_path: Path, engine: FakeEngine, port: int, deadline_s: float = 60.0) -> None:
    followed = Followed(tmp_path, engine)
    wait_until_healthy(member_of(engine), tmp_path, Api("127.0.0.1", port), followed.log, deadline_s)


def test_the_wait_ends_when_the_server_is_healthy(tmp_path: Path, over: threading.Event) -> None:
    answers: dict[str, Any] = {"/health": 503}
    with answering(answers) as port:
        threading.Timer(0.2, answers.update, [VLLM]).start()
        wait(tmp_path, FakeEngine(output=[STARTING], over=over), port)


def test_the_wait_ends_when_the_container_has_ended_with_what_it_said(tmp_path: Path) -> None:
    engine = FakeEngine(output=[STARTING, LOADING, b"ValueError: no\n"], ended=exited(1))
    with pytest.raises(ServerFailed) as caught:
        wait(tmp_path, engine, free_port())
    text = f"{caught.value.message}\n{caught.value.hint}"
    assert "ValueError: no" in text
    assert "code 1" in text
    assert str(tmp_path / "server.log") in text


def test_a_server_that_was_killed_for_memory_is_told_so(tmp_path: Path) -> None:
    engine = FakeEngine(output=[STARTING], ended=exited(137, oom_killed=True))
    with pytest.raises(ServerFailed, match="memory"):
        wait(tmp_path, engine, free_port())


def test_the_wait_ends_when_time_is_up(tmp_path: Path, over: threading.Event) -> None:
    engine = FakeEngine(output=[STARTING, LOADING], over=over)
    with pytest.raises(ServerFailed, match="not healthy"):
        wait(tmp_path, engine, free_port(), deadline_s=0.2)


def test_health_is_looked_at_often_at_first(tmp_path: Path, over: threading.Event) -> None:
    looks: list[None] = []
    engine = FakeEngine(output=[STARTING], over=over)
    followed = Followed(tmp_path, engine)
    api = Api("127.0.0.1", free_port())
    with pytest.raises(ServerFailed):
        wait_until_healthy(member_of(engine), tmp_path, api, followed.log, 0.5, lambda: looks.append(None))
    assert len(looks) > 10


def test_the_wait_ends_when_the_engine_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        wait(tmp_path, FakeEngine(output=[STARTING, GONE]), free_port())
    assert caught.value is GONE


def test_an_engine_that_cannot_say_why_is_not_the_whole_answer(tmp_path: Path) -> None:
    engine = FakeEngine(output=[STARTING], refusals=[GONE])
    with pytest.raises(ServerFailed, match="no Docker engine answers"):
        wait(tmp_path, engine, free_port())


def test_the_server_that_answers_must_be_ours() -> None:
    with answering(VLLM) as port:
        api = Api("127.0.0.1", port)
        assert check_identity(api, "tiny").max_model_len == 2048
        with pytest.raises(ServerFailed, match=f"at http://127.0.0.1:{port} offers tiny, not ours"):
            check_identity(api, "ours")
    with answering({}) as port, pytest.raises(ServerFailed, match="offers no model at all, not ours"):
        check_identity(Api("127.0.0.1", port), "ours")


def test_a_refusal_of_the_engine_is_named_where_its_cause_is_known() -> None:
    strange = EnvironmentFault("the Docker engine refused starting the container: something odd")
    assert engine_refused(strange) is strange
    known = EnvironmentFault(
        "the Docker engine refused starting the container: error gathering device information while adding custom "
        'device "/dev/mkfd": no such file or directory'
    )
    named = engine_refused(known)
    assert named is not known
    assert "/dev/mkfd" in named.message
    assert named.exit_code == known.exit_code


METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{{engine="0",model_name="/m"}} {running}
vllm:num_requests_waiting{{engine="0",model_name="/m"}} 0.0
vllm:prompt_tokens_total{{engine="0",model_name="/m"}} 5.0
vllm:generation_tokens_total{{engine="0",model_name="/m"}} {tokens}
"""


class Clock:
    """A clock that goes on as far as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch_module, "time", SimpleNamespace(monotonic=made))
    return made


@pytest.fixture
def watched(clock: Clock) -> Iterator[Watched]:
    """What a watched server answers, and a look at it after a while."""
    answers: dict[str, Any] = dict(VLLM)
    with answering(answers) as port:
        watch = Watch(Api("127.0.0.1", port, timeout_s=0.2), stall_s=30.0)

        def look(after_s: float, *, waits: bool | None = None) -> str | None:
            clock.now += after_s
            return watch.problem() if waits is None else watch.problem(lambda: bool(waits))

        yield answers, look


Watched = tuple[dict[str, Any], "Callable[..., str | None]"]


def test_a_server_is_not_asked_more_often_than_needed(watched: Watched) -> None:
    answers, look = watched
    answers["/health"] = 503
    assert look(0.1) is None
    assert look(0.5) == "the server says that its engine is dead"


def test_a_server_that_refuses_is_dead(clock: Clock) -> None:
    watch = Watch(Api("127.0.0.1", free_port()), stall_s=30.0)
    clock.now += 1
    assert watch.problem() == "the server no longer accepts connections"


def test_a_server_that_makes_tokens_is_slow_and_not_dead(watched: Watched) -> None:
    answers, look = watched
    for tokens in range(20):
        answers["/metrics"] = METRICS.format(running=1.0, tokens=float(tokens)).encode()
        assert look(10.0) is None


def test_a_server_that_makes_no_token_hangs(watched: Watched) -> None:
    answers, look = watched
    answers["/metrics"] = METRICS.format(running=2.0, tokens=7.0).encode()
    assert [look(10.0) for _ in range(3)] == [None] * 3
    assert look(10.0) == "the server hangs: a client is waiting, and no token has come for 30s"


def test_a_server_that_denies_its_requests_hangs_all_the_same(watched: Watched) -> None:
    answers, look = watched
    answers["/metrics"] = METRICS.format(running=0.0, tokens=7.0).encode()
    assert [look(10.0) for _ in range(4)][-1] is not None


def test_a_server_whose_client_has_sent_nothing_does_not_hang_however_long_that_takes(watched: Watched) -> None:
    answers, look = watched
    answers["/metrics"] = METRICS.format(running=0.0, tokens=7.0).encode()
    assert [look(10.0, waits=False) for _ in range(12)] == [None] * 12
    assert [look(10.0, waits=True) for _ in range(2)] == [None] * 2
    assert look(10.0, waits=True) == "the server hangs: a client is waiting, and no token has come for 30s"


def test_a_client_is_asked_only_while_no_tokens_come(clock: Clock) -> None:
    asked: list[float] = []

    def waits() -> bool:
        asked.append(clock.now)
        return True

    answers: dict[str, Any] = dict(VLLM)
    with answering(answers) as port:
        watch = Watch(Api("127.0.0.1", port, timeout_s=0.2), stall_s=30.0)
        for tokens in (*range(9), *[8] * 9):
            clock.now += 3.0
            answers["/metrics"] = METRICS.format(running=2.0, tokens=float(tokens)).encode()
            assert watch.problem(waits) is None
    assert [at - 1000.0 for at in asked] == [39.0, 42.0, 45.0, 48.0, 51.0, 54.0]


def test_a_watch_can_begin_anew(watched: Watched) -> None:
    answers, look = watched
    answers["/metrics"] = METRICS.format(running=2.0, tokens=7.0).encode()
    look(10.0)
    assert look(20.0) is None

"""The server under measurement: explained when it dies, started again in its container, waited for until it is idle."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine, exited, member_of
from samples import a_profile
from web import VLLM, answering

from orchestrator.deployment import server as module
from orchestrator.deployment.running import Deployment
from orchestrator.deployment.server import Server
from orchestrator.engine import ImageFacts
from orchestrator.errors import ServerFailed
from orchestrator.events import Event
from orchestrator.plan.container import Identity
from orchestrator.vllm.api import Api, Health
from orchestrator.vllm.phases import Phase, PhaseReached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Engine(FakeEngine):
    """An engine whose containers can be started again."""

    def restart(self, container: str, grace_s: float) -> None:
        self.asked.append(("restart", container, str(grace_s)))
        self.ended = None


class Watched:
    """A server, what it answers, and what was told of it."""

    def __init__(self, tmp_path: Path, port: int, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.told: list[Phase] = []
        self.engine = Engine(output=[b"ValueError: no\n"])
        profile = a_profile(server={"flags": {"served-model-name": "tiny"}}, health={"deadline": 30})
        deployment = Deployment(
            identity=Identity("tiny", "0a1b2c3d", str(tmp_path)),
            members=(member_of(self.engine),),
            image=ImageFacts("sha256:1", ()),
            docker_run="docker run …",
            api=Api("127.0.0.1", port, key="s3cr3t"),
            vllm_version="0.32.0",
            max_model_len=2048,
        )
        log = tmp_path / "server.log"
        self.server = Server(profile, deployment, log, self.tell, 60.0)

    def tell(self, event: Event) -> None:
        assert isinstance(event, PhaseReached)
        self.told.append(event.phase)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    answers = dict(VLLM)
    with answering(answers) as port:
        yield Watched(tmp_path, port, answers)


def test_a_healthy_server_has_not_failed(watched: Watched) -> None:
    assert not watched.server.is_dead()
    watched.server.resume_watch()
    watched.server.check_progress()
    watched.server.check_alive()
    assert watched.server.key == "s3cr3t"
    assert watched.server.peak_load() is None


def test_a_server_that_died_is_explained_from_its_container_and_its_log(watched: Watched) -> None:
    watched.answers["/health"] = 503
    watched.engine.ended = exited(1)
    assert watched.server.is_dead()
    failure = watched.server.diagnosed("the server says that its engine is dead")
    assert "ValueError: no" in str(failure.message)
    assert "serving" in failure.message


@pytest.mark.parametrize(("health", "dead"), [(Health.SILENT, False), (Health.REFUSED, True), (Health.ERROR, True)])
def test_a_server_that_does_not_answer_in_time_is_not_dead(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, health: Health, *, dead: bool
) -> None:
    monkeypatch.setattr(Api, "health", lambda _: health)
    assert watched.server.is_dead() is dead
    watched.engine.ended = exited(137)
    assert watched.server.is_dead(), "it does not answer in time, but its container has ended"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([Health.SILENT, Health.SILENT, Health.OK, Health.OK], None),
        ([Health.SILENT, Health.SILENT, Health.REFUSED], "the server has died"),
        ([Health.SILENT], "the server hangs: it has not answered for 0 s"),
    ],
)
def test_a_server_that_never_answers_hangs_and_a_busy_one_does_not(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, said: list[Health], problem: str | None
) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.01)
    looks = iter(said)
    monkeypatch.setattr(Api, "health", lambda _: next(looks, said[-1]))
    with pytest.raises(ServerFailed, match=f"^{problem}") if problem else contextlib.nullcontext():
        watched.server.check_responding()


def test_a_watched_server_that_dies_has_failed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.deployment.watch.LOOK_S", 0.0)
    watched.server.resume_watch()
    watched.answers["/health"] = 503
    with pytest.raises(ServerFailed, match=r"^the server says that its engine is dead"):
        watched.server.check_progress()
    with pytest.raises(ServerFailed, match=r"^the server has died"):
        watched.server.check_alive()


def test_a_server_is_started_again_and_waited_for(watched: Watched) -> None:
    watched.engine.over = threading.Event()
    watched.server.restart()
    watched.engine.over.set()
    assert ("restart", "c" * 64, "3.0") in watched.engine.asked
    assert (watched.told[0], watched.told[-1]) == (Phase.CONTAINER, Phase.READY)


def test_the_log_of_a_server_that_is_started_again_is_kept_whole_and_read_from_there_on(
    watched: Watched, tmp_path: Path
) -> None:
    watched.engine.over = threading.Event()
    watched.engine.earlier = [b"INFO [x.py:1] Starting vLLM API server\nRuntimeError: the first death\n"]
    watched.server.restart()
    watched.engine.over.set()
    assert watched.told == [Phase.CONTAINER, Phase.READY]
    assert (tmp_path / "server.log").read_bytes() == b"".join((*watched.engine.earlier, b"ValueError: no\n"))
    watched.engine.ended = exited(1)
    failure = watched.server.diagnosed("the server says that its engine is dead")
    assert "ValueError: no" in failure.message
    assert "the first death" not in failure.message


def test_a_server_that_does_not_come_back_has_failed(watched: Watched) -> None:
    watched.answers["/health"] = 503
    with pytest.raises(ServerFailed):
        watched.server.restart()


def load(running: float, waiting: float = 0.0) -> bytes:
    return f"vllm:num_requests_running {running}\nvllm:num_requests_waiting {waiting}\n".encode()


def test_a_server_is_waited_for_until_it_is_idle(watched: Watched) -> None:
    watched.answers["/metrics"] = load(1.0)
    threading.Timer(0.1, watched.answers.__setitem__, ["/metrics", load(0.0)]).start()
    assert watched.server.settle(30.0)[0] is True


@pytest.mark.parametrize("page", [load(1.0), load(0.0, 2.0)])
def test_a_server_that_stays_busy_is_not_waited_for_for_ever(watched: Watched, page: bytes) -> None:
    watched.answers["/metrics"] = page
    assert watched.server.settle(0.01)[0] is False


def test_a_server_that_says_nothing_is_not_taken_for_idle_and_waited_for_once(watched: Watched) -> None:
    assert watched.server.settle(0.1) == (None, None)
    assert watched.server.settle(600.0) == (None, None)
    assert watched.server.served() is None
    watched.answers["/metrics"] = load(1.0)
    threading.Timer(0.1, watched.answers.__setitem__, ["/metrics", load(0.0)]).start()
    assert watched.server.settle(30.0)[0] is True


def test_a_server_that_says_nothing_for_a_moment_is_asked_again(watched: Watched) -> None:
    threading.Timer(0.1, watched.answers.__setitem__, ["/metrics", load(0.0)]).start()
    assert watched.server.settle(30.0)[0] is True


def test_what_a_server_has_served_is_what_it_says(watched: Watched) -> None:
    watched.answers["/metrics"] = b'vllm:prompt_tokens_total{model_name="/m"} 5.0\n' + load(0.0)
    served = watched.server.served()
    assert served is not None
    assert served.prompt_tokens == 5.0
    assert watched.server.settle(30.0) == (True, served)

"""Promise T5: Every call to the engine ends by a deadline of its own, whatever other threads ask meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.engine import Engine, connect
from orchestrator.engine import client as module
from orchestrator.errors import EngineError, ImageMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION = b'{"Version": "28.0", "ApiVersion": "1.41", "MinAPIVersion": "1.24"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW_S = 0.6
SHORT_S, LONG_S = 0.2, 30.0


class Slow:
    """An engine on a socket that answers each path after a time; one that is not named is never answered."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.after_s: dict[str, float] = {"/version": 0.0}
        self.pieces: dict[str, list[bytes]] = {}
        """Chunks of a stream, after which the engine is silent."""
        self._over = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client):
            while request := client.recv(65536):
                target = request.split(b" ")[1].decode().partition("?")[0].removeprefix("/v1.41")
                if target in self.pieces:
                    client.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
                    for piece in self.pieces[target]:
                        client.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                wait_s = self.after_s.get(target)
                if self._over.wait(wait_s) or wait_s is None:
                    return
                body = VERSION if target == "/version" else b"[]"
                client.sendall(OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    engine = Slow(tmp_path / "engine.sock")
    yield engine
    engine.close()


@pytest.fixture
def engine(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(module, "CALL_S", SHORT_S)
    monkeypatch.setattr(module, "CREATE_S", LONG_S)
    with closing(connect({"DOCKER_HOST": slow.url})) as engine:
        yield engine


CALLS: dict[str, Callable[[Engine], Any]] = {
    "version": lambda engine: engine.version(),
    "image": lambda engine: engine.image("tiny:1"),
    "image_env": lambda engine: engine.image_env("tiny:1"),
    "default_runtime": lambda engine: engine.default_runtime(),
    "inspect": lambda engine: engine.inspect("c1"),
    "find": lambda engine: engine.find(["a"]),
    "logs": lambda engine: list(engine.logs("c1", follow=False)),
    "run_session": lambda engine: engine.run_session("c1", ["true"]),
    "remove": lambda engine: engine.remove("c1", 0),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_engine_that_stays_silent_is_left_at_the_deadline_of_the_call(call: str, slow: Slow, engine: Engine) -> None:
    slow.after_s.clear()
    with pytest.raises(EngineError, match="did not answer in time"):
        CALLS[call](engine)


def test_a_call_that_may_take_long_does_not_lend_its_deadline_to_one_beside_it(slow: Slow, engine: Engine) -> None:
    slow.after_s["/containers/c1/start"] = SLOW_S
    starting = threading.Thread(target=engine.start, args=("c1",))
    starting.start()
    time.sleep(SHORT_S / 2)
    began = time.monotonic()
    with pytest.raises(EngineError, match="did not answer in time while listing"):
        engine.find(["a"])
    assert time.monotonic() - began < LONG_S / 2
    starting.join()


def test_a_short_call_does_not_cut_the_one_beside_it_short(slow: Slow, engine: Engine) -> None:
    slow.after_s |= {"/containers/json": 0.0, "/containers/c1/start": SLOW_S}
    failed: list[BaseException] = []

    def start() -> None:
        try:
            engine.start("c1")
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failed.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    while starting.is_alive():
        assert engine.find(["a"]) == []
    assert failed == [], "it may take longer than the short ones that came and went meanwhile"


def test_the_grace_of_a_stop_is_added_to_its_deadline(slow: Slow, engine: Engine) -> None:
    slow.after_s |= {"/containers/c1/stop": SLOW_S, "/containers/c1": 0.0}
    engine.remove("c1", 1.0)


def test_a_pull_that_says_nothing_more_is_given_up(slow: Slow, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PULL_SILENCE_S", SHORT_S)
    said: list[str] = []
    slow.pieces["/images/create"] = [b'{"status": "Pulling fs layer"}\r\n']
    with pytest.raises(ImageMissing, match="cannot be pulled: the Docker engine did not answer in time"):
        engine.pull("tiny:1", 60.0, said.append)
    assert said == ["Pulling fs layer"]

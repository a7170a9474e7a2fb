"""T8: the lines to and from a process in a container, over a real connection that speaks docker's framing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import eventually

from orchestrator.engine import ExecSession
from orchestrator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT, STDERR = 1, 2


def frame(stream: int, payload: bytes) -> bytes:
    """What the engine sends for a piece of output: a head of eight bytes, and the piece."""
    return struct.pack(">BxxxL", stream, len(payload)) + payload


class Connection:
    """What docker-py hands out for an exec: a socket, and the buffer that read the head of the response."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        buffer = sock.makefile("rb")
        raw = type("Raw", (), {"_fp": type("Fp", (), {"fp": buffer})})
        self._response = type("Response", (), {"raw": raw})
        self._buffer = buffer

    def close(self) -> None:
        self._buffer.close()
        self._sock.close()


class Talk:
    """A session and the far end of its connection."""

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        self.session = ExecSession(Connection(near))

    def end(self) -> None:
        self.far.close()
        self.session.close()


@pytest.fixture
def talk() -> Iterator[Talk]:
    made = Talk()
    yield made
    made.end()


def test_lines_go_to_the_process(talk: Talk) -> None:
    talk.session.send(b'{"id": 1}')
    talk.session.send(b"two")
    assert talk.far.recv(100) == b'{"id": 1}\ntwo\n'


def test_lines_come_from_the_process_however_they_are_framed(talk: Talk) -> None:
    talk.far.sendall(frame(STDOUT, b"one\ntw") + frame(STDOUT, b"o\n") + frame(STDOUT, b"\n") + frame(STDOUT, b"3\n"))
    assert [talk.session.receive(30) for _ in range(4)] == [b"one", b"two", b"", b"3"]


def test_errors_are_kept_apart(talk: Talk) -> None:
    talk.far.sendall(
        frame(STDERR, b"warning\n") + frame(STDOUT, b"li") + frame(STDERR, b"more\n") + frame(STDOUT, b"ne\n")
    )
    assert talk.session.receive(30) == b"line"
    assert bytes(talk.session.errors) == b"warning\nmore\n"


def test_a_wait_has_a_deadline(talk: Talk) -> None:
    talk.far.sendall(frame(STDOUT, b"no end"))
    with pytest.raises(TimeoutError):
        talk.session.receive(0.01)


def test_the_end_of_the_output_is_told_as_often_as_it_is_asked_for(talk: Talk) -> None:
    talk.far.sendall(frame(STDOUT, b"last\n"))
    talk.far.close()
    assert [talk.session.receive(30) for _ in range(3)] == [b"last", None, None]


@pytest.mark.parametrize("torn", [b"\1\0\0", frame(STDOUT, b"whole")[:-2]])
def test_a_torn_frame_is_the_end_of_the_output(talk: Talk, torn: bytes) -> None:
    talk.far.sendall(torn)
    talk.far.close()
    assert talk.session.receive(30) is None


def test_closing_ends_the_process_s_input(talk: Talk) -> None:
    talk.session.close()
    assert talk.far.recv(100) == b""
    assert talk.session.receive(30) is None
    talk.session.close()


def test_sending_to_a_process_that_is_gone_is_an_engine_error(talk: Talk) -> None:
    talk.far.close()

    def refused() -> bool:
        try:
            talk.session.send(b"x" * 1000)
        except EngineError as error:
            return "the process in the container is gone" in error.message
        return False

    eventually(refused, "sending is refused")


@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=50)), max_size=8), st.integers(0, 500))
def test_whatever_is_said_arrives_whole(said: list[tuple[int, bytes]], cut: int) -> None:
    talk = Talk()
    wire = b"".join(frame(stream, payload) for stream, payload in said)
    talk.far.sendall(wire[:cut])
    talk.far.sendall(wire[cut:])
    talk.far.close()
    lines = list(iter(lambda: talk.session.receive(30), None))
    out = b"".join(payload for stream, payload in said if stream == STDOUT)
    assert lines == out.split(b"\n")[:-1]
    assert bytes(talk.session.errors) == b"".join(payload for stream, payload in said if stream == STDERR)
    talk.end()


def test_a_process_that_reads_nothing_ends_the_wait_of_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """However full the pipe is, no write waits for ever."""
    monkeypatch.setattr("orchestrator.engine.session.SEND_S", 1)
    talk = Talk()
    with pytest.raises(EngineError, match="has read nothing for 1 s") as caught:
        talk.session.send(b"x" * 10_000_000)
    assert "docker ps" in str(caught.value.hint)
    talk.end()


def test_a_connection_that_is_its_own_buffer_will_do() -> None:
    near, far = socket.socketpair()
    reader = near.makefile("rb")

    class Plain:
        read1 = reader.read1
        settimeout = near.settimeout
        setsockopt = near.setsockopt
        sendall = near.sendall
        shutdown = near.shutdown

        def close(self) -> None:
            reader.close()
            near.close()

    session = ExecSession(Plain())
    far.sendall(frame(STDOUT, b"line\n"))
    assert session.receive(30) == b"line"
    session.send(b"back")
    assert far.recv(10) == b"back\n"
    session.close()
    far.close()

"""An engine that is not on this machine is refused: what orch finds out here would not hold there."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.engine import connect
from orchestrator.engine.address import check_is_here, is_own_host
from orchestrator.errors import EngineError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable


def resolving(names: dict[str, list[str]]) -> Callable[..., list[tuple[Any, ...]]]:
    """Return what looks names up in a table instead of on the network."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, **kinds: int) -> list[tuple[Any, ...]]:
        if host in names:
            return [found for address in names[host] for found in real(address, port, **kinds)]
        if host.replace(".", "").isdecimal() or ":" in host:
            return list(real(host, port, **kinds))
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    return look_up


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"here": ["127.0.1.1"], "away": ["192.0.2.7"], "both": ["127.0.0.1", "192.0.2.7"]}
    monkeypatch.setattr(socket, "getaddrinfo", resolving(table))


@pytest.mark.parametrize(
    "url",
    [
        "unix:///var/run/docker.sock", "unix://docker.sock", "http+unix:///run/user/1000/docker.sock",
        "tcp://127.0.0.1:2375", "tcp://127.8.9.1:2376", "tcp://localhost:2375", "TCP://LOCALHOST:2375",
        "tcp://[::1]:2375", "tcp://0.0.0.0:2375", "tcp://here:2375", "http://127.0.0.1:1", "https://localhost:1",
        ":2375", "127.0.0.1:2375",
    ],
)  # fmt: skip
def test_an_engine_of_this_machine_is_fine(url: str) -> None:
    check_is_here(url)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://gpu2", "ssh://gpu2:2222", "SSH://gpu2", "ssh://localhost", "tcp://192.0.2.7:2375",
        "tcp://192.0.2.7", "tcp://[2001:db8::7]:2376", "http://192.0.2.7:2375", "https://away:2376", "tcp://away:2375",
        "away:2375", "192.0.2.7:2375", "tcp://both:2375", "tcp://unknown.example:2375",
    ],
)  # fmt: skip
def test_an_engine_of_another_machine_is_refused(url: str) -> None:
    with pytest.raises(EngineError, match="is not on this machine") as refused:
        check_is_here(url)
    assert url in refused.value.message
    assert "unset DOCKER_HOST" in refused.value.hint
    assert refused.value.exit_code == ExitCode.ENVIRONMENT


def test_it_is_refused_before_anything_is_sent_there() -> None:
    with pytest.raises(EngineError, match="is not on this machine"):
        connect({"DOCKER_HOST": "tcp://192.0.2.7:2375"})


def test_a_user_and_a_password_are_not_repeated() -> None:
    with pytest.raises(EngineError) as refused:
        check_is_here("ssh://somebody:canary@gpu2")
    assert "ssh://gpu2 " in refused.value.message
    assert "canary" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("url", ["tcp://[::1", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:docker", "a:b:c"])
def test_what_is_no_address_is_refused_as_that(url: str) -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST is no address of a Docker engine"):
        check_is_here(url)


def test_an_address_of_a_card_of_this_machine_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets to an own address come from that very address; those to another machine do not."""

    class Probe(contextlib.AbstractContextManager["Probe"]):
        def __init__(self, *_: object) -> None:
            self.peer = ""

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, address: tuple[str, int]) -> None:
            self.peer = address[0]

        def getsockname(self) -> tuple[str, int]:
            return "192.0.2.7", 40000

        def getpeername(self) -> tuple[str, int]:
            return self.peer, 1

    monkeypatch.setattr(socket, "socket", Probe)
    assert is_own_host("away")
    assert not is_own_host("192.0.2.8")

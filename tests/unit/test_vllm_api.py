"""What a server on this machine is asked, and what counts as an answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from web import VLLM, answering, free_port, saying

from orchestrator.vllm.api import Api, Health, ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_a_healthy_server_tells_its_models_and_its_version() -> None:
    with answering(VLLM) as port:
        api = Api("127.0.0.1", port)
        assert api.healthy()
        assert api.models() == [ServedModel("tiny", "/models/tiny", 2048)]
        assert api.version() == "0.32.0"


def test_a_server_that_does_not_listen_yet_is_not_healthy() -> None:
    api = Api("127.0.0.1", free_port())
    assert (api.healthy(), api.models(), api.version()) == (False, [], None)


@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_a_server_whose_engine_is_dead_is_not_healthy(status: int) -> None:
    with answering({**VLLM, "/health": status}) as port:
        assert not Api("127.0.0.1", port).healthy()


@pytest.mark.parametrize(
    "greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]
)
def test_a_server_that_does_not_speak_http_is_not_healthy(greeting: bytes) -> None:
    with saying(greeting) as port:
        api = Api("127.0.0.1", port)
        assert (api.healthy(), api.models(), api.version()) == (False, [], None)


def test_a_server_that_hangs_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = Api("127.0.0.1", silent.getsockname()[1], timeout_s=0.1)
        assert (api.healthy(), api.models(), api.version()) == (False, [], None)


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"", b"\xff\xfe", b"[]", b"null", b'"models"', {}, {"data": []}, {"data": ["tiny", {"name": "x"}]}],
)
def test_a_server_that_is_not_vllm_offers_nothing(answer: bytes | dict[str, Any]) -> None:
    with answering({"/v1/models": answer, "/version": answer}) as port:
        api = Api("127.0.0.1", port)
        assert (api.models(), api.version()) == ([], None)


def test_an_old_server_that_says_less_is_understood() -> None:
    with answering({"/v1/models": {"data": [{"id": 5}]}}) as port:
        assert Api("127.0.0.1", port).models() == [ServedModel("5", None, None)]


def test_the_url_of_an_address_of_ip_version_6_has_brackets() -> None:
    assert Api("::1", 8000).url == "http://[::1]:8000"
    assert Api("127.0.0.1", 8000).url == "http://127.0.0.1:8000"


def test_a_busy_server_is_told_from_a_dead_one() -> None:
    with answering(VLLM) as port:
        assert Api("127.0.0.1", port).health() is Health.OK
    assert Api("127.0.0.1", port).health() is Health.REFUSED
    with answering({"/health": 503}) as port:
        assert Api("127.0.0.1", port).health() is Health.ERROR
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert Api("127.0.0.1", silent.getsockname()[1], timeout_s=0.1).health() is Health.SILENT


def test_a_server_that_wants_a_key_is_shown_it() -> None:
    def guarded(headers: Mapping[str, str]) -> int:
        return 200 if headers.get("Authorization") == "Bearer s3cr3t" else 401

    with answering({"/health": guarded}) as port:
        assert Api("127.0.0.1", port, key="s3cr3t").healthy()
        assert not Api("127.0.0.1", port, key="other").healthy()
        assert not Api("127.0.0.1", port).healthy()


@pytest.mark.parametrize("answers", [{}, {"/metrics": 500}])
def test_a_server_that_has_no_metrics_says_nothing(answers: dict[str, Any]) -> None:
    with answering(answers) as port:
        assert Api("127.0.0.1", port).samples() is None
    assert Api("127.0.0.1", port).samples() is None


def test_a_server_tells_its_samples() -> None:
    with answering({"/metrics": b"process_open_fds 42.0\n"}) as port:
        assert (Api("127.0.0.1", port).samples() or {})["process_open_fds"] == 42.0

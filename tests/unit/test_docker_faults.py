"""Promise T5: whatever the engine or the way to it answers is one kind of error, in words that say what to do."""

from __future__ import annotations

import gc
import socket
from typing import TYPE_CHECKING

import docker
import docker.errors
import pytest
import requests
import requests.exceptions
import urllib3.exceptions
from web import answering, saying

from orchestrator.engine import connect
from orchestrator.engine.faults import ENGINE_HINT, innermost, translated
from orchestrator.errors import EngineError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFUSALS = [
    (docker.errors.APIError("500", explanation="no space left"), "refused trying: no space left"),
    (docker.errors.APIError("409 Conflict"), "refused trying: 409 Conflict"),
]
SILENCES = [
    requests.exceptions.ReadTimeout("read timed out"),
    requests.exceptions.ConnectTimeout("connect timed out"),
    urllib3.exceptions.ReadTimeoutError(None, "/", "read timed out"),  # type: ignore[arg-type]
]
ABSENCES = [
    (docker.errors.DockerException("Error while fetching server API version"), "Error while fetching"),
    (docker.errors.TLSParameterError("no certificate"), "no certificate"),
    (requests.exceptions.ConnectionError("Connection aborted."), "Connection aborted."),
    (urllib3.exceptions.ProtocolError("Connection broken"), "Connection broken"),
    (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
    (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
]


def raised(error: Exception) -> EngineError:
    with pytest.raises(EngineError) as caught, translated("trying"):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    return caught.value


@pytest.mark.parametrize(("error", "words"), REFUSALS, ids=str)
def test_an_answer_of_the_engine_keeps_its_own_words(error: Exception, words: str) -> None:
    assert raised(error).message == f"the Docker engine {words}"


@pytest.mark.parametrize("error", SILENCES, ids=lambda error: type(error).__name__)
def test_an_engine_that_does_not_answer_in_time_is_said_to_hang(error: Exception) -> None:
    fault = raised(error)
    assert fault.message == "the Docker engine did not answer in time while trying"
    assert "journalctl" in fault.hint


@pytest.mark.parametrize(("error", "words"), ABSENCES, ids=lambda value: type(value).__name__)
def test_an_engine_that_is_not_there_is_said_not_to_answer(error: Exception, words: str) -> None:
    fault = raised(error)
    assert fault.message.startswith(f"no Docker engine answers while trying: {words}")
    assert fault.hint == ENGINE_HINT


def test_what_is_not_there_is_left_to_those_who_know_what_it_is() -> None:
    with pytest.raises(docker.errors.NotFound), translated("trying"):
        raise docker.errors.NotFound("no such image")


def test_other_errors_are_not_the_engine_s() -> None:
    with pytest.raises(KeyError), translated("trying"):
        raise KeyError("mine")
    with translated("trying"):
        pass


def test_the_root_of_a_chain_of_errors_is_what_is_told() -> None:
    root = FileNotFoundError(2, "No such file or directory")
    aborted = urllib3.exceptions.ProtocolError("Connection aborted.", root)
    assert innermost(requests.exceptions.ConnectionError(aborted)) == "No such file or directory"
    assert innermost(ValueError("only this")) == "only this"


@pytest.fixture
def _leaky() -> Iterator[None]:
    """docker-py leaves the socket of a failed connection to the garbage collector; it is called while that may be."""
    yield
    gc.collect()


leaky = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@leaky
@pytest.mark.usefixtures("_leaky")
def test_a_socket_that_is_not_there_is_told_in_the_system_s_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No such file or directory"):
        connect({"DOCKER_HOST": f"unix://{tmp_path}/no.sock"})


@pytest.mark.parametrize(
    "greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"]
)
def test_something_that_is_no_engine_is_an_engine_error(greeting: bytes) -> None:
    with saying(greeting) as port, pytest.raises(EngineError):
        connect({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})


def test_an_engine_that_hangs_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.engine.client.CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(EngineError, match="did not answer in time"):
        connect({"DOCKER_HOST": f"tcp://127.0.0.1:{silent.getsockname()[1]}"})


def test_an_engine_that_answers_is_connected_to() -> None:
    with answering(
        {"/version": {"ApiVersion": "1.41", "Version": "20.10"}, "/v1.41/version": {"Version": "20.10"}}
    ) as port:
        engine = connect({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})
        assert engine.version() == "20.10"
        assert engine.url == f"tcp://127.0.0.1:{port}"
        engine.close()

"""T8, C1: without an engine every command ends with exit code 3 and says what to try; one that hangs hangs nobody."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from engine.kit.silent import Silent
from engine.kit.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

COMMANDS = (
    ("up", "stub"), ("run", "stub"), ("bench",), ("bench", "stub"), ("down",), ("down", "--all"), ("status",),
    ("ps",), ("ps", "--json"), ("logs",), ("gc",),
)  # fmt: skip
HINT = "      Is it running, and may you use it?  Try: docker version   (group docker, or DOCKER_HOST)\n"


@pytest.fixture
def away(orch: Orch) -> Orch:
    """Give the command a profile, and an engine whose socket does not exist."""
    name = orch.profile("stub")
    (orch.profiles / f"{name}.yaml").rename(orch.profiles / "stub.yaml")
    orch.variables = {**orch.variables, "DOCKER_HOST": f"unix://{orch.folder}/engine.sock"}
    return orch


@pytest.fixture
def silent(away: Orch) -> Iterator[Orch]:
    """Put something there that accepts and never answers."""
    listener = Silent(away.folder / "engine.sock")
    yield away
    listener.close()


def test_no_engine(away: Orch) -> None:
    url = away.variables["DOCKER_HOST"]
    problem = f"orch: no Docker engine answers while connecting to {url}: No such file or directory\n"
    for words, done in together(lambda words: away(*words), COMMANDS).items():
        assert (words, done.returncode, done.stdout, done.stderr) == (words, 3, "", problem + HINT)
    assert not away.runs.exists()


def test_an_engine_that_is_dead(away: Orch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{away.folder}/engine.sock")
    done = away("ps")
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].endswith("engine.sock: Connection refused")


def test_an_engine_elsewhere_that_refuses(away: Orch) -> None:
    done = away("ps", env={**away.environ(), "DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"orch: no Docker engine answers while connecting to tcp://127.0.0.1:1: Connection refused\n{HINT}"
    )


def test_an_address_that_is_none(away: Orch) -> None:
    done = away("ps", env={**away.environ(), "DOCKER_HOST": "nonsense"})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("orch: no Docker engine answers while connecting to nonsense: ")


def test_an_engine_of_another_machine_is_refused_by_what_starts_or_judges_something(away: Orch) -> None:
    remote = {**away.environ(), "DOCKER_HOST": "ssh://me@gpu2"}
    problem = (
        "orch: the Docker engine ssh://gpu2 is not on this machine: orch looks at devices, ports, locks, leases and "
        "health on the machine that it runs on\n"
        "      Run orch on that machine, or use the engine of this one: unset DOCKER_HOST, or "
        "DOCKER_HOST=unix:///var/run/docker.sock\n"
    )
    for words, done in together(lambda words: away(*words, env=remote), COMMANDS).items():
        assert (words, done.returncode, done.stdout, done.stderr) == (words, 3, "", problem)
    assert not away.runs.exists()
    for words in (("plan", "stub"), ("profile", "lint", "stub"), ("results", "list"), ("up", "stub", "--dry-run")):
        assert (words, away(*words, env=remote).returncode) == (words, 0)


def test_an_engine_whose_certificates_are_missing(away: Orch) -> None:
    tls = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(away.folder)}
    done = away("ps", env={**away.environ(), **tls})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("orch: no Docker engine answers while connecting to tcp://127.0.0.1:1: ")
    assert "client_cert" in done.stderr
    assert done.stderr.endswith(HINT)


def test_an_engine_that_accepts_and_never_answers(silent: Orch) -> None:
    for words, done in together(lambda words: silent(*words), COMMANDS, len(COMMANDS)).items():
        assert (words, done.returncode, done.stdout) == (words, 3, "")
        assert done.stderr.startswith("orch: the Docker engine did not answer in time while connecting to ")
        assert "does not answer" in done.stderr


def test_an_engine_that_knows_its_version_and_nothing_else(away: Orch) -> None:
    listener = Silent(away.folder / "engine.sock", knows_version=True)
    try:
        ended = together(lambda words: away(*words), COMMANDS, len(COMMANDS))
    finally:
        listener.close()
    for words, done in ended.items():
        assert (words, done.returncode, done.stdout) == (words, 3, "")
        assert done.stderr.startswith("orch: the Docker engine did not answer in time while listing containers\n")
    assert not away.runs.exists()


def test_an_image_that_cannot_be_asked_for_that_reason(away: Orch) -> None:
    done = away("profile", "lint", "stub", "--image")
    assert done.returncode == 3
    assert done.stderr.startswith("stub: container.image — no Docker engine answers while connecting to ")
    assert "Try: docker version" in done.stderr
    (checked,) = json.loads(away("profile", "lint", "stub", "--image", "--json").stdout)["profiles"]
    assert (checked["faults"], checked["vllm_version"]) == ([], None)
    assert checked["not_asked"] in done.stderr
    faulty = away("profile", "lint", "stub", "--image", "--set", "container.image=5")
    assert faulty.returncode == 2, "a fault counts more"


def test_completion_of_deployments_is_silent_about_it(away: Orch) -> None:
    asked = {"_ORCH_COMPLETE": "bash_complete", "COMP_WORDS": "orch down ", "COMP_CWORD": "2"}
    done = away(env={**away.environ(), **asked})
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_what_needs_no_engine_works_without_one(away: Orch) -> None:
    assert "docker run --detach" in away.ok("plan", "stub")
    assert away.json("plan", "stub")["kind"] == "plan"
    for words in (
        ("profile", "list"), ("profile", "show", "stub"), ("profile", "lint", "stub"), ("profile", "schema"),
        ("results", "list"), ("up", "stub", "--dry-run"), ("run", "stub", "--dry-run"), ("--help",), ("--version",),
    ):  # fmt: skip
        away.ok(*words)

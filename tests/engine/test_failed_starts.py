"""F1: a start that fails says why and where the log is, ends at once, with the right code, and leaves nothing."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.command import STUB, free_port
from engine.kit.together import together

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

ABSENT = "127.0.0.1:1/orch/absent:1"
"""An image in a registry that refuses connections."""


@dataclass(frozen=True)
class Failure:
    """A profile that cannot come up, and what is said about it."""

    code: int
    says: tuple[str, ...]
    server: dict[str, Any] = field(default_factory=dict)
    container: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    log: bool = False
    """The server ran, so there is a log, its last lines are shown, and its path is named."""


TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1\nRuntimeError: the stub\'s own words'
FAILURES = {
    "exits early": Failure(
        1,
        ("exited with code 3", "RuntimeError: the stub's own words"),
        {"env": {"STUB_EXIT_PHASE": "memory", "STUB_EXIT_CODE": "3", "STUB_LOG_TEXT": TRACE}},
        log=True,
    ),
    "exits with 0": Failure(
        1, ("exited with code 0",), {"env": {"STUB_EXIT_PHASE": "api", "STUB_EXIT_CODE": "0"}}, log=True
    ),
    "exits at the last moment": Failure(1, ("exited with code 1",), {"env": {"STUB_EXIT_PHASE": "http"}}, log=True),
    "model path missing": Failure(1, ("/missing/model",), {"model": "/missing/model"}, log=True),
    "never healthy": Failure(
        1,
        ("not healthy when its time was up", "health.deadline"),
        {"env": {"STUB_PHASE_HANG": "memory"}},
        health={"deadline": "4s"},
        log=True,
    ),
    "accepts and never answers": Failure(
        1,
        ("not healthy when its time was up",),
        {"env": {"STUB_HANG_AFTER_REQUESTS": "0"}},
        health={"deadline": "5s"},
        log=True,
    ),
    "another model answers": Failure(
        1, ("offers somebody/elses, not /opt/models/stub",), {"env": {"STUB_MODEL_ID": "somebody/elses"}}
    ),
    "no such command": Failure(1, ("no-such-program",), {"command": ["no-such-program"]}, log=True),
    "image never pulled": Failure(3, (f"the image {ABSENT} is not on this node",), {}, {"image": ABSENT}),
    "image not pullable": Failure(
        3, (f"the image {ABSENT} is not on this node and cannot be pulled", "refused"), {},
        {"image": ABSENT, "pull": "missing"},
    ),
    "image always pulled": Failure(3, (ABSENT,), {}, {"image": ABSENT, "pull": "always"}),
    "device missing": Failure(3, ("/dev/kfd does not exist",), {}, {"devices": ["/dev/kfd"], "holds": []}),
    "mount source missing": Failure(3, ("/no/such/folder does not exist",), {}, {"mounts": ["/no/such/folder:/x"]}),
    "runtime missing": Failure(3, ("no-such-runtime",), {}, {"runtime": "no-such-runtime", "holds": []}),
    "network missing": Failure(3, ("no-such-network",), {}, {"network": "no-such-network"}),
    "gpus missing": Failure(3, ("gpu",), {}, {"gpus": "all", "holds": []}),
    "host that is no name": Failure(2, ("server.host",), {"host": "no.such.host.invalid"}),
    "secret not set": Failure(
        3, ("the secret TOKEN comes from the variable ORCH_TEST_UNSET, which is not set",),
        {"env": {"TOKEN": {"from_env": "ORCH_TEST_UNSET"}}},
    ),
    "secret's file missing": Failure(
        3, ("the secret TOKEN comes from the file /no/such/file, which cannot be read: No such file or directory",),
        {"env": {"TOKEN": {"from_file": "/no/such/file"}}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def failed(module_orch: Orch) -> dict[str, subprocess.CompletedProcess[str]]:
    """Try all of them side by side."""

    def attempt(label: str) -> subprocess.CompletedProcess[str]:
        failure = FAILURES[label]
        sections = {"server": failure.server, "container": failure.container, "health": failure.health}
        return module_orch("up", module_orch.profile(profile_label(label), **sections))

    return together(attempt, FAILURES, 6)


@pytest.mark.parametrize("label", FAILURES)
def test_a_start_that_fails_is_named_and_leaves_nothing(
    label: str, failed: dict[str, subprocess.CompletedProcess[str]], module_orch: Orch
) -> None:
    failure, done = FAILURES[label], failed[label]
    assert done.returncode == failure.code, done.stderr
    assert done.stdout == ""
    told = done.stderr[done.stderr.index("orch: ") :]
    for text in failure.says:
        assert text in told
    assert "a fault of orch itself" not in told
    assert len(told.splitlines()) > 1, "what to do next is said"
    name = f"{module_orch.prefix}-{profile_label(label)}"
    assert containers.listed(name) == []
    assert not list((module_orch.state / "deployments").glob(f"{name}-*"))
    if failure.log:
        log = next((module_orch.state / "logs").glob(f"{name}-*.log"))
        assert str(log) in told
        lines = [line.rpartition("] ")[2] for line in log.read_text(encoding="utf-8").splitlines()]
        said = [line.removeprefix("INFO:").strip() for line in lines]
        assert any(line in told for line in filter(None, said)), "what the server said last is shown"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_a_port_that_is_taken(network: str, orch: Orch, taken: int) -> None:
    done = orch("up", orch.profile("port", server={"port": taken}, container={"network": network}))
    assert done.returncode == 3
    assert f"orch: port {taken} on 127.0.0.1 is in use\n" in done.stderr
    assert f"--set server.port={taken + 1}" in done.stderr


def test_a_container_name_that_is_taken_by_somebody_elses_container(orch: Orch) -> None:
    name = orch.profile("name")
    foreign = containers.docker("create", "--name", f"orch-{name}", STUB).strip()
    try:
        done = orch("up", name)
        assert done.returncode == 75, done.stderr
        assert f"a container named orch-{name} exists" in done.stderr
        assert "is down" not in orch("down", name).stdout
        assert containers.inspect(f"orch-{name}")["Id"] == foreign
    finally:
        containers.docker("rm", "--force", foreign)


def test_a_failed_run_says_so_in_its_record_and_keeps_the_log(orch: Orch) -> None:
    name = orch.profile("run", server={"env": {"STUB_EXIT_PHASE": "memory", "STUB_LOG_TEXT": TRACE}})
    done = orch("run", name)
    assert done.returncode == 1
    manifest = orch.manifest_of(name)
    assert manifest["state"] == "failed"
    assert "exited with code 1" in manifest["reason"]
    log = orch.run_of(name) / "logs" / "server.log"
    assert TRACE in log.read_text(encoding="utf-8")
    assert str(log) in done.stderr
    assert containers.listed(name) == []


def test_a_server_killed_for_memory_is_called_that(orch: Orch) -> None:
    eat = {"STUB_EAT_MEMORY_MB": "200"}
    done = orch("up", orch.profile("oom", server={"env": eat}, container={"memory": "64m"}))
    assert done.returncode == 1
    assert "memory" in done.stderr
    assert "container.memory" in done.stderr


def profile_label(label: str) -> str:
    return label.replace(" ", "-").replace("'", "")

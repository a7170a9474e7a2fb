"""What all rings share: the installed command in folders of its own, and the checks of the engine and its images.

A missing engine or image is a failure with the command that mends it, never a skipped test. Every test leaves the node
as it found it; so does the whole session, and a container that is not orch's is there to prove it.
"""

from __future__ import annotations

import itertools
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from engine.kit import containers
from engine.kit.command import STUB, Orch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from engine.kit.private_engine import PrivateEngine

REAL_IMAGES = ("orch-cpu:0.32.0", "orch-cpu:0.8.5")
CLIENT_IMAGES = ("orch-client:0.9.2", "orch-client:0.11.2", "orch-client:0.14.1", "orch-client:0.33.0")
WATCHDOGS_S = 90.0
"""The watchdog of a killed orch looks for latecomers for 20 s; this is long enough on any machine."""
SOURCED_IMAGES = ("orch-sourced:0.8.5", "orch-sourced:0.32.0")
FAILED = pytest.StashKey[bool]()


@dataclass
class Session:
    """What this session calls its own."""

    prefix: str
    """Names of all its deployments begin with it."""
    folder: Path
    cleanup: ExitStack = field(default_factory=ExitStack)
    """What is needed until the last watchdog has ended."""
    count: itertools.count[int] = field(default_factory=itertools.count)

    def orch(self, label: str) -> Orch:
        """Return the command for one test."""
        number = next(self.count)
        folder = self.folder / f"{number}-{label[:40]}"
        folder.mkdir()
        return Orch(folder, f"{self.prefix}-{number}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Take back what every child of a background job inherits: that INT and QUIT are ignored."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Name what this session makes."""
    return Session(f"t{secrets.token_hex(3)}", tmp_path_factory.mktemp("orch"))


@pytest.fixture(scope="session")
def engine(session: Session) -> Iterator[None]:
    """Say that the engine answers; at the end, that nothing of this session is on it and nothing runs any more."""
    need(["docker", "version"], "no Docker engine answers", "dockerd >/tmp/dockerd.log 2>&1 &   (as root)")
    yield
    with session.cleanup:
        end = time.monotonic() + WATCHDOGS_S
        while (watchdogs := running_watchdogs(session)) and time.monotonic() < end:
            time.sleep(0.2)
        left = containers.listed(session.prefix)
        containers.remove(left)
        assert not watchdogs, "watchdogs that do not end"
        assert not left, "containers of this session"


@pytest.fixture(scope="session")
def stub_node(session: Session, engine: None) -> Iterator[None]:
    """Provide the stub's image, beside a container that looks like ours and is not."""
    need(["docker", "image", "inspect", STUB], f"the image {STUB} is missing", f"{sys.executable} docker/build.py stub")
    name = f"orch-{session.prefix}-foreign"
    containers.docker("run", "--detach", "--init", "--name", name, STUB, "sleep", "infinity")
    before = containers.inspect(name)
    yield
    after = containers.inspect(name)
    containers.docker("rm", "--force", name)
    assert (after["Id"], after["State"]) == (before["Id"], before["State"]), "orch touched a container that is not its"


@pytest.fixture(scope="session")
def vllm_node(engine: None) -> None:
    """Provide the images with real vLLM."""
    need_images(REAL_IMAGES)


@pytest.fixture(scope="session")
def client_images(engine: None) -> None:
    """Provide the images with clients of releases in between."""
    need_images(CLIENT_IMAGES)


@pytest.fixture(scope="session")
def sourced_images(engine: None) -> None:
    """Provide the images whose vLLM imports only after a file was sourced."""
    need_images(SOURCED_IMAGES)


@pytest.fixture(scope="session")
def needs_image(engine: None) -> Callable[[str], None]:
    """Return what fails, with what builds it, if an image of the project is missing."""
    return lambda image: need_images((image,))


@pytest.fixture
def orch(request: pytest.FixtureRequest, session: Session) -> Iterator[Orch]:
    """Return the installed command with folders and names that belong to this test alone."""
    yield from provide(request, session, request.node.name)


@pytest.fixture(scope="module")
def module_orch(request: pytest.FixtureRequest, session: Session) -> Iterator[Orch]:
    """Return the installed command for what the tests of a module look at together."""
    yield from provide(request, session, Path(request.node.name).stem)


def provide(request: pytest.FixtureRequest, session: Session, label: str) -> Iterator[Orch]:
    """Yield the command; afterwards nothing of its deployments may be there."""
    engines = {"engine": "stub_node", "e2e": "vllm_node"}
    needed = [node for marker, node in engines.items() if request.node.get_closest_marker(marker)]
    for node in needed:
        request.getfixturevalue(node)
    orch = session.orch(label)
    yield orch
    for started in orch.started:
        started.kill()
    if not needed:
        return
    left = containers.listed(f"{orch.prefix}-")
    containers.remove(left)
    assert not left or request.node.stash.get(FAILED, False), f"left behind: {left}"


@pytest.fixture
def proxied(session: Session) -> Callable[..., object]:
    """Return a maker of ways to the engine that can be slow; they last as long as the session."""
    from engine.kit.proxy import Proxy

    def make(create_delay_s: float = 0.0, refuses: str = "\0") -> Proxy:
        proxy = Proxy(session.folder / f"engine{next(session.count)}.sock", create_delay_s, refuses)
        session.cleanup.callback(proxy.close)
        return proxy

    return make


def need_images(images: Iterable[str]) -> None:
    """Fail with what builds it if an image is missing."""
    for image in images:
        name, _, version = image.partition(":")
        build = f"{sys.executable} docker/build.py {name.removeprefix('orch-')} --vllm-version {version}"
        need(["docker", "image", "inspect", image], f"the image {image} is missing", build)


def need(command: list[str], problem: str, remedy: str) -> None:
    """Fail with what mends it unless a command succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
        said, ok = done.stderr.strip(), done.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, ok = str(error), False
    if not ok:
        pytest.fail(f"{problem}: {said}\nTry: {remedy}", pytrace=False)


def running_watchdogs(session: Session) -> list[psutil.Process]:
    """Return the watchdogs of this session's commands."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "orchestrator.deployment.watchdog" in words and str(session.folder) in words[-1]:
            found.append(process)
    return found


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivateEngine]:
    """Provide a second engine with the stub's image and nothing else."""
    from engine.kit.private_engine import PrivateEngine

    found = PrivateEngine(tmp_path)
    found.start()
    try:
        found.load_stub()
        yield found
    finally:
        found.end()

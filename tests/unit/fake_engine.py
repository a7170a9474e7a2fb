"""A stand-in for an engine: containers in memory, and what goes wrong with real ones when the test says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samples import RECORDED

from orchestrator.deployment.lease import Tenure
from orchestrator.deployment.registry import Listed
from orchestrator.engine import Engine, Found, ImageFacts, State
from orchestrator.errors import EngineError
from orchestrator.node.node import Member, Node
from orchestrator.plan import labels

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.plan.container import ContainerSpec

URL = "unix:///fake.sock"
GONE = EngineError("no Docker engine answers", "Is it running?")


def a_container(launch: str, number: int = 1, status: str = "running", **more: str) -> Found:
    """A container of a launch, as an engine lists it."""
    known = {labels.DEPLOYMENT: "tiny", labels.LAUNCH: launch, **more}
    return Found(f"{number:064x}", f"orch-tiny-{number}", status, float(number), known)


def deployed(name: str, folder: Path, *, number: int = 1, status: str = "running", holds: str = "") -> Found:
    """A container of a deployment with a folder."""
    known = {
        labels.DEPLOYMENT: name,
        labels.LAUNCH: folder.name.rpartition("-")[2],
        labels.FOLDER: str(folder),
        labels.PROFILE: "tiny",
        labels.HOLDS: holds,
    }
    return Found(f"{number:064x}", f"orch-{name}", status, float(number), known)


@dataclass
class FakeEngine(Engine):
    """Containers that can be found, removed and created; what it was asked is kept."""

    containers: list[Found] = field(default_factory=list)
    url: str = URL
    refusals: list[EngineError | None] = field(default_factory=list)
    """Raised by the next calls, in order; None lets a call pass."""
    late: dict[int, Found] = field(default_factory=dict)
    """Containers that show up at the listing of that number, counted from 1."""
    immortal: bool = False
    """Whether removing a container does nothing."""
    on_create: Callable[[], None] = lambda: None
    """Called in the middle of a create call."""
    ended: State | None = None
    """The state of every container; running unless given."""
    output: Sequence[bytes | EngineError] = ()
    """What every container prints; an error is raised in its place."""
    earlier: Sequence[bytes] = ()
    """What every container printed before its latest start."""
    over: threading.Event | None = None
    """Until when every container goes on, for those who follow its output."""
    asked: list[tuple[str, ...]] = field(default_factory=list)
    listings: int = 0

    def find(self, labels: Sequence[str]) -> list[Found]:
        self.listings += 1
        if self.listings in self.late:
            self.containers.append(self.late.pop(self.listings))
        self._refuse()
        return [container for container in self.containers if all(self._bears(container.labels, w) for w in labels)]

    def remove(self, container: str, grace_s: float) -> None:
        self.asked.append(("remove", container, str(grace_s)))
        self._refuse()
        if not self.immortal:
            self.containers = [found for found in self.containers if found.id != container]

    def create(self, spec: ContainerSpec) -> str:
        self.on_create()
        self._refuse()
        self.containers.append(Found("c" * 64, spec.name, "created", 0.0, spec.labels))
        return "c" * 64

    def state(self, container: str) -> State:
        self.asked.append(("state", container))
        self._refuse()
        return self.ended or State("running", 0, oom_killed=False, error="", started_at="2026-11-24T04:07:00Z")

    def logs(
        self,
        container: str,
        *,
        follow: bool,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[bytes]:
        self.asked.append(("logs", container, str(follow), str(tail)))
        earlier = self.earlier if since is None else ()
        latest = self.output if until is None else ()
        for piece in (*earlier, *latest):
            if isinstance(piece, EngineError):
                raise piece
            yield piece
        if follow and self.over is not None:
            self.over.wait(60)

    def _refuse(self) -> None:
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal

    @staticmethod
    def _bears(known: Mapping[str, str], wanted: str) -> bool:
        name, equals, value = wanted.partition("=")
        return name in known and (not equals or known[name] == value)


class Named(Engine):
    """An engine that says who it is, and what its images are."""

    def __init__(self, image: str = "sha256:" + "1" * 64) -> None:
        self._image = image

    def version(self) -> str:
        return "20.10"

    def image(self, reference: str) -> ImageFacts:
        assert reference
        return ImageFacts(self._image, ())


def node_of(engine: Engine, locks: Path = Path("/nonexistent")) -> Node:
    """This machine, with another engine."""
    return Node(engine, locks)


def member_of(engine: Engine, container: str = "c" * 64) -> Member:
    """A container on an engine."""
    return Member(node_of(engine), container)


NODE = node_of(Named())


def exited(code: int, *, oom_killed: bool = False, error: str = "") -> State:
    return State("exited", code, oom_killed, error, "2026-11-24T04:07:00Z")


def listed(**fields: Any) -> Listed:
    """A deployment as it is found."""
    usual: dict[str, Any] = {
        "name": "tiny",
        "launch": "0a1b2c3d",
        "profile": "tiny",
        "container": "c" * 64,
        "status": "running",
        "created": 0.0,
        "folder": Path("/nonexistent"),
        "holds": (),
        "tenure": Tenure(owned=False, known=True, until=None),
        "record": RECORDED,
    }
    return Listed(**{**usual, **fields})

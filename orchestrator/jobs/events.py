"""Events of a job other than its measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.events import Event
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study


@dataclass(frozen=True)
class RunOpened(Event):
    """A run is on disk and will be recorded to its end."""

    id: ClassVar[str] = "run-opened"

    run: Run

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"run": self.run.path.name}


@dataclass(frozen=True)
class StudyOpened(Event):
    """The runs of a study are on disk, all of them planned."""

    id: ClassVar[str] = "study-opened"

    study: Study

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"study": self.study.id, "runs": len(self.study.runs)}


@dataclass(frozen=True)
class VariantBegun(Event):
    """The next server of a study is taken up."""

    id: ClassVar[str] = "variant-begun"

    number: int
    """Counted from 1."""
    of: int
    label: str
    """What sets it apart."""


@dataclass(frozen=True)
class TornDown(Event):
    """The job's own server is gone, and nothing of it is left."""

    id: ClassVar[str] = "torn-down"


@dataclass(frozen=True)
class AlreadyUp(Event):
    """The deployment that is asked for is up already."""

    id: ClassVar[str] = "already-up"

    name: str


@dataclass(frozen=True)
class NothingMissing(Event):
    """A run or a study to resume is complete already."""

    id: ClassVar[str] = "nothing-missing"

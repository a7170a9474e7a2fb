"""Events of a run that measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.events import Event
from orchestrator.runs.format.records import MeasurementRecord


@dataclass(frozen=True)
class _OfMeasurement(Event):
    index: int
    """Counted from 1; 0 is the warm-up."""
    total: int
    record: MeasurementRecord

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data; the measurement's own record says the rest."""
        at = {"index": self.index, "total": self.total}
        return {**at, "point": self.record.point, "repetition": self.record.repetition}


@dataclass(frozen=True)
class MeasurementBegun(_OfMeasurement):
    """A measurement begins; its record says running."""

    id: ClassVar[str] = "measurement-begun"


@dataclass(frozen=True)
class MeasurementEnded(_OfMeasurement):
    """A measurement has ended, whatever came of it."""

    id: ClassVar[str] = "measurement-ended"

    def data(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {**super().data(), "state": self.record.state.value}


@dataclass(frozen=True)
class ClientsApart(Event):
    """Each client is a process of its own and imports vLLM anew, which costs seconds a measurement."""

    id: ClassVar[str] = "clients-apart"

    reason: str
    """Why the driver cannot fork."""


@dataclass(frozen=True)
class ClientNotAsked(Event):
    """A client that is a script did not say what it knows; it is taken for `benchmark_serving.py`."""

    id: ClassVar[str] = "client-not-asked"

    client: str
    reason: str
    """Why it was not asked, or gave no answer."""

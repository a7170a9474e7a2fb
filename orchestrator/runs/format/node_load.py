"""What a measurement's record says of the node: who else used it, before the measurement and meanwhile.

Each share is from 0 to 1 and null where the kernel does not say.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class NodeUse(BaseModel):
    """The use of the node over some time."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    seconds: float
    cpus: int
    """Logical processors."""
    busy: float | None = None
    """Part of all processor time that programs used."""
    foreign: float | None = None
    """Part of all processor time that programs beside the server's container and orch used."""
    stolen: float | None = None
    """Part of all processor time that the hypervisor gave to others."""
    cpu_pressure: float | None = None
    """Part of the time in which a task waited for a processor (PSI, `some`); the server's own tasks count too."""
    memory_pressure: float | None = None
    """Part of the time in which a task waited for memory."""
    io_pressure: float | None = None
    """Part of the time in which a task waited for a disk."""


class NodeLoad(BaseModel):
    """The node around a measurement."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    before: NodeUse | None = None
    """Since the measurement before it, or since the server was ready."""
    during: NodeUse | None = None
    load_before: float | None = None
    """Runnable tasks on average over the last minute; the server's own count too."""
    devices_before: Mapping[str, float] = Field(default_factory=dict)
    """Of each device of the server that says it, by PCI address: the part of its time that it was in use, while the
    server had nothing to do."""

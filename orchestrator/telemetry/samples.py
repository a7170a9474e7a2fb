"""What a source says each time that it is read, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.metrics.readings import Column, Reading

GAPS = {
    "late": "the source has not answered in time, and is waited for",
    "broken": "the sampler itself failed; the detail names the error",
    "no-answer": "the server does not answer `/metrics`, or not with samples",
    "no-container": "the container's group of processes is not known to this kernel",
    "no-kernel-file": "a file that every kernel has cannot be read",
    "no-sampler": "orch does not sample accelerators of this vendor",
    "no-tool": "the vendor's tool is on no search path",
    "no-binding": "nvidia-ml-py is not installed; pip install 'orch[nvidia]'",
    "no-driver": "the driver is not loaded, or the tool does not fit it",
    "not-started": "the tool cannot be started",
    "timeout": "the tool did not end in time, and was killed",
    "still-running": "the tool was killed and has not ended; it is not started again",
    "too-long": "the tool printed without end, and was killed",
    "refused": "what the tool printed cannot be read; the detail says what of it",
    "card-unnamed": "a card of the tool has no PCI address, so that it is not known which one it is",
    "device-lost": "the driver has lost a card",
    "removed": "the card's files are gone",
    "garbled": "a file of the card holds no number",
    "unreadable": "a file of the card cannot be read",
}
"""Why there are no readings, by id."""


@dataclass(frozen=True)
class Sample:
    """The figures of one thing at one moment."""

    kind: str
    """`host`, `numa`, `core`, `container`, `server`, `device` or `clock`."""
    subject: str
    """Which one: the PCI address of a device, the number of a NUMA node; empty where there is one only."""
    figures: Mapping[Column, Reading]


@dataclass(frozen=True)
class Gap:
    """Why a source, or one subject of it, has no readings."""

    id: str
    """One of GAPS."""
    detail: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Look:
    """What came of reading a source once."""

    samples: tuple[Sample, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class Source:
    """Something that is read again and again."""

    name: str
    """Such as `proc`, `cgroup`, `vllm`, `sysfs`, `hy-smi`."""
    period_s: float
    read: Callable[[], Look]
    limit_s: float = 5.0
    """How long a reading may take before the source counts as late."""
    last: bool = True
    """Whether it is read once more when recording ends."""
    close: Callable[[], None] = field(default=lambda: None)

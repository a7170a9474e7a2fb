"""Who uses this machine beside a server: processor time, pressure and devices, before a measurement and during it.

What a container and orch use themselves is subtracted, so that neither an idle server nor a busy one makes a quiet node
look busy. Only files are read; a kernel, an engine elsewhere or a container that does not tell leaves a figure null.
Sources: Linux, Documentation/filesystems/proc.rst (`/proc/stat`), accounting/psi.rst, admin-guide/cgroup-v1/cpuacct.rst
and cgroup-v2.rst (`cpu.stat`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.runs.format.node_load import NodeLoad, NodeUse

TICKS = os.sysconf("SC_CLK_TCK")
"""How many of the kernel's ticks make a second, in /proc/stat."""
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""What the first columns of /proc/stat hold."""
PROGRAMS = ("user", "nice", "system")
"""The time of programs; interrupts belong to nobody."""
RESOURCES = ("cpu", "memory", "io")
MICROSECONDS = 1e6
NANOSECONDS = 1e9
SHORTEST_S = 0.25
"""Over a shorter time, the ticks of /proc/stat say too little."""


@dataclass(frozen=True)
class Roots:
    """Where the kernel tells of itself."""

    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Moment:
    """Clocks of the machine at one moment, in seconds; None for what cannot be read."""

    at: float
    cpus: int
    programs: float | None
    """Processor time of all programs."""
    stolen: float | None
    own: float | None
    """Processor time of the container and of orch."""
    pressure: Mapping[str, float] = field(default_factory=dict)
    """For how long tasks waited, by what they waited for."""


def usage_file(container: str, pid: int | None, roots: Roots) -> Path | None:
    """Return the file that holds the processor time of a container; None where the kernel has none.

    Args:
        container: Its id. A process in another group, as of an engine elsewhere, is not taken for the container's.
        pid: Its first process on this machine.
        roots: Where the kernel tells of itself.
    """
    groups = (_read(roots.proc / str(pid) / "cgroup") if pid else None) or ""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if container not in path:
            continue
        inside = path.lstrip("/")
        if "cpuacct" in controllers.split(","):
            files = [roots.cgroup / name / inside / "cpuacct.usage" for name in (controllers, "cpuacct")]
        else:
            files = [] if controllers else [roots.cgroup / inside / "cpu.stat"]
        for file in files:
            if usage_s(file) is not None:
                return file
    return None


def usage_s(file: Path) -> float | None:
    """Return the processor time that a group's file holds, in seconds; None where it does not say."""
    text = _read(file) or ""
    if file.name == "cpuacct.usage":
        return int(text) / NANOSECONDS if text.strip().isdigit() else None
    used = [line.split()[1] for line in text.splitlines() if line.startswith("usage_usec ")]
    return int(used[0]) / MICROSECONDS if used else None


def moment(usage: Path | None, roots: Roots) -> Moment:
    """Read the clocks of this machine.

    Args:
        usage: The file with the container's processor time.
        roots: Where the kernel tells of itself.
    """
    lines = (_read(roots.proc / "stat") or "").splitlines()
    words = lines[0].split()[1:] if lines and lines[0].startswith("cpu ") else []
    spent = {name: int(word) / TICKS for name, word in zip(COLUMNS, words, strict=False)}
    container, orch = (None if usage is None else usage_s(usage)), _orch_s(roots)
    return Moment(
        at=time.monotonic(),
        cpus=sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines),
        programs=sum(spent[name] for name in PROGRAMS) if spent else None,
        stolen=spent.get("steal"),
        own=None if container is None or orch is None else container + orch,
        pressure={name: waited for name in RESOURCES if (waited := _waited_s(roots, name)) is not None},
    )


def use_between(first: Moment, last: Moment) -> NodeUse | None:
    """Return the use of the machine between two moments; None where they are too close together to tell."""
    seconds = last.at - first.at
    if seconds < SHORTEST_S:
        return None
    whole = seconds * last.cpus
    programs, own = _rise(first.programs, last.programs), _rise(first.own, last.own)

    def part(time_s: float | None) -> float | None:
        return None if time_s is None or not whole else min(max(time_s / whole, 0.0), 1.0)

    waited = {name: _rise(first.pressure.get(name), last.pressure.get(name)) for name in RESOURCES}
    return NodeUse(
        seconds=seconds,
        cpus=last.cpus,
        busy=part(programs),
        foreign=part(None if programs is None or own is None else programs - own),
        stolen=part(_rise(first.stolen, last.stolen)),
        **{
            f"{name}_pressure": None if time_s is None else min(time_s / seconds, 1.0)
            for name, time_s in waited.items()
        },
    )


class NodeWatch:
    """Looks at this machine at the beginning and at the end of each measurement on one container."""

    def __init__(
        self,
        container: str,
        pid: int | None,
        devices: Callable[[], Mapping[str, float]],
        roots: Roots = Roots(),
    ) -> None:
        """Begin to watch.

        Args:
            container: Id of the server's container.
            pid: Its first process; None where it cannot be known.
            devices: Reads how much the server's devices are in use.
            roots: Where the kernel tells of itself.
        """
        self._roots = roots
        self._devices = devices
        self._usage = usage_file(container, pid, roots)
        self._last = moment(self._usage, roots)
        self._so_far = NodeLoad()

    def begin(self, *, idle: bool | None) -> None:
        """Look before a measurement; devices are looked at only if the server has nothing to do."""
        now = moment(self._usage, self._roots)
        load = (_read(self._roots.proc / "loadavg") or "").split()
        self._so_far = NodeLoad(
            before=use_between(self._last, now),
            load_before=float(load[0]) if load else None,
            devices_before=self._devices() if idle else {},
        )
        self._last = now

    def end(self) -> NodeLoad:
        """Look after a measurement; return what was seen of the node before it and meanwhile."""
        now = moment(self._usage, self._roots)
        seen = self._so_far.model_copy(update={"during": use_between(self._last, now)})
        self._last = now
        return seen


def _orch_s(roots: Roots) -> float | None:
    """Return the processor time of this process and of those that it has waited for, in seconds."""
    words = (_read(roots.proc / "self" / "stat") or "").rpartition(") ")[2].split()
    spent = words[11:15]  # utime, stime, cutime, cstime: fields 14 to 17 of proc.rst, counted from behind the name
    return sum(map(int, spent)) / TICKS if spent else None


def _waited_s(roots: Roots, resource: str) -> float | None:
    """Return for how long some task has waited for a resource since the machine's start, in seconds."""
    for line in (_read(roots.proc / "pressure" / resource) or "").splitlines():
        kind, _, rest = line.partition(" ")
        total = rest.rpartition("total=")[2]
        if kind == "some" and total.isdigit():
            return int(total) / MICROSECONDS
    return None


def _rise(first: float | None, last: float | None) -> float | None:
    """Return by how much a clock went on; None where it is not known, or began anew."""
    return None if first is None or last is None or last < first else last - first


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None

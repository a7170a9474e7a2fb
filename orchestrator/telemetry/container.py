"""Samples a container from the files of its control group, version 1 or 2: processors, throttling, memory, processes.

Sources: Linux, Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/{cpuacct,memory,pids}.rst; scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.metrics.readings import ABSENT, Column, Kind, Reading, reading
from orchestrator.telemetry.files import number_in, pairs_in
from orchestrator.telemetry.samples import Gap, Look, Sample

USED = Column("cpu_time", "s", Kind.COUNTER)
THROTTLED = Column("cpu_throttled", "s", Kind.COUNTER)
PERIODS_THROTTLED = Column("periods_throttled", "", Kind.COUNTER)
MEMORY, MEMORY_LIMIT = Column("memory", "B"), Column("memory_limit", "B")
FILES, KILLS = Column("page_cache", "B"), Column("oom_kills", "", Kind.COUNTER)
PIDS = Column("pids", "")
MICRO, NANO = 1e-6, 1e-9
UNLIMITED = 2.0**62
"""What version 1 writes for no limit is near the largest number."""
SEARCH_S = 10.0
"""How often a group that was not found is looked for."""
PLACES = ("docker/{id}", "system.slice/docker-{id}.scope", "*/docker/{id}", "*/*/docker/{id}", "*/docker-{id}.scope")
"""Where the two drivers of Docker's engine put a container's group."""


class Container:
    """A container's control group."""

    def __init__(self, container: str, root: Path = Path("/")) -> None:
        """Take a container.

        Args:
            container: Its id.
            root: Where the kernel's files lie.
        """
        self._id = container
        self._groups = root / "sys/fs/cgroup"
        self._places: dict[str, Path] = {}
        self._searched = float("-inf")

    def read(self) -> Look:
        """Return the figures of the container now; a gap where the kernel does not have its group."""
        if not self._places and time.monotonic() - self._searched < SEARCH_S:
            return self._missing()
        self._searched = time.monotonic()
        first = self._place("cpuacct", "cpuacct.usage")  # a machine may have both versions, and then counts in this one
        unified = None if first is not None else self._place("", "cpu.stat")
        figures = self._second(unified) if unified is not None else self._first()
        if all(each is ABSENT for each in figures.values()):
            self._places.clear()
            return self._missing()
        return Look((Sample("container", "", figures),))

    def _missing(self) -> Look:
        return Look(gaps=(Gap("no-container", self._id[:12]),))

    def _second(self, group: Path) -> dict[Column, Reading]:
        cpu, memory, events = (pairs_in(group / name) for name in ("cpu.stat", "memory.stat", "memory.events"))
        return {
            USED: _scaled(cpu.get("usage_usec"), MICRO),
            THROTTLED: _scaled(cpu.get("throttled_usec"), MICRO),
            PERIODS_THROTTLED: reading(cpu.get("nr_throttled")),
            MEMORY: reading(number_in(group / "memory.current")),
            MEMORY_LIMIT: reading(number_in(group / "memory.max")),
            FILES: reading(memory.get("file")),
            KILLS: reading(events.get("oom_kill")),
            PIDS: reading(number_in(group / "pids.current")),
        }

    def _first(self) -> dict[Column, Reading]:
        used = self._place("cpuacct", "cpuacct.usage")
        cpu, memory = self._place("cpu", "cpu.stat"), self._place("memory", "memory.stat")
        pids = self._place("pids", "pids.current")
        quota = pairs_in(cpu / "cpu.stat") if cpu else {}
        told = pairs_in(memory / "memory.stat") if memory else {}
        kills = pairs_in(memory / "memory.oom_control") if memory else {}
        limit = number_in(memory / "memory.limit_in_bytes") if memory else None
        return {
            USED: _scaled(number_in(used / "cpuacct.usage") if used else None, NANO),
            THROTTLED: _scaled(quota.get("throttled_time"), NANO),
            PERIODS_THROTTLED: reading(quota.get("nr_throttled")),
            MEMORY: reading(number_in(memory / "memory.usage_in_bytes") if memory else None),
            MEMORY_LIMIT: reading(None if limit is None or limit > UNLIMITED else limit),
            FILES: reading(told.get("total_cache", told.get("cache"))),
            KILLS: reading(kills.get("oom_kill")),
            PIDS: reading(number_in(pids / "pids.current") if pids else None),
        }

    def _place(self, controller: str, file: str) -> Path | None:
        """Return the container's group under a controller, of version 2 under none; None where it has none."""
        known = self._places.get(controller)
        if known is None:
            for pattern in PLACES:
                base = self._groups / controller if controller else self._groups
                for found in base.glob(pattern.format(id=self._id)):
                    if (found / file).exists():
                        known = self._places[controller] = found
                        return known
        return known


def _scaled(value: float | None, factor: float) -> Reading:
    return ABSENT if value is None else Reading(value * factor)

"""Samples the machine: processors by NUMA node and by core, memory, swap, pressure, disks, network.

Sources: Linux, Documentation/filesystems/proc.rst (stat, meminfo, net/dev), admin-guide/iostats.rst and
accounting/psi.rst.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.metrics.readings import ABSENT, Column, Kind, Reading, reading
from orchestrator.telemetry.files import numbers, pairs_in, text_of
from orchestrator.telemetry.samples import Gap, Look, Sample

TICKS = os.sysconf("SC_CLK_TCK")
CORES_S = 10.0
"""How often single cores are recorded; their figures are means over that time."""
KIB = 1024
SECTORS_READ, SECTORS_WRITTEN = 5, 9
"""Columns of /proc/diskstats."""
BYTES_SENT = 8
"""Column of /proc/net/dev."""
OF_CONTAINERS = ("lo", "veth", "docker", "br-")
"""Beginnings of interfaces whose traffic stays on the machine, or counts once more on an interface of its own."""
SECTOR = 512
"""Bytes of a sector in /proc/diskstats, whatever the disk's own."""
IDLE, WAITING = 3, 4
STOLEN = 7
"""Columns of /proc/stat."""
WHOLE_DISK = re.compile(r"(?:sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)")
"""Disks themselves: what is made of them counts the same bytes once more."""
RESOURCES = ("cpu", "memory", "io")
BUSY, STOLEN_SHARE, WAIT = Column("busy", "%"), Column("stolen", "%"), Column("waiting_for_disk", "%")
CPUS = Column("cpus", "")
MEMORY = {
    "MemTotal": Column("memory_total", "B"),
    "MemAvailable": Column("memory_available", "B"),
    "SwapTotal": Column("swap_total", "B"),
    "SwapFree": Column("swap_free", "B"),
}
SHARES = ("some", "full")
"""Some tasks waited, or all of them."""
PRESSURE = {(name, share): Column(f"{name}_pressure_{share}", "%") for name in RESOURCES for share in SHARES}
READ_DISK, WRITTEN_DISK = Column("disk_read", "B", Kind.COUNTER), Column("disk_written", "B", Kind.COUNTER)
RECEIVED, SENT = Column("network_received", "B", Kind.COUNTER), Column("network_sent", "B", Kind.COUNTER)


class Host:
    """What was read last, which the next reading is compared with."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._proc = root / "proc"
        self._nodes = {
            folder.name.removeprefix("node"): tuple(numbers(text_of(folder / "cpulist") or ""))
            for folder in sorted((root / "sys/devices/system/node").glob("node[0-9]*"))
        }
        self._before: dict[str, Sequence[int]] = {}
        self._cores_before: dict[str, Sequence[int]] = {}
        self._cores_at = 0.0
        self._waited: dict[tuple[str, str], float] = {}
        self._at = 0.0

    def read(self) -> Look:
        """Return the figures of the machine since the last reading; the first has no shares of time."""
        times = self._times()
        if not times:
            return Look(gaps=(Gap("no-kernel-file", str(self._proc / "stat")),))
        now, before = time.monotonic(), self._before
        all_of_it = _shares(before.get("cpu"), times["cpu"])
        cores = sum(name != "cpu" for name in times)
        figures = {CPUS: Reading(float(cores))} | dict(zip((BUSY, STOLEN_SHARE, WAIT), all_of_it, strict=True))
        figures |= self._memory() | self._pressure(now) | self._disks() | self._network()
        samples = [Sample("host", "", figures)]
        samples += [
            Sample("numa", name, {BUSY: _shares(_sum(before, cores), _sum(times, cores))[0]} | self._node_memory(name))
            for name, cores in self._nodes.items()
        ]
        if self._cores_before and now - self._cores_at >= CORES_S:
            samples.append(Sample("core", "", self._cores(times)))
        if not self._cores_before or now - self._cores_at >= CORES_S:
            self._cores_before, self._cores_at = times, now
        self._before, self._at = times, now
        return Look(tuple(samples))

    def _times(self) -> dict[str, Sequence[int]]:
        found: dict[str, Sequence[int]] = {}
        for line in (text_of(self._proc / "stat") or "").splitlines():
            if not line.startswith("cpu"):
                break
            name, *words = line.split()
            if len(words) > STOLEN and all(word.isdecimal() for word in words):
                found[name] = [int(word) for word in words[: STOLEN + 1]]
        return found if "cpu" in found else {}

    def _cores(self, times: Mapping[str, Sequence[int]]) -> dict[Column, Reading]:
        """Return how busy each core was, in whole percent."""
        found = {}
        for name in times:
            if name != "cpu":
                busy = _shares(self._cores_before.get(name), times[name])[0]
                whole = round(busy.value) if isinstance(busy.value, float) else None
                found[Column(name, "%")] = reading(whole)
        return found

    def _memory(self) -> dict[Column, Reading]:
        told = pairs_in(self._proc / "meminfo")
        return {column: _scaled(told.get(name), KIB) for name, column in MEMORY.items()}

    def _node_memory(self, name: str) -> dict[Column, Reading]:
        text = text_of(self._root / f"sys/devices/system/node/node{name}/meminfo") or ""
        free = re.search(r"MemFree:\s+(\d+) kB", text)
        return {Column("memory_free", "B"): _scaled(float(free[1]) if free else None, KIB)}

    def _pressure(self, now: float) -> dict[Column, Reading]:
        found, before = {}, self._waited
        self._waited = {}
        for resource in RESOURCES:
            text = text_of(self._proc / "pressure" / resource) or ""
            for share, total in re.findall(r"^(some|full) .*total=(\d+)", text, re.MULTILINE):
                self._waited[resource, share] = int(total) / 1e6
        for key, column in PRESSURE.items():
            waited, earlier, passed = self._waited.get(key), before.get(key), now - self._at
            found[column] = ABSENT
            if waited is not None and earlier is not None and passed > 0 and waited >= earlier:
                found[column] = Reading(min(100.0 * (waited - earlier) / passed, 100.0))
        return found

    def _disks(self) -> dict[Column, Reading]:
        rows = [line.split() for line in (text_of(self._proc / "diskstats") or "").splitlines()]
        disks = [row for row in rows if len(row) > SECTORS_WRITTEN and WHOLE_DISK.fullmatch(row[2])]
        if not disks:
            return {READ_DISK: ABSENT, WRITTEN_DISK: ABSENT}
        return {
            READ_DISK: Reading(float(sum(int(row[SECTORS_READ]) for row in disks) * SECTOR)),
            WRITTEN_DISK: Reading(float(sum(int(row[SECTORS_WRITTEN]) for row in disks) * SECTOR)),
        }

    def _network(self) -> dict[Column, Reading]:
        """Return the bytes of the machine's own interfaces."""
        lines = (text_of(self._proc / "net/dev") or "").splitlines()
        pairs = [(name.strip(), rest.split()) for name, colon, rest in (line.partition(":") for line in lines) if colon]
        rows = [words for name, words in pairs if len(words) > BYTES_SENT and not name.startswith(OF_CONTAINERS)]
        if not rows:
            return {RECEIVED: ABSENT, SENT: ABSENT}
        return {
            RECEIVED: Reading(float(sum(int(words[0]) for words in rows))),
            SENT: Reading(float(sum(int(words[BYTES_SENT]) for words in rows))),
        }


def _sum(times: Mapping[str, Sequence[int]], cores: Sequence[int]) -> Sequence[int] | None:
    rows = [times[f"cpu{core}"] for core in cores if f"cpu{core}" in times]
    return [sum(column) for column in zip(*rows, strict=True)] if rows else None


def _shares(before: Sequence[int] | None, now: Sequence[int] | None) -> tuple[Reading, Reading, Reading]:
    """Return in percent for how much of the time processors worked, were taken by a hypervisor, waited for disks."""
    if before is None or now is None:
        return ABSENT, ABSENT, ABSENT
    passed = [late - early for early, late in zip(before, now, strict=True)]
    whole = sum(passed)
    if whole <= 0 or min(passed[:3]) < 0:
        return ABSENT, ABSENT, ABSENT
    idle, waiting, stolen = passed[IDLE], max(passed[WAITING], 0), passed[STOLEN]
    busy = whole - idle - waiting - stolen
    shares = tuple(Reading(min(max(100.0 * part / whole, 0.0), 100.0)) for part in (busy, stolen, waiting))
    return shares[0], shares[1], shares[2]


def _scaled(value: float | None, factor: float) -> Reading:
    return ABSENT if value is None else Reading(value * factor)

"""Samples accelerators without any tool: AMD's and Hygon's from their drivers' files, NVIDIA's through NVML."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from orchestrator.accelerators import kfd
from orchestrator.accelerators.nvml import Nvml, NvmlAbsentError
from orchestrator.accelerators.outputs.values import column
from orchestrator.accelerators.sysfs import files_of, read_card
from orchestrator.metrics.readings import ABSENT, Column, Reading
from orchestrator.telemetry.samples import Gap, Look, Sample

USES_S = 10.0
"""How often it is looked who computes on the cards."""


class Cards:
    """Cards of which the driver has files, by PCI address, and who computes on them."""

    def __init__(self, addresses: Iterable[str], container: str, root: Path = Path("/")) -> None:
        """Take cards.

        Args:
            addresses: PCI addresses.
            container: Id of the container whose own processes are no others.
            root: Where the kernel's files lie.
        """
        self._root = root
        self._container = container
        self._files = {address: files_of(root / "sys/bus/pci/devices" / address) for address in addresses}
        self._kfd = kfd.addresses(root)
        self._looked = -USES_S

    def read(self) -> Look:
        """Return the figures of all cards now."""
        samples, gaps = [], []
        for address, files in self._files.items():
            figures, faults = read_card(files)
            gaps += [Gap(fault.id, fault.detail, address) for fault in faults[:1]]
            if figures:
                samples.append(device(address, figures))
        if time.monotonic() - self._looked >= USES_S:
            self._looked = time.monotonic()
            samples += self._others()
        return Look(tuple(samples), tuple(gaps))

    def _others(self) -> list[Sample]:
        found = kfd.uses(self._kfd, self._root)
        if found is None:
            return []
        uses = [(use.pid, use.address, use.memory) for use in found]
        return others(uses, self._kfd.values(), self._container, self._root)


class Nvidia:
    """NVIDIA's cards through NVML."""

    def __init__(self, container: str, root: Path = Path("/"), load: Callable[[], Nvml] = Nvml) -> None:
        """Take the cards; the library is loaded by the first reading, for a sick driver may make that wait.

        Args:
            container: Id of the container whose own processes are no others.
            root: Where the kernel's files lie.
            load: Returns the library.
        """
        self._load = load
        self._nvml: Nvml | None = None
        self.absent: Gap | None = None
        """Why the library cannot be used, once that is known."""
        self._container = container
        self._root = root
        self._looked = -USES_S

    def read(self) -> Look:
        """Return the figures of all cards now."""
        if self.absent is None and self._nvml is None:
            try:
                self._nvml = self._load()
            except NvmlAbsentError as error:
                fault, _, detail = str(error).partition(": ")
                self.absent = Gap(fault, detail)
        if self._nvml is None:
            return Look(gaps=(self.absent,) if self.absent else ())
        samples, gaps, seen = [], [], []
        for address, figures, why in self._nvml.cards():
            seen.append(address)
            if figures is None:
                gaps.append(Gap("device-lost", why, address))
            else:
                samples.append(device(address, figures))
        if time.monotonic() - self._looked >= USES_S:
            self._looked = time.monotonic()
            samples += others(list(self._nvml.uses()), seen, self._container, self._root)
        return Look(tuple(samples), tuple(gaps))

    def close(self) -> None:
        """Let go of the library."""
        if self._nvml is not None:
            self._nvml.close()


def device(address: str, figures: Mapping[str, Reading]) -> Sample:
    """Return the sample of a card's figures."""
    return Sample("device", address, {column(name): each for name, each in figures.items()})


def others(uses: list[tuple[int, str, int]], cards: Iterable[str], container: str, root: Path) -> list[Sample]:
    """Return for each card how many processes of others compute on it, and with how much memory.

    A process whose group cannot be read is one of others; where no other is found, a process that cannot be placed
    leaves the figure absent.
    """
    samples = []
    owners = {pid: kfd.belongs_to(pid, container, root) for pid, _, _ in uses}
    for address in sorted(set(cards)):
        here = [(pid, memory) for pid, at, memory in uses if at == address]
        foreign = [memory for pid, memory in here if owners[pid] is False]
        unknown = any(owners[pid] is None for pid, _ in here)
        known = bool(foreign) or not unknown
        figures: dict[Column, Reading] = {
            column("others"): Reading(float(len(foreign))) if known else ABSENT,
            column("others_memory"): Reading(float(sum(foreign))) if known else ABSENT,
        }
        samples.append(Sample("device", address, figures))
    return samples

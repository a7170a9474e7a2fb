"""The kernel's files of a machine with accelerators, below a folder of the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.accelerators import node_cards, node_makers
from orchestrator.accelerators.addresses import node_addresses
from orchestrator.plan.claims import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NVIDIA, AMD, HYGON, ASPEED = "0x10de", "0x1002", "0x1d94", "0x1a03"


@dataclass
class FakeNode:
    """A machine whose files lie below `root`."""

    root: Path
    _nodes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.cpus(2)

    def pci(self, address: str, vendor: str, device: str = "0x74a1", kind: str = "0x038000", driver: str = "") -> Path:
        """Add a device on the PCI bus, behind a bridge; return its folder."""
        folder = self.root / "sys/devices/pci0000:00/0000:00:01.1" / address
        folder.mkdir(parents=True)
        for name, text in {"vendor": vendor, "device": device, "class": kind}.items():
            (folder / name).write_text(text + "\n", encoding="utf-8")
        self.link(f"sys/bus/pci/devices/{address}", folder)
        if driver:
            self.link(f"sys/bus/pci/drivers/{driver}/{address}", folder)
        return folder

    def drm(self, device: Path, *names: str) -> None:
        """Add nodes under /dev/dri that belong to a device."""
        self.of_class("drm", device, *names)

    def of_class(self, kind: str, device: Path, *names: str) -> None:
        for name in names:
            folder = device / kind / name
            folder.mkdir(parents=True)
            (folder / "device").symlink_to("../..")
            self.link(f"sys/class/{kind}/{name}", folder)

    def link(self, path: str, target: Path) -> None:
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def cpus(self, number: int) -> None:
        for _ in range(number):
            self._properties({"cpu_cores_count": 32, "simd_count": 0})

    def kfd(self, address: str, vendor: str, render: int, unique: int, part: int = 0) -> None:
        """Add a card to those that compute through /dev/kfd, after all others."""
        domain, bus, rest = address.split(":")
        device, function = (int(number, 16) for number in rest.split("."))
        place = int(bus, 16) << 8 | device << 3 | function | part << 28
        place = place if bus != "00" else 0  # as of a card within a processor
        facts = {"simd_count": 440, "vendor_id": int(vendor, 16), "location_id": place, "domain": int(domain, 16)}
        self._properties({**facts, "drm_render_minor": render, "unique_id": unique})

    def _properties(self, facts: Mapping[str, int]) -> None:
        folder = self.root / "sys/class/kfd/kfd/topology/nodes" / str(self._nodes)
        folder.mkdir(parents=True)
        text = "".join(f"{name} {value}\n" for name, value in facts.items())
        (folder / "properties").write_text(text, encoding="utf-8")
        self._nodes += 1

    def nvidia(self, address: str, minor: int, uuid: str, excluded: str = "No") -> None:
        """Add a card as NVIDIA's driver lists it."""
        folder = self.root / "proc/driver/nvidia/gpus" / address
        folder.mkdir(parents=True)
        lines = [
            f"Model: \t\t A card\nIRQ:   \t\t 9\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\nBus Location: \t {address}"
        ]
        lines += [f"Device Minor: \t {minor}\nGPU Firmware: \t 570.1\nGPU Excluded:\t {excluded}\n"]
        (folder / "information").write_text("\n".join(lines), encoding="utf-8")

    def file(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def around(self) -> Surroundings:
        """Return what such a node adds to a profile."""
        root = self.root
        return Surroundings(cards=node_cards(root), makers=node_makers(root), addresses=node_addresses(root))


def rocm_node(
    root: Path, addresses: Sequence[str], order: Sequence[int] | None = None, vendor: str = AMD, driver: str = "amdgpu"
) -> FakeNode:
    """Return a machine with cards of AMD or Hygon; /dev/kfd lists them in the order of the addresses unless told.

    Card n of the addresses has the node renderD(128 + n), and its UUID ends in n. The screen of a management controller
    has the first node of those that show pictures.
    """
    node = FakeNode(root)
    node.drm(node.pci("0000:01:00.0", ASPEED, "0x2000", "0x030000"), "card0")
    for number, address in enumerate(addresses):
        device = node.pci(address, vendor, driver=driver)
        node.drm(device, f"card{number + 1}", f"renderD{128 + number}")
    for number in order or range(len(addresses)):
        node.kfd(addresses[number], vendor, 128 + number, 0xAB00_0000_0000_0000 + number)
    return node


def nvidia_node(root: Path, addresses: Sequence[str], minors: Sequence[int] | None = None) -> FakeNode:
    """Return a machine with NVIDIA's cards, with these minors, which are those of the addresses' order unless given."""
    node = FakeNode(root)
    for number, address in enumerate(addresses):
        node.pci(address, NVIDIA, "0x2330", "0x030200", "nvidia")
        minor = minors[number] if minors else number
        node.nvidia(address, minor, f"GPU-{number:08x}-1111-2222-3333-444455556666")
    return node

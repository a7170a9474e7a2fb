"""Which PCI address each name of a card means on a node, as far as the kernel's own files tell for certain.

A number means a card only where all orders in which it may be counted are the same. A name that is not resolved stays
as it is, and then excludes every card that is named in another way; see `names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.accelerators.kfd import address_of
from orchestrator.accelerators.names import (
    BY_INDEX,
    NUMBERED,
    ONE,
    by_address,
    by_number,
    by_uuid,
    is_uuid,
    numbering_of_kind,
)
from orchestrator.accelerators.node import PCI_VENDORS, node_accelerators, node_makers
from orchestrator.accelerators.reach import AMD, CARD_NODES, HYGON, LIKE_NVIDIA, NVIDIA, by_node
from orchestrator.accelerators.vendors import VENDORS

PCI_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2}\.[0-7])")
DRM = "sys/class/drm"
KFD = "sys/class/kfd/kfd/topology/nodes"
"""A folder for each CPU and each card, numbered: ROCm/rocm_smi_lib: src/rocm_smi_kfd.cc."""
NVIDIA_CARDS = "proc/driver/nvidia/gpus"
"""A folder for each card: NVIDIA/open-gpu-kernel-modules: kernel-open/nvidia/nv-procfs.c."""
CDI_FOLDERS = ("etc/cdi", "run/cdi", "var/run/cdi")
"""cncf-tags/container-device-interface: SPEC.md."""


@dataclass(frozen=True)
class Addresses:
    """The cards of a node by each of their names; a card is the name of its PCI address."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Cards by names that mean the same whoever uses them: of device nodes, UUIDs, CDI devices, virtual functions."""
    numbers: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Cards in the order of their numbers, by vendor and numbering."""
    every: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All cards that somebody reaches who reaches a vendor's; only where the node has cards of several vendors."""

    def of(self, card: str, vendor: str | None) -> tuple[str, ...]:
        """Return the cards that a name means when it is used for a vendor; the name itself if that is not certain."""
        if card in self.names:
            return self.names[card]
        if is_uuid(card):  # CUDA takes the beginning of a UUID for the whole
            found = {cards for name, cards in self.names.items() if is_uuid(name) and name.startswith(card)}
            return found.pop() if len(found) == 1 else (card,)
        numbered = NUMBERED.fullmatch(card.removeprefix(ONE))
        order = self.numbers.get((vendor or "", numbered[1]), ()) if numbered else ()
        number = int(numbered[2]) if numbered else 0
        return (order[number],) if number < len(order) else (card,)


@dataclass(frozen=True)
class _Kfd:
    """A card as AMD's compute driver, or Hygon's, lists it."""

    vendor: str
    card: str
    render: str
    """Name of its node that computes."""
    uuid: str | None


def node_addresses(root: Path) -> Addresses:
    """Return what the names of cards mean on the machine whose kernel's files lie below a folder, usually `/`."""
    kfd = _kfd_cards(root)
    nvidia = _nvidia_cards(root)
    names = {**_virtual_functions(root), **{each.render: (each.card,) for each in kfd}, **_nodes(root)}
    names |= {by_number(minor, "nvidia"): (card,) for card, minor, _ in nvidia}
    names |= {uuid: (card,) for card, _, uuid in nvidia if uuid} | {
        each.uuid: (each.card,) for each in kfd if each.uuid
    }
    return Addresses({**names, **_cdi_devices(root, names)}, _numbers(root, kfd, nvidia), _every(root))


def _numbers(
    root: Path, kfd: list[_Kfd], nvidia: list[tuple[str, int, str | None]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the cards in the order of their numbers, by vendor and numbering, where that order is certain.

    ROCr and HIP count in the order of KFD, whatever the cards. Others count by addresses or in the order in which the
    driver found the cards; both must be the same.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    order, makers = tuple(each.card for each in kfd), {each.vendor for each in kfd}
    if makers == {AMD.name}:
        found[AMD.name, BY_INDEX] = order
        bound = (root / "sys/bus/pci/drivers/amdgpu").glob("*:*:*.*")
        if order == tuple(sorted(_card(root, path.name) for path in bound)):
            found[AMD.name, AMD.numbering] = order
    elif makers == {HYGON.name} and order == tuple(sorted(order)):
        found[HYGON.name, BY_INDEX] = order
    minors = [minor for _, minor, _ in nvidia]
    if nvidia and minors == sorted(minors) and not _several_like_nvidia(root):
        found[NVIDIA.name, BY_INDEX] = tuple(card for card, _, _ in nvidia)
    return found


def _every(root: Path) -> dict[str, tuple[str, ...]]:
    """Return all cards by vendor where the node has several; /dev/dri opens those of all that are opened through it."""
    of_vendor: dict[str, set[str]] = {}
    for line in node_accelerators(root):
        maker, _, address = line.split()
        of_vendor.setdefault(maker, set()).add(_card(root, address))
    if node_makers(root) == set(of_vendor) and len(of_vendor) == 1:
        return {}
    not_drm = {card for vendor in VENDORS if not vendor.drm for card in of_vendor.get(vendor.name, ())}
    through_drm = {card for cards in _nodes(root, (DRM,)).values() for card in cards} - not_drm
    through_drm |= {card for vendor in VENDORS if vendor.drm for card in of_vendor.get(vendor.name, ())}
    unclear = {vendor.name for vendor in LIKE_NVIDIA} if _several_like_nvidia(root) else set()
    return {
        vendor.name: tuple(sorted(through_drm if vendor.drm else of_vendor[vendor.name]))
        for vendor in VENDORS
        if vendor.name in of_vendor and vendor.name not in unclear
    }


def _several_like_nvidia(root: Path) -> bool:
    """Say whether what asks for NVIDIA's cards may get another vendor's on this node."""
    return len(node_makers(root) & {vendor.name for vendor in LIKE_NVIDIA}) > 1


def _card(root: Path, address: str) -> str:
    """Return the name of the card at a PCI address; a virtual function is the card that it is of."""
    physical = root / "sys/bus/pci/devices" / address / "physfn"
    found = PCI_ADDRESS.fullmatch(physical.resolve().name if physical.exists() else address)
    return by_address(*found.groups()) if found else f"{ONE}{address}"


def _virtual_functions(root: Path) -> dict[str, tuple[str, ...]]:
    found = (path.parent.name for path in (root / "sys/bus/pci/devices").glob("*/physfn"))
    return {by_address(*part.groups()): (_card(root, part[0]),) for part in map(PCI_ADDRESS.fullmatch, found) if part}


def _behind(root: Path, device: Path) -> str | None:
    """Return the card that a device of sysfs belongs to; None for one that is on no PCI bus."""
    found = [part for part in device.resolve().parts if PCI_ADDRESS.fullmatch(part)]
    return _card(root, found[-1]) if found else None


def _nodes(root: Path, classes: tuple[str, ...] = ("sys/class/*",)) -> dict[str, tuple[str, ...]]:
    """Return the cards behind device nodes, by the names that the nodes give them."""
    found: dict[str, set[str]] = {}
    for device in (path for each in classes for path in root.glob(f"{each}/*/device")):
        name = _name_of_node(device.parent.name)
        card = _behind(root, device) if name else None
        if name and card:
            found.setdefault(name, set()).add(card)
    for group in (root / "sys/kernel/iommu_groups").glob("*"):
        cards = {_card(root, path.name) for path in (group / "devices").glob("*:*:*.*")}
        if cards and group.name.isdecimal() and classes != (DRM,):
            found[by_number(int(group.name), "vfio")] = cards
    return {name: tuple(sorted(cards)) for name, cards in found.items()}


def _name_of_node(name: str) -> str | None:
    """Return the name of the card whose node sysfs lists by a name, in which `!` stands for a slash."""
    paths = (f"/dev/{name.replace('!', '/')}", f"/dev/dri/{name}", f"/dev/accel/{name}")
    for path in paths:
        for pattern, _ in CARD_NODES:
            if found := re.fullmatch(pattern, path):
                return by_number(int(found[2]), found[1])
    return None


def _kfd_cards(root: Path) -> list[_Kfd]:
    """Return the cards that compute through /dev/kfd, in its order; a part of a card is the card."""
    found = []
    for folder in sorted((path for path in (root / KFD).glob("*") if path.name.isdecimal()), key=lambda p: int(p.name)):
        pairs = (line.partition(" ") for line in _text(folder / "properties").splitlines())
        facts = {name: int(value) for name, _, value in pairs if value.isdecimal()}
        if not facts.get("simd_count"):
            continue  # a CPU
        render = by_number(facts.get("drm_render_minor", 0), "renderD")
        address = address_of(facts)
        behind = _behind(root, root / DRM / f"renderD{facts.get('drm_render_minor', 0)}" / "device")
        card = _card(root, address) if address else behind or render
        vendor = PCI_VENDORS.get(f"0x{facts.get('vendor_id', 0):04x}", "")
        unique = facts.get("unique_id")
        uuid = by_uuid(f"GPU-{unique:016x}") if unique else None
        found.append(_Kfd(vendor, card, render, uuid))
    return found


def _nvidia_cards(root: Path) -> list[tuple[str, int, str | None]]:
    """Return the cards that NVIDIA's driver gives to programs, by address, each with its minor and its UUID."""
    found = []
    for folder in sorted((root / NVIDIA_CARDS).glob("*:*:*.*")):
        pairs = (line.partition(":") for line in _text(folder / "information").splitlines())
        facts = {name.strip(): value.strip() for name, _, value in pairs}
        minor = facts.get("Device Minor", "")
        if minor.isdecimal() and facts.get("GPU Excluded") != "Yes":
            found.append((_card(root, folder.name.lower()), int(minor), by_uuid(facts.get("GPU UUID", ""))))
    return found


def _cdi_devices(root: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the cards of CDI devices that have numbers, where all device nodes of them are known."""
    found: dict[str, set[str] | None] = {}
    for kind, device in _cdi_specifications(root):
        name = by_number(int(device["name"]), numbering_of_kind(kind))
        cards = _cdi_cards(device, names)
        before = found.get(name, set())
        found[name] = before | cards if before is not None and cards else None
    return {name: tuple(sorted(cards)) for name, cards in found.items() if cards}


def _cdi_specifications(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    paths = [path for folder in CDI_FOLDERS for path in (root / folder).glob("*") if path.suffix in (".yaml", ".json")]
    for path in sorted({path.resolve() for path in paths}):
        import yaml  # noqa: PLC0415 - few nodes have such files

        try:
            told = yaml.safe_load(_text(path))
            kind, devices = str(told["kind"]), list(told["devices"])
        except (yaml.YAMLError, KeyError, TypeError):
            continue  # no runtime can read it either
        for device in devices:
            if isinstance(device, dict) and re.fullmatch(r"\d{1,4}", str(device.get("name"))):
                yield kind, device


def _cdi_cards(device: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the cards whose nodes a CDI device gives; none where a node may be another card's."""
    edits = device.get("containerEdits")
    nodes = edits.get("deviceNodes") if isinstance(edits, dict) else None
    given = [
        each
        for node in (nodes if isinstance(nodes, list) else [])
        if isinstance(node, dict)
        for each in by_node(str(node.get("hostPath") or node.get("path")), "")
        if not each.control
    ]
    if any(each.cards is None or not set(each.cards) <= set(names) for each in given):
        return set()
    return {card for each in given for name in each.cards or () for card in names[name]}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

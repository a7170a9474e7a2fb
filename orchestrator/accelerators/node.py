"""The accelerators that a machine has, from its kernel's own files, which lie below a folder, usually `/`."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.accelerators.vendors import VENDORS, Vendor
from orchestrator.accelerators.visible import Cards

PCI_VENDORS = {vendor.pci: vendor.name for vendor in VENDORS if vendor.pci}
"""PCI vendors of accelerators."""
PCI_DEVICES = "sys/bus/pci/devices"
SLICES = "proc/driver/nvidia/capabilities"
"""Where NVIDIA's driver keeps a folder for each slice of a card."""
DISPLAY_OR_ACCELERATOR = ("0x0300", "0x0302", "0x0380", "0x0b40", "0x1200")
"""Beginnings of the PCI classes that accelerators have."""


def node_accelerators(root: Path) -> tuple[str, ...]:
    """Return the accelerators of a machine as `vendor device address`, by address."""
    found = []
    for path in sorted((root / PCI_DEVICES).glob("*")):
        vendor, kind = _read(path / "vendor"), _read(path / "class")
        if vendor in PCI_VENDORS and kind.startswith(DISPLAY_OR_ACCELERATOR):
            found.append(f"{PCI_VENDORS[vendor]} {_read(path / 'device')} {path.name}")
    return tuple(found)


def node_cards(root: Path) -> Cards:
    """Return what of a machine's NVIDIA cards makes CUDA count them in an order of its own."""
    models = {line.split()[1] for line in node_accelerators(root) if line.startswith("NVIDIA ")}
    return Cards(unlike=len(models) > 1, sliced=any((root / SLICES).glob("gpu*/mig/gi*")))


def node_makers(root: Path) -> frozenset[str]:
    """Return the vendors of a machine's accelerators: those of its PCI devices, and those that have device nodes."""
    dev = root / "dev"
    nodes = [f"/dev/{path.relative_to(dev)}" for pattern in ("*", "*/*") for path in dev.glob(pattern)]
    by_nodes = {vendor.name for vendor in VENDORS if any(map(_own_nodes(vendor).fullmatch, nodes))}
    return frozenset(by_nodes | {line.split()[0] for line in node_accelerators(root)})


def _own_nodes(vendor: Vendor) -> re.Pattern[str]:
    """Return what matches nodes that only cards of a vendor have; nothing does where there are none."""
    return re.compile("|".join(vendor.cards or (() if vendor.pci else vendor.control)) or "(?!)")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

"""The accelerators that this machine has, from the kernel's own files."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.accelerators.vendors import VENDORS
from orchestrator.accelerators.visible import Cards

PCI_VENDORS = {vendor.pci: vendor.name for vendor in VENDORS if vendor.pci}
"""PCI vendors of accelerators."""
PCI_DEVICES = Path("/sys/bus/pci/devices")
DEV = Path("/dev")
SLICES = Path("/proc/driver/nvidia/capabilities")
"""Where NVIDIA's driver keeps a folder for each slice of a card."""
DISPLAY_OR_ACCELERATOR = ("0x0300", "0x0302", "0x0380", "0x0b40", "0x1200")
"""Beginnings of the PCI classes that accelerators have."""


def node_accelerators(devices: Path = PCI_DEVICES) -> tuple[str, ...]:
    """Return the accelerators of this machine as `vendor device address`, by address."""
    found = []
    for path in sorted(devices.glob("*")):
        vendor, kind = _read(path / "vendor"), _read(path / "class")
        if vendor in PCI_VENDORS and kind.startswith(DISPLAY_OR_ACCELERATOR):
            found.append(f"{PCI_VENDORS[vendor]} {_read(path / 'device')} {path.name}")
    return tuple(found)


def node_cards(accelerators: tuple[str, ...], slices: Path = SLICES) -> Cards:
    """Return what of a machine's NVIDIA cards makes CUDA count them in an order of its own."""
    models = {line.split()[1] for line in accelerators if line.startswith("NVIDIA ")}
    return Cards(unlike=len(models) > 1, sliced=any(slices.glob("gpu*/mig/gi*")))


def node_makers(accelerators: tuple[str, ...], devices: Path = DEV) -> frozenset[str]:
    """Return the vendors of this machine's accelerators: those of its PCI devices, and those whose cards have nodes."""
    nodes = [f"/dev/{path.relative_to(devices)}" for pattern in ("*", "*/*") for path in devices.glob(pattern)]
    patterns = [(vendor.name, re.compile("|".join(vendor.cards))) for vendor in VENDORS if vendor.cards]
    by_nodes = {name for name, pattern in patterns if any(map(pattern.fullmatch, nodes))}
    return frozenset(by_nodes | {line.split()[0] for line in accelerators})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

"""The accelerators that this machine has, from the kernel's own files."""

from __future__ import annotations

from pathlib import Path

from orchestrator.accelerators.vendors import VENDORS

PCI_VENDORS = {vendor.pci: vendor.name for vendor in VENDORS if vendor.pci}
"""PCI vendors of accelerators."""
PCI_DEVICES = Path("/sys/bus/pci/devices")
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


def has_unlike_nvidia_cards(accelerators: tuple[str, ...]) -> bool:
    """Say whether a machine has NVIDIA cards of several models, which CUDA counts in an order of its own."""
    return len({line.split()[1] for line in accelerators if line.startswith("NVIDIA ")}) > 1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

"""What orch knows of accelerator vendors: how a profile says which devices it uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.profile.schema import Container, Profile

VISIBLE = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Variables that name the devices a process sees; HIP's is the one of DCU nodes."""
DEVICE_ROOTS = ("/dev/kfd", "/dev/mkfd", "/dev/dri", "/dev/nvidia")
"""Device nodes, or their beginnings, that give a container accelerators."""
ALL = "accelerators"
"""All accelerators of the node."""


VENDORS = {"0x1002": "AMD", "0x10de": "NVIDIA", "0x1d94": "Hygon"}
"""PCI vendors of accelerators."""
PCI_DEVICES = Path("/sys/bus/pci/devices")
DISPLAY_OR_ACCELERATOR = ("0x0300", "0x0302", "0x0380", "0x0b40", "0x1200")
"""Beginnings of the PCI classes that accelerators have."""


def node_accelerators(devices: Path = PCI_DEVICES) -> tuple[str, ...]:
    """Return the accelerators of this machine as `vendor device address`, by address, from the kernel's own files."""
    found = []
    for path in sorted(devices.glob("*")):
        vendor, kind = _read(path / "vendor"), _read(path / "class")
        if vendor in VENDORS and kind.startswith(DISPLAY_OR_ACCELERATOR):
            found.append(f"{VENDORS[vendor]} {_read(path / 'device')} {path.name}")
    return tuple(found)


def held_by(profile: Profile) -> tuple[str, ...]:
    """Return what a deployment of this profile keeps for itself, sorted: names, or `accelerators` for all of them.

    Unless the profile says so itself, these are the accelerators that it makes visible; a profile without any holds
    nothing.
    """
    container = profile.container
    if container.holds != "auto":
        return tuple(sorted(set(container.holds)))
    if not _has_accelerators(container):
        return ()
    visible = _visible({**container.env, **profile.server.env})
    if isinstance(container.gpus, tuple):
        visible = container.gpus
    return tuple(sorted({f"accelerator-{device}" for device in visible})) or (ALL,)


def collide(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether two deployments want the same thing."""
    if set(one) & set(other):
        return True
    return any(ALL in a and any(name.startswith("accelerator-") for name in b) for a, b in ((one, other), (other, one)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _has_accelerators(container: Container) -> bool:
    given = any(device.source.startswith(DEVICE_ROOTS) for device in container.devices)
    return given or container.gpus is not None or container.privileged


def _visible(env: Mapping[str, object]) -> tuple[str, ...]:
    text = next((env[name] for name in VISIBLE if isinstance(env.get(name), str)), "")
    return tuple(part.strip() for part in str(text).split(",") if part.strip())

"""Who computes on AMD's and Hygon's cards, from the files of the kernel's KFD: reading them makes nobody its client.

Source: ROCm/rocm_smi_lib src/rocm_smi_kfd.cc. A tool's listing of processes may open a card or be listed itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KFD = "sys/class/kfd/kfd"
DEVFN = 0xFF
BUSES = 0xFFFF
"""The part of a location that is bus and function; what stands above is the number of a partition."""


@dataclass(frozen=True)
class Use:
    """What one process has on one card."""

    pid: int
    """On this machine."""
    address: str
    """PCI address of the card."""
    memory: int
    """Bytes."""


def addresses(root: Path = Path("/")) -> dict[str, str]:
    """Return the PCI addresses of KFD's cards by the number that names them in the files of processes."""
    found = {}
    for folder in (root / KFD / "topology/nodes").glob("[0-9]*"):
        number = _read(folder / "gpu_id").strip()
        pairs = (line.partition(" ") for line in _read(folder / "properties").splitlines())
        facts = {name: int(value) for name, _, value in pairs if value.strip().isdecimal()}
        address = address_of(facts)
        if facts.get("simd_count") and number.isdecimal() and address:
            found[number] = address
    return found


def address_of(facts: Mapping[str, int]) -> str | None:
    """Return the PCI address that a node's properties name; None where they name none (a processor's part)."""
    place = facts.get("location_id", 0) & BUSES
    device = place & DEVFN
    return f"{facts.get('domain', 0):04x}:{place >> 8:02x}:{device >> 3:02x}.{device & 7}" if place else None


def uses(cards: Mapping[str, str], root: Path = Path("/")) -> list[Use] | None:
    """Return who has memory or queues on which card; None where the kernel does not say.

    A process that has opened KFD and uses no card is left out: a monitor may be one.

    Args:
        cards: PCI addresses by KFD's number.
        root: Where the kernel's files lie.
    """
    folder = root / KFD / "proc"
    try:
        processes = [path for path in folder.iterdir() if path.name.isdecimal()]
    except OSError:
        return None
    found = []
    for path in processes:
        queued = {_read(file).strip() for file in path.glob("queues/*/gpuid")}
        for number, address in cards.items():
            memory = _read(path / f"vram_{number}").strip()
            held = int(memory) if memory.isdecimal() else 0
            if held or number in queued:
                found.append(Use(int(path.name), address, held))
    return found


def belongs_to(pid: int, container: str, root: Path = Path("/")) -> bool | None:
    """Say whether a process is a container's; None where its group cannot be read."""
    groups = _read(root / "proc" / str(pid) / "cgroup")
    return container in groups if groups else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""

"""Fake trees of a machine's kernel files, made of published facts: cards of Hygon and AMD, KFD, groups, /proc."""

from __future__ import annotations

import struct
from pathlib import Path

K100_AI, VRAM = "0x6210", 65520 * 2**20
CONTAINER = "c0ffee" * 10 + "abcd"


def address(number: int) -> str:
    return f"0000:{0x09 + 0x0D * number:02x}:00.0"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content}\n", encoding="ascii")


def cards(root: Path, count: int = 8, vendor: str = "0x1d94", device: str = K100_AI) -> list[str]:
    """Make cards with all the files that the driver may have, and the BMC's that is card0 as a rule."""
    write(root / "sys/bus/pci/devices/0000:03:00.0/vendor", "0x1a03")
    write(root / "sys/bus/pci/devices/0000:03:00.0/class", "0x030000")
    for number in range(count):
        folder = root / "sys/bus/pci/devices" / address(number)
        sensors = folder / "hwmon" / f"hwmon{number + 3}"
        for name, content in {
            "vendor": vendor,
            "device": device,
            "class": "0x0b4000",
            "numa_node": 4 * (number // 4),
            "gpu_busy_percent": 10 * number,
            "mem_busy_percent": number,
            "mem_info_vram_total": VRAM,
            "mem_info_vram_used": 2207744 + number,
            "power_dpm_force_performance_level": "auto",
        }.items():
            write(folder / name, content)
        for name, content in {
            "power1_average": 90_000_000 + number,
            "power1_cap": 400_000_000,
            "temp1_input": 46_000 + number,
            "temp1_label": "edge",
            "temp2_input": 52_000,
            "temp2_label": "junction",
            "temp3_input": 48_000,
            "temp3_label": "mem",
            "freq1_input": 1_500_000_000,
            "freq1_label": "sclk",
            "freq2_input": 1_800_000_000,
            "freq2_label": "mclk",
        }.items():
            write(sensors / name, content)
        kfd_card(root, number, count)
    (root / "sys/class/kfd/kfd/proc").mkdir(parents=True, exist_ok=True)
    return [address(number) for number in range(count)]


def kfd_card(root: Path, number: int, cpus: int = 8) -> None:
    """Make a card's node of KFD; the nodes of processors come before."""
    node = root / f"sys/class/kfd/kfd/topology/nodes/{number + cpus}"
    write(node / "gpu_id", gpu_id(number))
    bus = int(address(number)[5:7], 16)
    write(node / "properties", f"cpu_cores_count 0\nsimd_count 480\nvendor_id 7572\nlocation_id {bus << 8}\ndomain 0")


def gpu_id(number: int) -> int:
    return 35_000 + 17 * number


def process(root: Path, pid: int, cards: dict[int, int], container: str = "", *, queues: bool = True) -> None:
    """Make a process with bytes on cards, in the group of a container."""
    folder = root / "sys/class/kfd/kfd/proc" / str(pid)
    folder.mkdir(parents=True)
    for number, held in cards.items():
        write(folder / f"vram_{gpu_id(number)}", held)
        if queues:
            write(folder / f"queues/{number}/gpuid", gpu_id(number))
    write(root / f"proc/{pid}/cgroup", f"0::/docker/{container}" if container else "0::/user.slice")


def metrics(*, energy: int = 0, status: int = 0, content: int = 3) -> bytes:
    """Return a table of gpu_metrics version 1."""
    table = bytearray(b"\xff" * 120)
    struct.pack_into("<HBB", table, 0, 120, 1, content)
    struct.pack_into("<Q", table, 24, energy)
    struct.pack_into("<Q", table, 112, status)
    return bytes(table)


def proc(root: Path, ticks: int = 0) -> None:
    """Make the files of a machine with four processors on two nodes, of which one has worked for some ticks."""
    rows = [
        [1000 + (ticks if core == 0 else 0), 0, 0, 9000 + (0 if core == 0 else ticks), 0, 0, 0, 0, 0, 0]
        for core in range(4)
    ]
    rows.insert(0, [sum(column) for column in zip(*rows, strict=True)])
    names = ["cpu", *(f"cpu{core}" for core in range(4))]
    write(
        root / "proc/stat",
        "\n".join(f"{name} {' '.join(map(str, row))}" for name, row in zip(names, rows, strict=True)) + "\nbtime 1",
    )
    write(root / "proc/meminfo", "MemTotal:  1000 kB\nMemAvailable:  400 kB\nSwapTotal:  0 kB\nSwapFree:  0 kB")
    for number in range(2):
        write(root / f"sys/devices/system/node/node{number}/cpulist", f"{2 * number}-{2 * number + 1}")
        write(root / f"sys/devices/system/node/node{number}/meminfo", f"Node {number} MemFree:  {100 + number} kB")
    for resource in ("cpu", "memory", "io"):
        write(root / f"proc/pressure/{resource}", f"some avg10=0.00 avg60=0.00 avg300=0.00 total={ticks * 1000}")
    write(
        root / "proc/diskstats",
        " 8 0 sda 1 0 16 0 1 0 32 0 0 0 0\n 8 1 sda1 1 0 16 0 1 0 32 0 0 0 0\n 7 0 loop0 1 0 9 0 0 0 0 0 0 0 0",
    )
    write(
        root / "proc/net/dev",
        "Inter-|   Receive |  Transmit\n face |bytes\n"
        "    lo: 500 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n  eth0: 70 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n"
        " veth1: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0",
    )


def tool(root: Path, script: str, name: str = "opt/hyhal/bin/hy-smi") -> Path:
    """Make a vendor's tool out of a shell script."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def hy_smi(count: int = 8) -> str:
    """Return a script that prints what hy-smi does without flags and with --showbus."""
    bus = "\n".join(f"HCU[{number}]\t: PCI Bus: {address(number)}" for number in range(count))
    rows = "\n".join(
        f"{number}   50.0C   120.0W   auto   400.0W   5%   {number}.5%   Normal" for number in range(count)
    )
    table = f"HCU   Temp   AvgPwr   Perf   PwrCap   VRAM%   HCU%   Mode\n{rows}"
    return f"if [ \"$1\" = --showbus ]; then cat <<'END'\n{bus}\nEND\nelse cat <<'END'\n{table}\nEND\nfi"

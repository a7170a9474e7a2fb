"""Reads a card from the files of its driver: no tool is started, no device is opened, no card is woken.

AMD's driver and those derived from it, Hygon's among them, have the same files; each is optional. Sources: Linux,
Documentation/gpu/amdgpu/thermal.rst and driver-misc.rst, drivers/gpu/drm/amd/include/kgd_pp_interface.h (gpu_metrics);
HYGON-AI/hcu-dcgm: pkg/dcgm/sysfs.go.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.accelerators.outputs.plausible import checked
from orchestrator.accelerators.outputs.throttling import of_amd
from orchestrator.accelerators.outputs.values import TEMPERATURE
from orchestrator.metrics.readings import ABSENT, Reading, reading

MOST = 4096
"""Bytes that such a file has at most."""
PLAIN = {
    "busy": ("gpu_busy_percent", 1.0),
    "memory_busy": ("mem_busy_percent", 1.0),
    "memory_used": ("mem_info_vram_used", 1.0),
    "memory_total": ("mem_info_vram_total", 1.0),
}
SENSORS = {"power": (("power1_average", "power1_input"), 1e-6), "power_cap": (("power1_cap",), 1e-6)}
LABELS = {"mem": "memory", "hotspot": "junction"}
CLOCKS = {"sclk": "clock_core", "mclk": "clock_memory", "1": "clock_core", "2": "clock_memory"}
METRICS = "gpu_metrics"
ENERGY_UNIT_J = 2.0**-16
"""What one step of the energy accumulator is, 15.259 µJ."""
NO_VALUE_64 = 2**64 - 1
HEADER = struct.Struct("<HBB")
"""Of gpu_metrics: its size, the version of its format and of its content."""
READ_VERSIONS = range(1, 4)
WITH_STATUS = 3
"""The version of the content that has the throttling status in the bits that mean the same for all cards."""
ENERGY_AT, STATUS_AT = 24, 112
"""Where they lie in these versions, in bytes."""


@dataclass(frozen=True)
class Fault:
    """Why a file of a card could not be read."""

    id: str
    """`garbled`, `unreadable` or `removed`."""
    detail: str


@dataclass(frozen=True)
class Files:
    """The files of one card that hold figures."""

    folder: Path
    """Its folder under /sys/bus/pci/devices."""
    figures: tuple[tuple[str, tuple[Path, ...], float], ...]
    """Column, the files of which the first that is there counts, and the factor to the column's unit."""
    perf: Path
    metrics: Path | None


def files_of(folder: Path) -> Files:
    """Return which files of a card there are, once before sampling."""
    found: list[tuple[str, tuple[Path, ...], float]] = [
        (name, (folder / file,), factor) for name, (file, factor) in PLAIN.items()
    ]
    for sensors in sorted((folder / "hwmon").glob("hwmon*"))[:1]:
        found += [(name, tuple(sensors / file for file in files), factor) for name, (files, factor) in SENSORS.items()]
        found += _labelled(sensors)
    metrics = folder / METRICS
    perf = folder / "power_dpm_force_performance_level"
    return Files(folder, tuple(found), perf, metrics if metrics.exists() else None)


def _labelled(sensors: Path) -> Iterator[tuple[str, tuple[Path, ...], float]]:
    for file in sorted(sensors.glob("temp*_input")):
        label = _text(file.with_name(file.name.replace("_input", "_label")))[0].strip().lower()
        yield f"{TEMPERATURE}_{LABELS.get(label, label)}" if label else TEMPERATURE, (file,), 1e-3
    for file in sorted(sensors.glob("freq*_input")):
        label = _text(file.with_name(file.name.replace("_input", "_label")))[0].strip().lower()
        name = CLOCKS.get(label or file.name.removeprefix("freq").removesuffix("_input"))
        if name:
            yield name, (file,), 1e-6


def read_card(files: Files) -> tuple[dict[str, Reading], list[Fault]]:
    """Return the figures of a card now, and why some of its files could not be read.

    A file that the driver does not have gives an absent reading and is no fault; a folder that is gone is one.
    """
    if not files.folder.is_dir():
        return {}, [Fault("removed", str(files.folder))]
    figures: dict[str, Reading] = {}
    faults = []
    for name, paths, factor in files.figures:
        figures[name], fault = _number(paths, factor)
        faults += fault
    perf, fault = _text(files.perf)
    faults += fault
    figures["perf"] = reading(perf.strip().lower() or None)
    if files.metrics is not None:
        figures |= read_metrics(_bytes(files.metrics)[0])
    return checked(figures), faults


def read_metrics(table: bytes) -> dict[str, Reading]:
    """Return energy and throttling from `gpu_metrics` of the versions 1.1 to 1.3; absent readings for others.

    Later versions of AMD's server cards count violations instead, which amd-smi reports.
    """
    figures = {"energy": ABSENT, "throttle": ABSENT}
    if len(table) < HEADER.size:
        return figures
    size, format_, content = HEADER.unpack_from(table)
    if format_ != 1 or content not in READ_VERSIONS or not ENERGY_AT + 8 <= size <= len(table):
        return figures
    (energy,) = struct.unpack_from("<Q", table, ENERGY_AT)
    if energy not in (0, NO_VALUE_64):  # the accumulator of some cards stays 0
        figures["energy"] = Reading(energy * ENERGY_UNIT_J)
    if content == WITH_STATUS and size >= STATUS_AT + 8:
        (status,) = struct.unpack_from("<Q", table, STATUS_AT)
        if status != NO_VALUE_64:
            figures["throttle"] = Reading(of_amd(status))
    return figures


def _number(paths: tuple[Path, ...], factor: float) -> tuple[Reading, list[Fault]]:
    for path in paths:
        text, faults = _text(path)
        if faults:
            return ABSENT, faults
        if text.strip():
            try:
                return Reading(float(int(text)) * factor), []
            except ValueError:
                return ABSENT, [Fault("garbled", f"{path}: {text.strip()[:40]!r}")]
    return ABSENT, []


def _text(path: Path) -> tuple[str, list[Fault]]:
    data, faults = _bytes(path)
    return data.decode("ascii", errors="replace"), faults


def _bytes(path: Path) -> tuple[bytes, list[Fault]]:
    """Return what a file holds; nothing, and no fault, where it is not there or its driver has no value for it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # what is no file must not make anybody wait
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        return b"", [] if missing else [Fault("unreadable", f"{path}: {error.strerror}")]
    try:
        return os.read(file, MOST), []
    except OSError as error:
        without = error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENODATA)
        return b"", [] if without else [Fault("unreadable", f"{path}: {error.strerror}")]
    finally:
        os.close(file)

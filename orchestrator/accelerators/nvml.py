"""Reads NVIDIA's cards through NVML, where the driver and the binding `nvidia-ml-py` (the extra `nvidia`) are there.

One handle is kept: a start of nvidia-smi for each reading may initialise a card and hold it awake.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.accelerators.outputs.plausible import checked
from orchestrator.accelerators.outputs.throttling import of_nvidia
from orchestrator.accelerators.outputs.values import address_in
from orchestrator.metrics.readings import ABSENT, Reading

MODULE = "pynvml"
MILLI = 1e-3


class NvmlAbsentError(Exception):
    """The binding or the driver's library is not there; its text says which."""


class Nvml:
    """An initialised library."""

    def __init__(self, module: Any | None = None) -> None:
        """Load and initialise it.

        Args:
            module: The binding; imported unless given.

        Raises:
            NvmlAbsentError: When it cannot be loaded or initialised.
        """
        try:
            self._nvml = importlib.import_module(MODULE) if module is None else module
            self._nvml.nvmlInit()
        except ImportError as error:
            raise NvmlAbsentError(f"no-binding: {error}") from error
        except self._nvml.NVMLError as error:
            raise NvmlAbsentError(f"no-driver: {error}") from error

    def cards(self) -> Iterator[tuple[str, dict[str, Reading] | None, str]]:
        """Yield each card's PCI address with its figures; None and why for one that the driver has lost."""
        for index in range(self._nvml.nvmlDeviceGetCount()):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                address = address_in(_text(self._nvml.nvmlDeviceGetPciInfo(handle).busId)) or f"card {index}"
            except self._nvml.NVMLError as error:
                yield f"card {index}", None, str(error)
                continue
            yield address, self._figures(handle), ""

    def uses(self) -> Iterator[tuple[int, str, int]]:
        """Yield the process, the card's address and the bytes of everybody who computes on a card."""
        for index in range(self._nvml.nvmlDeviceGetCount()):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                address = address_in(_text(self._nvml.nvmlDeviceGetPciInfo(handle).busId)) or f"card {index}"
                for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                    yield process.pid, address, process.usedGpuMemory or 0
            except self._nvml.NVMLError:
                continue

    def close(self) -> None:
        """Let go of the library."""
        self._nvml.nvmlShutdown()

    def _figures(self, handle: Any) -> dict[str, Reading]:
        nvml = self._nvml
        figures = {
            "power": self._scaled(lambda: nvml.nvmlDeviceGetPowerUsage(handle), MILLI),
            "power_cap": self._scaled(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle), MILLI),
            "energy": self._scaled(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle), MILLI),
            "busy": self._scaled(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            "memory_busy": self._scaled(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).memory),
            "memory_used": self._scaled(lambda: self._memory(handle).used),
            "memory_total": self._scaled(lambda: self._memory(handle).total),
            "temperature": self._scaled(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "clock_core": self._scaled(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "clock_memory": self._scaled(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            "throttle": self._throttle(handle),
        }
        return checked(figures)

    def _memory(self, handle: Any) -> Any:
        """Return the memory of a card; the second version of the call does not count what is reserved as used."""
        version = getattr(self._nvml, "nvmlMemory_v2", None)
        if version is None:
            return self._nvml.nvmlDeviceGetMemoryInfo(handle)
        try:
            return self._nvml.nvmlDeviceGetMemoryInfo(handle, version=version)
        except self._nvml.NVMLError:
            return self._nvml.nvmlDeviceGetMemoryInfo(handle)

    def _throttle(self, handle: Any) -> Reading:
        """Return why a card is slower than it could be; drivers before 535 have the call under its old name."""
        for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            try:
                return Reading(of_nvidia(getattr(self._nvml, name)(handle)))
            except (AttributeError, self._nvml.NVMLError):
                continue
        return ABSENT

    def _scaled(self, ask: Callable[[], float | None], factor: float = 1.0) -> Reading:
        try:
            value = ask()
        except self._nvml.NVMLError:
            return ABSENT
        return ABSENT if value is None else Reading(value * factor)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

"""Why a card runs slower than it could, in one set of words for all vendors: none, power, thermal, other, unknown.

Sources: NVML's nvmlClocksEventReasons; Linux, drivers/gpu/drm/amd/pm: `indep_throttle_status` of gpu_metrics v1.3, bits
0 to 7 power, 16 to 23 current, 32 to 47 temperature; ROCm amdsmi, docs/conceptual/gpu-violations.md.
"""

from __future__ import annotations

NONE, POWER, THERMAL, OTHER, UNKNOWN = "none", "power", "thermal", "other", "unknown"
WORDS = (NONE, POWER, THERMAL, OTHER, UNKNOWN)
NVIDIA_HARMLESS = 0x1 | 0x2 | 0x100
"""Idle, and clocks that somebody has set: for applications, for a display."""
NVIDIA_POWER = 0x4 | 0x80
NVIDIA_THERMAL = 0x20 | 0x40
AMD_POWER = 0xFF | 0xFF << 16
AMD_THERMAL = 0xFFFF << 32
VIOLATED = 1.0
"""Percent of the time; below it the firmware's own rounding is seen."""


def of_nvidia(reasons: int) -> str:
    """Return the word for NVML's reasons; heat is said before power, which it may bring about."""
    if reasons & NVIDIA_THERMAL:
        return THERMAL
    if reasons & NVIDIA_POWER:
        return POWER
    return OTHER if reasons & ~NVIDIA_HARMLESS else NONE


def of_amd(status: int) -> str:
    """Return the word for AMD's `indep_throttle_status`."""
    if status & AMD_THERMAL:
        return THERMAL
    if status & AMD_POWER:
        return POWER
    return OTHER if status else NONE


def of_violations(power: float | None, thermal: float | None) -> str:
    """Return the word for the parts of the time, in percent, in which limits were violated."""
    if power is None and thermal is None:
        return UNKNOWN
    if (thermal or 0.0) >= VIOLATED and (thermal or 0.0) >= (power or 0.0):
        return THERMAL
    return POWER if (power or 0.0) >= VIOLATED else NONE

"""How much devices are in use, where the kernel says it: no vendor's tool is asked, and no device is woken.

AMD's driver, and those derived from it, write the part of the time in which a card computed as `gpu_busy_percent`
(Linux: drivers/gpu/drm/amd/pm/amdgpu_pm.c). NVIDIA's and Intel's drivers have no such file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

DRM_DEVICES = Path("/sys/class/drm")
COUNTER = "gpu_busy_percent"
RENDER = re.compile(r"/dev/dri/(renderD\d+)")
ALL_RENDER = "/dev/dri"


def device_use(sources: Iterable[str], drm: Path = DRM_DEVICES) -> dict[str, float]:
    """Return which part of its time each device was in use a moment ago, by PCI address; of those that say it.

    Args:
        sources: Files and folders of the node that a container is given as devices.
        drm: Where the kernel lists devices that render or compute.
    """
    given = set(sources)
    names = {match[1] for source in given if (match := RENDER.fullmatch(source))}
    if ALL_RENDER in given:
        names |= {path.name for path in drm.glob("renderD*")}
    found = {}
    for name in sorted(names):
        device = drm / name / "device"
        with contextlib.suppress(OSError, ValueError):
            found[device.resolve().name] = float((device / COUNTER).read_text(encoding="ascii")) / 100.0
    return found

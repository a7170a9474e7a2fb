"""Marks what a sensor reports and cannot be: what contradicts nature, or what the same card reports beside it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.accelerators.outputs.values import TEMPERATURE, implausible
from orchestrator.metrics.readings import Quality, Reading

LEAST_POWER = 0.05
"""Part of its cap below which no card is that computes: cards of DCU report 8 W of 600 W under load."""
COMPUTES = 20.0
"""Percent of use from which a card computes."""
ALWAYS_BUSY = 95.0
"""Percent of use that a card of AMD may report while it idles and a context keeps its core awake."""
MOST_POWER = 3.0
"""Parts of its cap that a card never draws, not even for a moment."""
WHOLE = 100.0
COLDEST_C, HOTTEST_C = -20.0, 150.0


def checked(figures: Mapping[str, Reading]) -> dict[str, Reading]:
    """Return the figures of a card, with those that cannot be true marked."""
    wrong = set(_beyond_nature(figures)) | set(_contradicting(figures))
    return {name: implausible(each) if name in wrong else each for name, each in figures.items()}


def _beyond_nature(figures: Mapping[str, Reading]) -> list[str]:
    found = []
    for name in figures:
        value = _number(figures, name)
        if value is None:
            continue
        is_share = name in ("busy", "busy_1s", "cu_busy_1s", "memory_busy", "memory_use", "memory_share")
        too_hot = name.startswith(TEMPERATURE) and not COLDEST_C < value < HOTTEST_C
        is_none = name in ("power_cap", "memory_total") and value == 0.0
        beyond = is_share and not 0.0 <= value <= WHOLE
        below = value < 0.0 and not name.startswith(TEMPERATURE)
        if is_none or too_hot or beyond or below:
            found.append(name)
    return found


def _contradicting(figures: Mapping[str, Reading]) -> list[str]:
    power, cap, busy = (_number(figures, name) for name in ("power", "power_cap", "busy"))
    used, total = _number(figures, "memory_used"), _number(figures, "memory_total")
    found = []
    if power is not None and cap:
        if busy is not None and busy > COMPUTES and power < LEAST_POWER * cap:
            found += ["power", "busy"] if busy >= ALWAYS_BUSY else ["power"]
        if power > MOST_POWER * cap:
            found.append("power")
    if used is not None and total is not None and used > total:
        found += ["memory_used", "memory_total"]
    free = _number(figures, "memory_free")
    if free is not None and total is not None and free > total:
        found += ["memory_free", "memory_total"]
    return found


def _number(figures: Mapping[str, Reading], name: str) -> float | None:
    """Return a figure if it is one that was read."""
    each = figures.get(name)
    if each is None or each.quality is Quality.ABSENT or not isinstance(each.value, (int, float)):
        return None
    return float(each.value)

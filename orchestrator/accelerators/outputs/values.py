"""Figures of cards as values: what can be read of a card, in which unit, and why something could not be read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.accelerators.outputs.throttling import WORDS
from orchestrator.metrics.readings import ABSENT, Column, Kind, Quality, Reading

MIB, GIB = 2**20, 2**30
UNITS: Mapping[str, Mapping[str, float]] = {
    "W": {"": 1.0, "w": 1.0, "mw": 1e-3, "uw": 1e-6},
    "C": {"": 1.0, "c": 1.0, "°c": 1.0},
    "%": {"": 1.0, "%": 1.0},
    "MHz": {"": 1.0, "mhz": 1.0, "ghz": 1e3, "khz": 1e-3, "hz": 1e-6},
    "B": {"b": 1.0, "kb": 2**10, "kib": 2**10, "mb": MIB, "mib": MIB, "gb": GIB, "gib": GIB, "tb": 2**40},
    "J": {"j": 1.0, "mj": 1e-3, "uj": 1e-6},
    "": {"": 1.0},
}
"""Units in which tools write what is recorded in one unit. AMD's tools write MB and mean MiB: an MI355X has 294896."""
COLUMNS = {
    column.name: column
    for column in (
        Column("power", "W"),
        Column("power_cap", "W"),
        Column("energy", "J", Kind.COUNTER),
        Column("busy", "%"),
        Column("busy_1s", "%"),
        Column("cu_busy_1s", "%"),
        Column("memory_busy", "%"),
        Column("memory_use", "%"),
        Column("memory_share", "%"),
        Column("memory_used", "B"),
        Column("memory_total", "B"),
        Column("memory_free", "B"),
        Column("clock_core", "MHz"),
        Column("clock_memory", "MHz"),
        Column("perf", "", Kind.STATE),
        Column("mode", "", Kind.STATE),
        Column("throttle", "", Kind.STATE),
        Column("power_violation", "%"),
        Column("thermal_violation", "%"),
        Column("others", ""),
        Column("others_memory", "B"),
    )
}
"""All figures of cards but temperatures, of which vendors have an open set of sensors."""
TEMPERATURE = "temperature"
ADDRESS = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{4}|[0-9a-f]{8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])(?![0-9a-f])", re.IGNORECASE
)
MISSING = re.compile(
    r"\[?(n/?a|not supported|unknown error|unknown|insufficient permissions|none|inf|nan|not available|"
    r"requested functionality has been deprecated)?\]?",
    re.IGNORECASE,
)
QUANTITY = re.compile(r"\(?\s*([-+]?\d+(?:\.\d+)?)\s*([°a-z%]*)\s*\)?", re.IGNORECASE)
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SHARES = frozenset({65535.0, 2.0**32 - 1, 2.0**64 - 1})
"""What firmware writes where it has nothing to say: all bits set."""

FAULTS = {
    "empty": "the tool printed nothing",
    "unknown-form": "no form of output that orch knows",
    "no-figures": "a form that orch knows and that holds no figure of a card",
    "other-vendor": "the output of a tool of a vendor that orch does not sample",
    "json-broken": "JSON that is cut off or broken beyond the known faults of these tools",
    "columns-unnamed": "rows of figures without the names of their columns",
    "row-unlike-header": "a row that has more or fewer cells than the header above it",
    "unreadable": "a cell that holds neither a figure in the unit of its column nor a word for none",
    "card-twice": "a card that is listed twice with different figures",
    "card-unnamed": "figures of which it is not said which card they are of",
    "no-driver": "the driver is not loaded, or the tool does not fit it",
    "no-devices": "the tool finds no device",
    "device-lost": "the driver has lost a card",
    "processes": "a listing of processes, which is not asked for while measuring",
}
"""Why something of an output could not be read, by id."""


@dataclass(frozen=True)
class Fault:
    """Why an output, or a part of it, could not be read."""

    id: str
    """One of FAULTS."""
    detail: str = ""
    """The part of the output that shows it."""


@dataclass(frozen=True)
class Card:
    """What an output says of one card."""

    index: int | None = None
    """Its number in the order of the tool; it is no identity."""
    address: str | None = None
    """Its PCI address such as `0000:09:00.0`."""
    part: int = 0
    """Which partition of the card."""
    figures: Mapping[str, Reading] = field(default_factory=dict)
    """By name of the column."""


@dataclass(frozen=True)
class Output:
    """What could be read of an output, and what could not; it is refused where there is no card."""

    cards: tuple[Card, ...] = ()
    faults: tuple[Fault, ...] = ()


def column(name: str) -> Column:
    """Return the column of a figure."""
    return COLUMNS[name] if name in COLUMNS else Column(name, "C")


def address_in(text: str) -> str | None:
    """Return the PCI address in a text, with a domain of four digits where that is enough."""
    found = ADDRESS.search(text)
    return None if found is None else f"{int(found[1], 16):04x}:{found[2]}:{found[3]}.{found[4]}".lower()


def figure(name: str, text: str, unit: str = "") -> Reading | None:
    """Return the reading that a cell holds; None where it cannot be understood.

    Args:
        name: The column's name.
        text: The cell, such as `50.0c`, `(1390Mhz)`, `[N/A]`.
        unit: The unit, where a header or a key says it and the cell does not.
    """
    text, what = text.strip().strip('"'), column(name)
    if MISSING.fullmatch(text) and not (name == "throttle" and text.lower() in WORDS):
        return ABSENT
    if what.kind is Kind.STATE:
        return Reading(text.lower())
    found = QUANTITY.fullmatch(text)
    if found is None:
        return None
    factor = UNITS[what.unit].get((found[2] or unit).lower())
    value = float(found[1])
    if factor is None or not math.isfinite(value):
        return None
    return ABSENT if value in SHARES else Reading(value * factor)


def gathered(cards: Iterable[Card], faults: Iterable[Fault] = ()) -> Output:
    """Return the cards of an output, with what several lines say of each, but for those that contradict themselves."""
    found: dict[tuple[int | None, str | None, int], dict[str, Reading]] = {}
    addresses: dict[tuple[int | None, int], str] = {}
    wrong: dict[tuple[int | None, int], Fault] = {}
    for card in cards:
        place = (card.index, card.part)
        if (
            card.address is not None
            and addresses.setdefault(place, card.address) != card.address
            and card.index is not None
        ):
            wrong[place] = Fault("card-twice", f"card {card.index}: {addresses[place]}, {card.address}")
        key = (card.index, None if card.index is not None else card.address, card.part)
        figures = found.setdefault(key, {})
        for name, value in card.figures.items():
            if figures.setdefault(name, value) != value:
                wrong[place] = Fault("card-twice", f"card {card.index}: {name} {figures[name].value}, {value.value}")
    kept = tuple(
        Card(index, addresses.get((index, part)) if index is not None else address, part, figures)
        for (index, address, part), figures in found.items()
        if (index, part) not in wrong
    )
    return Output(kept, (*faults, *wrong.values()))


def implausible(value: Reading) -> Reading:
    """Return a reading that is not believed."""
    return value if value.value is None else Reading(value.value, Quality.IMPLAUSIBLE)

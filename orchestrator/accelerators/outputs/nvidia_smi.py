"""Reads what nvidia-smi prints: its table, and the CSV of a query with or without the names of the columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.accelerators.outputs.throttling import of_nvidia
from orchestrator.accelerators.outputs.values import Card, Fault, Output, address_in, figure, gathered
from orchestrator.metrics.readings import Reading

FIELDS = {
    "power.draw": ("power", "W"),
    "power.draw.average": ("power", "W"),
    "power.limit": ("power_cap", "W"),
    "enforced.power.limit": ("power_cap", "W"),
    "utilization.gpu": ("busy", "%"),
    "utilization.memory": ("memory_busy", "%"),
    "memory.used": ("memory_used", "MiB"),
    "memory.total": ("memory_total", "MiB"),
    "memory.free": ("memory_free", "MiB"),
    "temperature.gpu": ("temperature", "C"),
    "temperature.memory": ("temperature_memory", "C"),
    "clocks.sm": ("clock_core", "MHz"),
    "clocks.current.sm": ("clock_core", "MHz"),
    "clocks.gr": ("clock_core", "MHz"),
    "clocks.mem": ("clock_memory", "MHz"),
    "clocks.current.memory": ("clock_memory", "MHz"),
    "pstate": ("perf", ""),
}
REASONS = frozenset({"clocks_event_reasons.active", "clocks_throttle_reasons.active"})
ADDRESSES = frozenset({"pci.bus_id", "gpu_bus_id"})
UNIT = re.compile(r"^(.*?)\s*\[(.*)\]$")
LOST = re.compile(r"Unable to determine the device handle.*|.*GPU is lost.*|.*has fallen off the bus.*")
BOX_FIRST = re.compile(r"^\|\s*(\d+)\s+.*\|\s*([0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-7])\s+\S+\s*\|", re.IGNORECASE)
BOX_SECOND = re.compile(
    r"^\|\s*(?P<fan>\S+)\s+(?P<temperature>\S+)\s+(?P<perf>\S+)\s+(?P<power>\S+)\s*/\s*(?P<cap>\S+)\s*"
    r"\|\s*(?P<used>\S+)\s*/\s*(?P<total>\S+)\s*\|\s*(?P<busy>\S+)\s+.*\|"
)


def read_table(text: str) -> Output:
    """Return the cards in the table that nvidia-smi prints without arguments."""
    cards, faults = [], []
    first = None
    for line in text.splitlines():
        if found := BOX_FIRST.match(line):
            first = found
        elif first is not None and (second := BOX_SECOND.match(line)):
            pairs = {
                "temperature": (second["temperature"], "C"),
                "perf": (second["perf"], ""),
                "power": (second["power"], "W"),
                "power_cap": (second["cap"], "W"),
                "memory_used": (second["used"], "MiB"),
                "memory_total": (second["total"], "MiB"),
                "busy": (second["busy"], "%"),
            }
            card, wrong = _card(int(first[1]), address_in(first[2]), pairs)
            cards.append(card)
            faults += wrong
            first = None
        elif first is not None:
            faults.append(Fault("row-unlike-header", line.strip()))
            first = None
        elif line.strip().startswith("| Processes"):
            break
    return gathered(cards, faults)


def read_query(text: str, fields: Sequence[str] = ()) -> Output:
    """Return the cards in the CSV of `--query-gpu`; a card that the driver has lost is a fault among healthy rows.

    Args:
        text: What was printed.
        fields: The fields that were asked for; without them the output must begin with a header.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    lost = [line for line in lines if LOST.match(line)]
    faults = [Fault("device-lost", line) for line in lost]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line not in lost]
    heads = [(field, "") for field in fields]
    if rows and (not heads or rows[0][0].partition(" ")[0] == heads[0][0]):
        heads = [(found[1], found[2]) if (found := UNIT.match(cell)) else (cell, "") for cell in rows.pop(0)]
    cards = []
    for row in rows:
        if len(row) != len(heads):
            faults.append(Fault("row-unlike-header", ", ".join(row)))
            continue
        cells = {field: (cell, unit) for (field, unit), cell in zip(heads, row, strict=True)}
        card, wrong = _of_row(cells)
        cards.append(card)
        faults += wrong
    named = [card for card in cards if card.index is not None or card.address is not None]
    if len(named) < len(cards):
        faults.append(Fault("card-unnamed", lines[0]))
    return gathered(named, faults)


def _of_row(cells: Mapping[str, tuple[str, str]]) -> tuple[Card, list[Fault]]:
    index = next((cell for field, (cell, _) in cells.items() if field == "index"), "")
    address = next((address_in(cell) for field, (cell, _) in cells.items() if field in ADDRESSES), None)
    pairs = {
        FIELDS[field][0]: (cell, unit or FIELDS[field][1]) for field, (cell, unit) in cells.items() if field in FIELDS
    }
    for field, (cell, _) in cells.items():
        if field in REASONS:
            pairs["throttle"] = (of_nvidia(int(cell, 16)) if re.fullmatch(r"0x[0-9a-fA-F]+", cell) else cell, "")
    return _card(int(index) if index.isdecimal() else None, address, pairs)


def _card(index: int | None, address: str | None, pairs: Mapping[str, tuple[str, str]]) -> tuple[Card, list[Fault]]:
    figures: dict[str, Reading] = {}
    faults = []
    for name, (text, unit) in pairs.items():
        value = figure(name, text, unit)
        if value is None:
            faults.append(Fault("unreadable", f"card {address or index}: {name} {text}"))
        else:
            figures[name] = value
    return Card(index, address, figures=figures), faults

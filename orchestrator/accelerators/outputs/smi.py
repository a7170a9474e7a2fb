"""Reads what hy-smi, hcu-smi and rocm-smi print: tables, JSON, CSV, and a line for each figure.

Hygon's tool is a fork of AMD's, so that both print alike. Columns are found by their names, and units in the names or
the cells. Forms and faults: five generations of tables; JSON without commas between powers, and with empty keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.accelerators.outputs.values import (
    TEMPERATURE,
    Card,
    Fault,
    Output,
    address_in,
    figure,
    gathered,
)
from orchestrator.metrics.readings import Reading

HEADS = {
    "avgpwr": "power",
    "power": "power",
    "pwrcap": "power_cap",
    "perf": "perf",
    "vram%": "memory_share",
    "dcu%": "busy",
    "hcu%": "busy",
    "gpu%": "busy",
    "sclk": "clock_core",
    "mclk": "clock_memory",
    "mode": "mode",
    "temp": TEMPERATURE,
}
KEYS = (
    (r"(average|current socket) graphics package power", "power"),
    (r"max graphics package power", "power_cap"),
    (r"average_socket_power|current_socket_power", "power"),
    (r"(dcu|hcu|gpu) use", "busy"),
    (r"(dcu|hcu|gpu) memory use", "memory_use"),
    (r"gpu memory allocated \(vram%\)", "memory_share"),
    (r"(hcu|dcu) util in last second", "busy_1s"),
    (r"cu util in last second", "cu_busy_1s"),
    (r"average_gfx_activity", "busy"),
    (r"average_umc_activity", "memory_busy"),
    (r"vram total memory", "memory_total"),
    (r"vram total used memory", "memory_used"),
    (r"available memory size", "memory_free"),
    (r"sclk clock speed:?|sclk clock level:?", "clock_core"),
    (r"mclk clock speed:?|mclk clock level:?", "clock_memory"),
    (r"current_gfxclk", "clock_core"),
    (r"current_uclk", "clock_memory"),
    (r"performance level", "perf"),
)
SENSOR = re.compile(r"temperature \(sensor ([a-z0-9 ]+)\)|temperature_(edge|hotspot|mem)")
SENSORS = {"mem": "memory", "hotspot": "junction"}
UNIT_OF_KEY = re.compile(r"^(.*?)\s*\((W|C|%|B|MiB|MHz|GiB)\)$", re.IGNORECASE)
LINE = re.compile(r"(?:HCU|DCU|GPU)\[(\d+)\]\s*:\s*(.*)")
LEVEL = re.compile(r"(sclk|mclk) clock level:\s*\d+:?\s*\(([^)]*)\)")
CARD = re.compile(r"card(\d+)")
COMMA_MISSING = re.compile(r'"(\s*)"(?=[A-Za-z(])')
SHORTEST_ROW = 2


def key_figure(key: str) -> tuple[str, str] | None:
    """Return the column and the unit that a key such as `HCU use (%)` names; None for what is not recorded."""
    unit = ""
    stem = key.strip()
    if found := UNIT_OF_KEY.fullmatch(stem):
        stem, unit = found[1], found[2]
    stem = stem.lower()
    if sensor := SENSOR.fullmatch(stem):
        name = sensor[1] or sensor[2]
        return f"{TEMPERATURE}_{SENSORS.get(name, name).replace(' ', '_')}", unit
    for pattern, name in KEYS:
        if re.fullmatch(pattern, stem):
            return name, unit
    return None


def read_json(documents: list[Any]) -> Output:
    """Return the cards in JSON objects of the form `{"card0": {key: value}}`."""
    cards, faults = [], []
    for document in documents:
        for name, keys in document.items():
            number = CARD.fullmatch(name)
            if number and isinstance(keys, dict):
                card, wrong = _of_pairs(int(number[1]), ((str(key), str(value)) for key, value in keys.items()))
                cards.append(card)
                faults += wrong
    return gathered(cards, faults)


def repaired(text: str) -> str:
    """Return JSON with the commas that hy-smi leaves out between members."""
    return COMMA_MISSING.sub('","', text)


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object without those that have no name; one that occurs twice keeps both in a list."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise json.JSONDecodeError(f"the member {key!r} twice", "", 0)
        if key:
            found[key] = value
    return found


def read_lines(text: str) -> Output:
    """Return the cards in lines of the form `HCU[0] : key: value`."""
    cards, faults = [], []
    for line in text.splitlines():
        found = LINE.match(line.strip())
        if found is None:
            continue
        index, rest = int(found[1]), found[2].strip()
        if level := LEVEL.match(rest):
            key, value = f"{level[1]} clock speed", level[2]
        elif rest.lower().startswith(("pci bus", "bus id")):
            key, value = "PCI Bus", rest
        else:
            key, _, value = rest.rpartition(":")
        card, wrong = _of_pairs(index, [(key.strip(), value.strip())])
        cards.append(card)
        faults += wrong
    return gathered(cards, faults)


def read_table(text: str) -> Output:
    """Return the cards in a table whose header begins with DCU, HCU or Device."""
    header, sensor = "", TEMPERATURE
    cards, faults = [], []
    for line in text.splitlines():
        if is_head(line):
            header = line
        elif header and line.strip().startswith(("(", "Name (")):
            sensor = _sensor(line)
        elif header and re.match(r"\s*\d+\s", line):
            cells = _cells(header, line)
            if cells is None:
                faults.append(Fault("row-unlike-header", line.strip()))
                continue
            figures = {HEADS[head]: cell for head, cell in cells.items() if head in HEADS}
            if TEMPERATURE in figures:
                figures[sensor] = figures.pop(TEMPERATURE)
            card, wrong = _of_cells(int(line.split()[0]), figures)
            cards.append(card)
            faults += wrong
        elif set(line.strip()) - set("=-") and cards:
            break  # what follows a table is another one
    return gathered(cards, faults)


def is_head(line: str) -> bool:
    """Say whether a line is the header of a table of cards with figures."""
    words = line.split()
    return (
        bool(words)
        and words[0] in ("DCU", "HCU", "Device")
        and sum(word.lower() in HEADS for word in words) > SHORTEST_ROW
    )


def read_csv(text: str) -> Output:
    """Return the cards in CSV whose header begins with `device`."""
    lines = text.splitlines()
    while not lines[0].startswith("device,"):
        lines.pop(0)
    header = [cell.strip() for cell in lines[0].split(",")]
    cards, faults = [], []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        number = CARD.fullmatch(cells[0])
        if number is None:
            break
        if len(cells) != len(header):
            faults.append(Fault("row-unlike-header", line))
            continue
        card, wrong = _of_pairs(int(number[1]), zip(header[1:], cells[1:], strict=True))
        cards.append(card)
        faults += wrong
    return gathered(cards, faults)


def _sensor(line: str) -> str:
    """Return the column of the temperature by the second line of a header, which may say of which sensor it is."""
    found = re.search(r"\((Edge|Junction|Memory|Hotspot)\)", line)
    return f"{TEMPERATURE}_{SENSORS.get(found[1].lower(), found[1].lower())}" if found else TEMPERATURE


def _cells(header: str, row: str) -> dict[str, str] | None:
    """Return the cells of a row by their heads in lower case; None where their numbers differ.

    Cells may hold blanks where two blanks part them; in other tables one blank parts them.
    """
    joined = re.sub(r",\s+", ", ", row.strip())  # `0x73bf,   38367` is one cell
    for parts in (r"\s{2,}", r"\s+"):
        heads, cells = re.split(parts, header.strip()), re.split(parts, joined)
        if len(heads) == len(cells) > SHORTEST_ROW:
            return dict(zip((head.lower() for head in heads), cells, strict=True))
    return None


def _of_cells(index: int, cells: Mapping[str, str]) -> tuple[Card, list[Fault]]:
    figures: dict[str, Reading] = {}
    faults = []
    for name, cell in cells.items():
        value = figure(name, cell)
        if value is None:
            faults.append(Fault("unreadable", f"card {index}: {name} {cell}"))
        else:
            figures[name] = value
    return Card(index, figures=figures), faults


def _of_pairs(index: int, pairs: Iterable[tuple[str, str]]) -> tuple[Card, list[Fault]]:
    figures: dict[str, Reading] = {}
    faults: list[Fault] = []
    address = None
    for key, text in pairs:
        if key.lower() in ("pci bus", "pci bus id"):
            address = address_in(text)
            continue
        known = key_figure(key)
        if known is None or (key.endswith("level") and not text.endswith(")") and known[0].startswith("clock")):
            continue  # the number of a level is no frequency
        value = figure(known[0], text, known[1])
        if value is None:
            faults.append(Fault("unreadable", f"card {index}: {key}: {text}"))
        else:
            figures[known[0]] = value
    return Card(index, address, figures=figures), faults

"""Reads what amd-smi prints: the table of 26 and later, the monitor's, JSON of all shapes, and indented text.

Sources: ROCm/amdsmi CHANGELOG.md; ROCm/rocm-systems projects/amdsmi/docs/how-to/amdsmi-cli-tool.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.accelerators.outputs.values import Card, Fault, Output, address_in, figure, gathered
from orchestrator.metrics.readings import Reading

HEADS = {
    "power": "power",
    "pwr_cap": "power_cap",
    "gpu_t": "temperature_junction",
    "gpu_temp": "temperature_junction",
    "mem_t": "temperature_memory",
    "mem_temp": "temperature_memory",
    "gfx_clk": "clock_core",
    "gfx_clock": "clock_core",
    "mem_clock": "clock_memory",
    "gfx%": "busy",
    "gfx_util": "busy",
    "mem%": "memory_busy",
    "mem_util": "memory_busy",
    "vram_used": "memory_used",
    "vram_total": "memory_total",
    "pviol": "power_violation",
}
THERMAL_HEADS = frozenset({"tviol", "phot_tviol", "vr_tviol", "hbm_tviol"})
USAGES = frozenset({"vram_usage", "gtt_usage"})
KEYS = {
    "power.socket_power": "power",
    "power.current_socket_power": "power",
    "limit.socket_power": "power_cap",
    "limit.ppt0.socket_power_limit": "power_cap",
    "usage.gfx_activity": "busy",
    "usage.umc_activity": "memory_busy",
    "temperature.edge": "temperature_edge",
    "temperature.hotspot": "temperature_junction",
    "temperature.mem": "temperature_memory",
    "clock.gfx_0.clk": "clock_core",
    "clock.mem_0.clk": "clock_memory",
    "mem_usage.total_vram": "memory_total",
    "mem_usage.used_vram": "memory_used",
    "energy.total_energy_consumption": "energy",
    "throttle.ppt_violation_activity": "power_violation",
}
THERMAL_KEYS = re.compile(r"throttle\.(prochot|socket_thermal|vr_thermal|hbm_thermal)_violation_activity")
STATES = {"unthrottled": "none", "throttled": "other"}
"""`throttle_status` says that a card is throttled and not why."""
UNITED = re.compile(r"(\d|N/A) +(?=(?:W|°C|C|MHz|Mhz|MB|GB|KB|B|%|Mb/s|V|mV|ns)(?:\s|$))")
"""A blank between a figure and its unit."""
BOXED = re.compile(
    r"^\s*\|\s*([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+.*\|\s*(\S+ ?%?)\s+(\S+(?: °?C)?)\s+\S+\s+(.*?)\s*\|\s*$",
    re.IGNORECASE,
)
POWERS = re.compile(r"(N/A|[^/]*)(?:/(.*))?")
BOXED_SECOND = re.compile(r"^\s*\|\s*(\d+)\s.*\|\s*(\S+ ?%?)\s+.*?(\S+/\s*\S+ [KMG]B)\s*\|\s*$")
PAIR = re.compile(r"^(\s*)([A-Za-z0-9_ ]+?):(?:\s+(.*))?$")


def is_monitor(line: str) -> bool:
    """Say whether a line is the header of `amd-smi monitor`."""
    words = line.split()
    return len(words) > 1 and words[0] == "GPU" and any(_head(word) for word in words[1:])


def read_monitor(text: str) -> Output:
    """Return the cards in the table of `amd-smi monitor`."""
    header: list[str] = []
    cards, faults = [], []
    for line in text.splitlines():
        if is_monitor(line) and not header:
            header = line.split()
        elif header and not line.strip():
            break  # a listing of processes may follow
        elif header and re.match(r"\s*\d+\s", line):
            cells = re.sub(r"/\s+", "/", UNITED.sub(r"\1", line)).split()
            if len(cells) != len(header):
                faults.append(Fault("row-unlike-header", line.strip()))
                continue
            card, wrong = _of_row(dict(zip((word.lower() for word in header), cells, strict=True)))
            cards.append(card)
            faults += wrong
    return gathered(cards, faults)


def read_boxes(text: str) -> Output:
    """Return the cards in the table that amd-smi 26 and later prints without arguments, two lines for each card."""
    cards, faults = [], []
    first = None
    for line in text.splitlines():
        if found := BOXED.match(line):
            first = found
        elif first is not None and (second := BOXED_SECOND.match(line)):
            used, cap = _powers(first[4])
            pairs = {
                "memory_busy": first[2],
                "temperature": first[3],
                "power": used,
                "power_cap": cap,
                "busy": second[2],
                "memory": second[3],
            }
            card, wrong = _of_figures(int(second[1]), address_in(first[1]), 0, pairs)
            cards.append(card)
            faults += wrong
            first = None
        elif first is not None:
            faults.append(Fault("row-unlike-header", line.strip()))
            first = None
    return gathered(cards, faults)


def read_text(text: str) -> Output:
    """Return the cards in indented text that begins a card with `GPU: 0`."""
    cards, faults = [], []
    for index, pairs in _blocks(text):
        card, wrong = _of_paths(index, pairs)
        cards.append(card)
        faults += wrong
    return gathered(cards, faults)


def read_json(documents: list[Any]) -> Output:
    """Return the cards in JSON: a list of cards, or an object with such a list as `gpu_data`."""
    cards, faults = [], []
    for document in documents:
        entries = document.get("gpu_data", []) if isinstance(document, dict) else document
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("gpu"), int):
                card, wrong = _of_paths(entry["gpu"], dict(_flat("", entry)))
                cards.append(card)
                faults += wrong
    return gathered(cards, faults)


def _head(word: str) -> bool:
    return word.lower() in {*HEADS, *THERMAL_HEADS, *USAGES}


def _of_row(row: Mapping[str, str]) -> tuple[Card, list[Fault]]:
    pairs = {HEADS[head]: cell for head, cell in row.items() if head in HEADS}
    for head in USAGES & set(row):
        pairs["memory"] = row[head]
    thermal = [cell for head, cell in row.items() if head in THERMAL_HEADS]
    if thermal:
        pairs["thermal_violation"] = _highest(thermal)
    part = row.get("xcp", "0")
    return _of_figures(int(row["gpu"]), None, int(part) if part.isdecimal() else 0, pairs)


def _of_paths(index: int, pairs: Mapping[str, str]) -> tuple[Card, list[Fault]]:
    figures = {KEYS[path]: text for path, text in pairs.items() if path in KEYS}
    thermal = [text for path, text in pairs.items() if THERMAL_KEYS.fullmatch(path)]
    if thermal:
        figures["thermal_violation"] = _highest(thermal)
    state = pairs.get("power.throttle_status")
    if state is not None:
        figures["throttle"] = STATES.get(state.lower(), state)
    address = next((address_in(text) for path, text in pairs.items() if path in ("bdf", "bus.bdf")), None)
    part = pairs.get("partition_id", "0")
    return _of_figures(index, address, int(part) if part.isdecimal() else 0, figures)


def _of_figures(index: int, address: str | None, part: int, texts: Mapping[str, str]) -> tuple[Card, list[Fault]]:
    """Return a card with the readings of its cells; memory is `used/total unit`."""
    texts = dict(texts)
    if "memory" in texts:
        used, _, total = texts.pop("memory").partition("/")
        unit = re.sub(r"[\d./ ]", "", total)
        texts |= {"memory_used": f"{used}{unit}", "memory_total": total} if total else {}
    figures: dict[str, Reading] = {}
    faults = []
    for name, text in texts.items():
        value = figure(name, text, "W" if name.startswith("power") else "")
        if value is None:
            faults.append(Fault("unreadable", f"card {index}: {name} {text}"))
        else:
            figures[name] = value
    return Card(index, address, part, figures), faults


def _powers(text: str) -> tuple[str, str]:
    """Return power and cap of `137/750 W`, of which either may be N/A, and the second may be left out."""
    found = POWERS.match(text)
    return (found[1].strip() or "N/A", (found[2] or "N/A").strip()) if found else (text, "N/A")


def _highest(texts: list[str]) -> str:
    """Return the highest of several shares, or the first word where none is a number."""
    numbers = [float(found[0]) for text in texts if (found := re.match(r"\d+(?:\.\d+)?", text))]
    return f"{max(numbers)} %" if numbers else texts[0]


def _blocks(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each card's number and its figures, by path in lower case."""
    index: int | None = None
    pairs: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = PAIR.match(line)
        if found is None:
            continue  # an array that goes on
        depth, key, value = len(found[1]), found[2].strip().lower().replace(" ", "_"), (found[3] or "").strip()
        if depth == 0:
            if index is not None:
                yield index, pairs
            index, pairs, stack = (int(value) if key == "gpu" and value.isdecimal() else None), {}, []
            continue
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if value:
            pairs[".".join([name for _, name in stack] + [key])] = value
        else:
            stack.append((depth, key))
    if index is not None:
        yield index, pairs


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the leaves of JSON by path; `{"value": 5, "unit": "W"}` is one leaf."""
    if isinstance(value, dict) and set(value) == {"value", "unit"}:
        yield path, f"{value['value']} {value['unit']}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}".lstrip(".").lower(), inner)
    elif not isinstance(value, list):
        yield path, str(value)

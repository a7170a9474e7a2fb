"""Reads whatever a vendor's tool has printed: it recognises the form, and refuses what it does not know, with a reason.

Exit codes are no guide: some of these tools exit with 0 where they fail, and with others where all is well.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.accelerators.outputs import amd_smi, nvidia_smi, smi
from orchestrator.accelerators.outputs.plausible import checked
from orchestrator.accelerators.outputs.throttling import of_violations
from orchestrator.accelerators.outputs.values import ANSI, Fault, Output
from orchestrator.metrics.readings import Reading

ECHOED = re.compile(r"^\s*(?:[#$]|~\$|amd-smi |rocm-smi |hy-smi )")
"""A line that repeats the command."""
WARNING = re.compile(r"^\s*(?:WARNING|'CTRL' \+ 'C')")
FAILURES = (
    (
        r"Failed to initialize NVML|driver (?:is )?not loaded|not initialized|not found in modules|Invalid platform",
        "no-driver",
    ),
    (r"No devices were found|No AMD GPUs? (?:were )?(?:found|specified)|not found any", "no-devices"),
    (r"GPU is lost|fallen off the bus|Unable to determine the device handle", "device-lost"),
)
OTHER_VENDORS = re.compile(
    r"npu-smi|mthreads-gmi|mx-smi|^\s*MX-SMI|Timestamp, DeviceId|\| NPU |^NPU ID\s+:", re.IGNORECASE | re.MULTILINE
)
PROCESSES = re.compile(
    r"^PID: \d|PIDs for KFD|No KFD PIDs|KFD process information|PROCESS_INFO|process_list|is using \d+ DRM|"
    r"pid, process_name",
    re.MULTILINE | re.IGNORECASE,
)
JSON = re.compile(r"^\s*(?:\[\s*(?:\{|\]|$)|\{\s*(?:\"|\}|$))", re.MULTILINE)
"""Where JSON begins; lines of kernels begin with brackets, too."""
CSV_DEVICE = re.compile(r"^device,", re.MULTILINE)
CSV_QUERY = re.compile(r"\s*(?:index|timestamp|pci\.bus_id|gpu_bus_id|name|uuid|power\.draw)\b.*,")


KNOWN = re.compile(r"(?:HCU|DCU|GPU)\[\d+\]|^GPU: \d|\"card\d+\"|\"gpu\": \d|System Management Interface", re.MULTILINE)
"""What the forms of these tools have in common."""


def read_output(text: str, fields: Sequence[str] = ()) -> Output:
    """Return the cards in an output with their figures, each checked for what cannot be true.

    Args:
        text: What the tool has printed on both of its streams.
        fields: The fields that a query of nvidia-smi asked for.
    """
    plain = ANSI.sub("", text)
    lines = [line for line in plain.splitlines() if not ECHOED.match(line) and not WARNING.match(line)]
    plain = "\n".join(lines)
    if not plain.strip():
        return _refused("empty")
    if OTHER_VENDORS.search(plain):
        return _refused("other-vendor", lines)
    if fields:
        found = nvidia_smi.read_query(plain, fields)
        return _checked(found) if found.cards else _failure(plain, lines, found.faults)
    found = _by_form(plain, lines)
    if any(card.figures or card.address for card in found.cards):
        return _checked(found)
    return _failure(plain, lines, found.faults)


def _by_form(text: str, lines: Sequence[str]) -> Output:
    """Return the cards in an output by the first form whose mark it bears."""
    first = next(filter(str.strip, lines))
    forms: tuple[tuple[bool, Callable[[str], Output]], ...] = (
        (JSON.search(text) is not None, _json),
        (any(map(smi.is_head, lines)), smi.read_table),
        ("NVIDIA-SMI" in text, nvidia_smi.read_table),
        ("AMD-SMI" in text, amd_smi.read_boxes),
        (any(map(amd_smi.is_monitor, lines)), amd_smi.read_monitor),
        (any(smi.LINE.match(line.strip()) for line in lines), smi.read_lines),
        (CSV_DEVICE.search(text) is not None, smi.read_csv),
        (CSV_QUERY.match(first) is not None, nvidia_smi.read_query),
        (re.search(r"^GPU: \d+$", text, re.MULTILINE) is not None, amd_smi.read_text),
    )
    return next((read(text) for bears, read in forms if bears), Output())


def _json(text: str) -> Output:
    """Return the cards in one or several JSON documents that stand behind one another, or behind other lines."""
    decoder = json.JSONDecoder(object_pairs_hook=smi.members)
    begin = JSON.search(text)
    rest = smi.repaired(text[begin.start() if begin else 0 :]).strip()
    documents: list[Any] = []
    while rest[:1] in ("{", "["):
        try:
            document, end = decoder.raw_decode(rest)
        except json.JSONDecodeError as error:
            return Output(faults=(Fault("json-broken", str(error)),))
        documents.append(document)
        rest = rest[end:].strip()
    if all(isinstance(each, dict) and "gpu_data" not in each for each in documents):
        return smi.read_json(documents)
    return amd_smi.read_json(documents)


def _checked(output: Output) -> Output:
    cards = []
    for card in output.cards:
        figures = dict(card.figures)
        power, thermal = figures.get("power_violation"), figures.get("thermal_violation")
        if power is not None or thermal is not None:
            figures["throttle"] = Reading(of_violations(_value(power), _value(thermal)))
        cards.append(dataclasses.replace(card, figures=checked(figures)))
    return Output(tuple(cards), output.faults)


def _failure(text: str, lines: Sequence[str], faults: tuple[Fault, ...]) -> Output:
    """Return why an output without a card has none."""
    for pattern, fault in FAILURES:
        if found := re.search(f".*(?:{pattern}).*", text):
            return Output(faults=(Fault(fault, found[0].strip()),))
    if faults:
        return Output(faults=faults)
    if PROCESSES.search(text):
        return _refused("processes", lines)
    known = re.search(
        r"(?:HCU|DCU|GPU)\[\d+\]|^GPU: \d|\"card\d+\"|\"gpu\": \d|System Management Interface", text, re.MULTILINE
    )
    if known:
        return _refused("no-figures", lines)
    first = next(filter(str.strip, lines))
    return _refused("columns-unnamed" if re.match(r"^[^,|]+(?:, [^,|]+){2,}$", first) else "unknown-form", lines)


def _refused(fault: str, lines: Sequence[str] = ()) -> Output:
    return Output(faults=(Fault(fault, next((line.strip() for line in lines if line.strip()), "")[:200]),))


def _value(each: Reading | None) -> float | None:
    return None if each is None or not isinstance(each.value, (int, float)) else float(each.value)

"""Messages that the C++ runtime writes over two lines, made one: `terminate called …` and the `what():` after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.diagnosis.lines import LONGEST_LINE, Line

TERMINATED = "terminate called after throwing"
WHAT = "what():"


def joined(lines: Iterable[Line]) -> list[Line]:
    """Return lines in which each `terminate called …` holds what was thrown; of several, first comes first."""
    result: list[Line] = []
    waiting: dict[str, list[int]] = {}
    for line in lines:
        text = line.text.strip()
        if text.startswith(TERMINATED) and WHAT not in text:
            waiting.setdefault(line.stream, []).append(len(result))
        elif text.startswith(WHAT) and waiting.get(line.stream):
            index = waiting[line.stream].pop(0)
            before = result[index]
            result[index] = replace(before, text=f"{before.text} {text}"[:LONGEST_LINE])
            continue
        result.append(line)
    return result

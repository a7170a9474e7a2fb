"""Reads the kernel's small files: what is not there is None, and nothing is waited for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PIECE = 65536
MOST = 16 * 2**20
"""Bytes; a machine with a thousand processors says its times in a tenth of them."""


def text_of(path: Path) -> str | None:
    """Return what a file holds, or None if it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        data = b""
        while len(data) < MOST and (piece := os.read(file, PIECE)):
            data += piece
    except OSError:
        return None
    finally:
        os.close(file)
    return data.decode("ascii", errors="replace")


def number_in(path: Path) -> float | None:
    """Return the number that a file holds, or None; `max` is no number."""
    text = (text_of(path) or "").strip()
    return float(text) if text.lstrip("-").isdecimal() else None


def pairs_in(path: Path) -> dict[str, float]:
    """Return the numbers in lines of a name and a number, by name without a colon."""
    found = {}
    for line in (text_of(path) or "").splitlines():
        name, *words = line.split() or [""]
        if words and words[0].lstrip("-").isdecimal():
            found[name.rstrip(":")] = float(words[0])
    return found


def numbers(text: str) -> Iterator[int]:
    """Yield the numbers in a list of ranges such as `0-7,64-71`."""
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)

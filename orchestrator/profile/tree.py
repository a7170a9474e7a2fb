"""The tree of a profile: plain data in which every key and value knows its file, line and column.

A tree never changes: reading, merging and removing make new ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Keys = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top."""


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column are counted from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a profile: where, under which key, and what."""

    file: str
    line: int
    column: int
    key: str
    problem: str

    def __str__(self) -> str:
        """Return `file:line:column key — problem`, on one line and free of control characters."""
        place = f"{self.file}:{self.line}:{self.column}"
        text = f"{place} {self.key} — {self.problem}" if self.key else f"{place} — {self.problem}"
        return printable(text)


@dataclass(frozen=True)
class Node:
    """A value and its place."""

    mark: Mark
    value: str | float | bool | tuple[Node, ...] | Mapping[str, Entry] | None


@dataclass(frozen=True)
class Entry:
    """A key's place and its value."""

    mark: Mark
    node: Node


def fault(mark: Mark, keys: Keys, problem: str) -> Fault:
    """Return a fault at a place."""
    return Fault(mark.file, mark.line, mark.column, show_keys(keys), problem)


def entry_at(root: Node, keys: Keys) -> Entry | None:
    """Return the entry that stands under these keys of mappings; None if there is none."""
    found, node = None, root
    for key in keys:
        found = node.value.get(str(key)) if isinstance(node.value, Mapping) else None
        if found is None:
            return None
        node = found.node
    return found


def printable(text: str) -> str:
    """Return a text on one line, its control characters spelled out, so that no file can steer a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def show_keys(keys: Keys) -> str:
    """Return keys as people write them, such as `container.mounts[0].source`; odd keys are quoted."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if re.fullmatch(r"[\w<-][\w<.-]*", key) else repr(key))
    return text


def plain(node: Node) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the data without its places."""
    if isinstance(node.value, Mapping):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return node.value

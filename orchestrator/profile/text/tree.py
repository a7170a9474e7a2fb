"""The tree of a profile: plain data in which every key and value knows its file, line and column.

A tree never changes: reading, merging and removing make new ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    text: str = field(default="", compare=False)
    """A number as it stands in the file, where `1.10` is another text than `1.1`."""


@dataclass(frozen=True)
class Entry:
    """A key's place and its value."""

    mark: Mark
    node: Node


def fault(mark: Mark, keys: Keys, problem: str) -> Fault:
    """Return a fault at a place."""
    return Fault(mark.file, mark.line, mark.column, show_keys(keys), problem)


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


def entry_at(node: Node, keys: Keys) -> Entry:
    """Return the value that stands at keys, with the place of its key, or of itself if it is an item of a list."""
    entry = Entry(node.mark, node)
    for key in keys:
        value = entry.node.value
        if isinstance(value, Mapping) and isinstance(key, str):
            entry = value[key]
        elif isinstance(value, tuple) and isinstance(key, int) and key < len(value):
            entry = Entry(value[key].mark, value[key])
        else:
            raise KeyError(key)
    return entry


def is_at(node: Node, keys: Keys) -> bool:
    """Say whether something stands at keys."""
    try:
        entry_at(node, keys)
    except KeyError:
        return False
    return True


def nested(path: Sequence[str], entry: Entry) -> Node:
    """Return the tree that holds nothing but one value, at a path."""
    node = entry.node
    for name in reversed(path):
        node = Node(entry.mark, {name: Entry(entry.mark, node)})
    return node


def marked(data: Any, mark: Mark) -> Node:
    """Return the tree of plain data, all of it at one place."""
    if isinstance(data, Mapping):
        return Node(mark, {key: Entry(mark, marked(item, mark)) for key, item in data.items()})
    if isinstance(data, list | tuple):
        return Node(mark, tuple(marked(item, mark) for item in data))
    return Node(mark, data)


def plain(node: Node) -> Any:
    """Return the data without its places."""
    if isinstance(node.value, Mapping):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return node.value

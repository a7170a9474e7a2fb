"""Reads YAML text into a tree.

A tree holds text, numbers, true, false, null, lists and mappings with text keys, of bounded size and depth;
whatever else a text says (a duplicate key, a tag, a recursive alias) is a fault with its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from orchestrator.errors import ProfileError
from orchestrator.profile.text.scalars import PATTERNS, PREFIX, Composer
from orchestrator.profile.text.tree import Entry, Fault, Keys, Mark, Node, fault
from orchestrator.text import Text

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000

_TAGS = {"map": ("map",), "seq": ("seq",), "scalar": ("str", "merge", "bool", "int", "float", "null")}
_PLAIN_WORDS = (
    ("expected '<document start>'", "this stands outside of the profile's one mapping"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("mapping values are not allowed", "':' is not expected here; put text that holds ': ' in quotes"),
    ("could not find expected ':'", "':' is missing after this key"),
    ("found undefined alias", "an alias without its anchor; put text that begins with * in quotes"),
    ("found character '\\t'", "a tab is not expected here; indent with spaces"),
)


@dataclass(frozen=True)
class Document:
    """What one text holds, as far as it could be read, and its faults."""

    root: Node | None
    faults: tuple[Fault, ...]


def read_text(path: Path) -> str:
    """Return a profile's text; raise ProfileError, naming the path, where that cannot be."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProfileError(
            Text("cannot read {path}: byte {start} is not UTF-8", path=path, start=error.start + 1)
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ProfileError(Text("cannot read {path}: {reason}", path=path, reason=reason)) from error
    if len(content) > MAX_BYTES:
        raise ProfileError(
            Text("cannot read {path}: more than {max_bytes} bytes is no profile", path=path, max_bytes=MAX_BYTES)
        )
    return text


def parse_profile(text: str, file: str) -> Document:
    """Return the tree of a profile's text; its root is a mapping, empty for an empty text."""
    document = parse(text, file)
    root = document.root
    if root is None or isinstance(root.value, Mapping):
        return document
    if root.value is None:
        return Document(Node(root.mark, {}), document.faults)
    return Document(None, (*document.faults, fault(root.mark, (), "a profile is a mapping of keys to values")))


def parse(text: str, file: str, shift: int = 0) -> Document:
    """Return the tree of a YAML text; `shift` is the number of columns before it in its first line."""
    try:
        loader = Composer(text)
        try:
            composed = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        return Document(None, (_syntax_fault(error, text, file, shift),))
    if composed is None:
        return Document(Node(Mark(file, 1, 1 + shift), None), ())
    builder = _Builder(file, shift)
    try:
        return Document(builder.build(composed, ()), tuple(builder.faults))
    except _StopReading as stop:
        return Document(None, (*builder.faults, stop.fault))


class _StopReading(Exception):
    """The way out of a recursion that would not end."""

    def __init__(self, found: Fault) -> None:
        super().__init__(found)
        self.fault = found


@dataclass
class _Builder:
    """Turns PyYAML's nodes into a tree and collects the faults on the way."""

    file: str
    shift: int
    faults: list[Fault] = field(default_factory=list)
    open_nodes: set[int] = field(default_factory=set)
    count: int = 0

    def build(self, node: yaml.Node, keys: Keys) -> Node:
        mark = self.mark(node)
        self.count += 1
        if self.count > MAX_VALUES:
            raise _StopReading(fault(mark, keys, f"more than {MAX_VALUES} values; aliases multiply them"))
        if id(node) in self.open_nodes:
            raise _StopReading(fault(mark, keys, "an alias stands inside the value that it repeats"))
        self.open_nodes.add(id(node))
        built: Any
        if isinstance(node, yaml.MappingNode):
            kind, built = "map", self.mapping(node, keys)
        elif isinstance(node, yaml.SequenceNode):
            kind, built = "seq", tuple(self.build(item, (*keys, i)) for i, item in enumerate(node.value))
        else:
            kind, built = "scalar", self.scalar(node, keys)
        if node.tag.removeprefix(PREFIX) not in _TAGS[kind]:
            self.fault(mark, keys, "a tag means nothing here; put text that begins with ! in quotes")
        self.open_nodes.discard(id(node))
        is_number = isinstance(built, int | float) and not isinstance(built, bool)
        return Node(mark, built, str(node.value) if is_number else "")

    def mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            mark = self.mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault(mark, keys, "a key is text, not a list or a mapping")
                continue
            inner = (*keys, key_node.value)
            self.check_text(mark, inner, key_node.value)
            if key_node.tag == PREFIX + "merge":
                inherited = {**self.merged(value_node, inner), **inherited}
                continue
            entry = Entry(mark, self.build(value_node, inner))
            first = entries.setdefault(key_node.value, entry).mark
            if first != mark:
                self.fault(mark, inner, f"duplicate key; first given at line {first.line}, column {first.column}")
        return {**inherited, **entries}

    def merged(self, node: yaml.Node, keys: Keys) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            built = self.build(source, keys)
            if isinstance(built.value, Mapping):
                entries = {**built.value, **entries}
            else:
                self.fault(built.mark, keys, "<< takes a mapping or a list of mappings")
        return entries

    def scalar(self, node: yaml.Node, keys: Keys) -> str | float | bool | None:
        mark = self.mark(node)
        tag, text = node.tag.removeprefix(PREFIX), str(node.value)
        if tag not in ("bool", "int", "float", "null"):
            self.check_text(mark, keys, text)
            return text
        if PATTERNS[tag][0].match(text) is None:
            self.fault(mark, keys, f"not a value of the type {tag}")
            return None
        if tag == "bool":
            return text.lower() == "true"
        return None if tag == "null" else self.number(mark, keys, text, tag)

    def number(self, mark: Mark, keys: Keys, text: str, tag: str) -> float | str:
        try:
            value = int(text) if tag == "int" else float(text)
        except ValueError:  # Python's limit on the digits of an integer
            value = math.inf
        if not math.inf > value > -math.inf:
            self.fault(mark, keys, "the number is too large; put text, such as a revision, in quotes")
            return text
        return value

    def check_text(self, mark: Mark, keys: Keys, text: str) -> None:
        bad = next((char for char in text if char == "\0" or "\ud800" <= char <= "\udfff"), None)
        if bad is not None:
            self.fault(mark, keys, f"character U+{ord(bad):04X} cannot be passed to a program")

    def fault(self, mark: Mark, keys: Keys, problem: str) -> None:
        self.faults.append(fault(mark, keys, problem))

    def mark(self, node: yaml.Node) -> Mark:
        return _mark(self.file, node.start_mark.line, node.start_mark.column, self.shift)


def _mark(file: str, line: int, column: int, shift: int) -> Mark:
    return Mark(file, line + 1, column + 1 + (shift if line == 0 else 0))


def _syntax_fault(error: yaml.YAMLError, text: str, file: str, shift: int) -> Fault:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        mark = _mark(file, before.count("\n"), len(before) - before.rfind("\n") - 1, shift)
        return fault(mark, (), f"character U+{ord(text[error.position]):04X} may not stand in a YAML file")
    assert isinstance(error, yaml.MarkedYAMLError)  # noqa: S101 - every other error of the composer
    problem = str(error.problem)
    place = error.problem_mark
    if problem.startswith("could not find expected ':'"):
        place = error.context_mark
    line, column = (place.line, place.column) if place is not None else (0, 0)
    words = next((words for sign, words in _PLAIN_WORDS if sign in problem), f"not YAML: {problem}")
    return fault(_mark(file, line, column, shift), (), words)

"""Reads `KEY=VALUE` overrides from a command line into trees, as if each were a file that says one thing.

A value is never repeated in a place or a message: it may be a password that does not belong there.
"""

from __future__ import annotations

from orchestrator.profile.schema.keys import split_key
from orchestrator.profile.text.document import Document, parse
from orchestrator.profile.text.tree import Entry, Mark, Node, fault


def place(text: str) -> str:
    """Return what stands for the file's name where an override is at fault."""
    key, equals, _ = text.partition("=")
    return f"--set {key}" if equals else "--set"


def parse_override(text: str) -> Document:
    """Return the tree of an override such as `server.port=8010`; the value is YAML, no value is null."""
    key, equals, value = text.partition("=")
    file = place(text)
    start = Mark(file, 1, 1)
    if not equals or not key:
        return Document(None, (fault(start, (), "write KEY=VALUE, such as server.port=8010"),))
    path = split_key(key)
    if path[0] == "extends":
        return Document(None, (fault(start, path, "only a file can extend another"),))
    document = parse(value, file, len(key) + 1)
    if document.root is None or document.faults:
        return Document(None, document.faults)
    node = document.root
    column = len(key) + 2
    for name in reversed(path):
        column -= len(name) + 1
        mark = Mark(file, 1, column)
        node = Node(mark, {name: Entry(mark, node)})
    return Document(node, ())

"""Mappings that docker writes as a list of names, each with its value: read from that form into the other.

They are read before a file is laid over another, so that entries merge by their names in whatever form each file gives
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.profile.text.tree import Entry, Fault, Keys, Node, fault

SECTION = "container"


@dataclass(frozen=True)
class PairForm:
    """How docker writes one entry."""

    problem: str
    """What is wrong with an item that cannot be read."""
    separators: str = "="
    """What may stand between name and value; the first that a text holds counts."""
    alone: bool = False
    """Whether a name may stand alone; its value is then empty."""
    several: bool = False
    """Whether a name may have several values, each in an item of its own."""

    def read(self, text: object) -> tuple[str, str] | None:
        """Return name and value of one item; None for what is none."""
        if not isinstance(text, str) or not text:
            return None
        separator = next((mark for mark in self.separators if mark in text), None)
        if separator is None:
            return (text, "") if self.alone else None
        name, _, value = text.partition(separator)
        return (name, value) if name else None


PLAIN = PairForm("must be a mapping of keys to values, or a list of NAME=VALUE")
ALONE = replace(PLAIN, alone=True)
HOSTS = PairForm("must be a name and its address, such as hub:10.0.0.2", "=:", several=True)
FORMS: Mapping[str, PairForm] = {
    "labels": ALONE, "log_options": PLAIN, "sysctls": PLAIN, "ulimits": PLAIN, "extra_hosts": HOSTS,
}  # fmt: skip
"""The mappings of the container section that have both forms."""


def twice(name: str) -> str:
    """Return what is wrong with a second item of a name."""
    return f"'{name}' is given twice"


def paired(root: Node) -> tuple[Node, tuple[Fault, ...]]:
    """Return a tree in which each mapping has the form of one, and the faults of the items that cannot be read.

    An empty list stays one: laid over a mapping it takes all of it away.
    """
    faults: list[Fault] = []
    made = root
    for name, form in FORMS.items():
        entry = _entry(made, name)
        if entry is not None and entry.node.value and isinstance(entry.node.value, str | tuple):
            found, wrong = _as_mapping(entry.node, (SECTION, name), form)
            made = _with(made, name, found)
            faults += wrong
    return made, tuple(faults)


def with_list_of_hosts(root: Node) -> Node:
    """Return a tree in which hosts have the form of a list again, which the schema checks item by item."""
    entry = _entry(root, "extra_hosts")
    if entry is None or not isinstance(entry.node.value, Mapping):
        return root
    items = [
        Node(item.mark, f"{name}:{item.value}")
        for name, host in entry.node.value.items()
        for item in (host.node.value if isinstance(host.node.value, tuple) else (host.node,))
        if isinstance(item.value, str)
    ]
    whole = len(items) == sum(_count(host.node) for host in entry.node.value.values())
    return _with(root, "extra_hosts", replace(entry.node, value=tuple(items))) if whole else root


def _count(node: Node) -> int:
    return len(node.value) if isinstance(node.value, tuple) else 1


def _as_mapping(node: Node, keys: Keys, form: PairForm) -> tuple[Node, list[Fault]]:
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    for place, item in _items(node, keys):
        pair = form.read(item.value)
        if pair is None:
            faults.append(fault(item.mark, place, form.problem))
            continue
        name, value = pair
        first, read = entries.get(name), Node(item.mark, value)
        if first is None:
            entries[name] = Entry(item.mark, read)
        elif form.several:
            before = first.node.value if isinstance(first.node.value, tuple) else (first.node,)
            entries[name] = replace(first, node=Node(first.mark, (*before, read)))
        else:
            faults.append(fault(item.mark, place, twice(name)))
    return Node(node.mark, entries), faults


def _items(node: Node, keys: Keys) -> Iterator[tuple[Keys, Node]]:
    if not isinstance(node.value, tuple):
        yield keys, node
        return
    for number, item in enumerate(node.value):
        yield (*keys, number), item


def _entry(root: Node, name: str) -> Entry | None:
    section = root.value.get(SECTION) if isinstance(root.value, Mapping) else None
    within = section.node.value if section is not None else None
    return within.get(name) if isinstance(within, Mapping) else None


def _with(root: Node, name: str, node: Node) -> Node:
    """Return a tree with another value of a key of the container section."""
    assert isinstance(root.value, Mapping)  # noqa: S101 - the key was found there
    section = root.value[SECTION]
    assert isinstance(section.node.value, Mapping)  # noqa: S101 - the key was found there
    within = {**section.node.value, name: replace(section.node.value[name], node=node)}
    return replace(root, value={**root.value, SECTION: replace(section, node=replace(section.node, value=within))})


def as_mapping(value: object, form: PairForm) -> object:
    """Return plain data in the form of a mapping; raise ValueError for items that cannot be read."""
    if not isinstance(value, str | list | tuple):
        return value
    made: dict[str, str] = {}
    items: Iterable[object] = [value] if isinstance(value, str) else value
    for item in items:
        pair = form.read(item)
        if pair is None:
            raise ValueError(form.problem)
        if pair[0] in made:
            raise ValueError(twice(pair[0]))
        made[pair[0]] = pair[1]
    return made

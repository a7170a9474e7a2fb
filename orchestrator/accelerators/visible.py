"""Reads the variables that choose cards: which ones a value names, and what is left where one counts within another."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.accelerators.names import ONE, by_number, by_uuid, is_lasting
from orchestrator.accelerators.vendors import CUDA, VENDORS, Vendor

HIDE = frozenset({"-1", "nodevfiles", "none", "void"})
"""Words that are no card, so that what comes after them is hidden too; Slurm writes the second."""
NUMBER = re.compile(r"0|[1-9]\d*", re.ASCII)
"""With a zero before it, some runtimes read a number as octal, and others as none."""
RANGE = re.compile(r"(\d+)-(\d+)", re.ASCII)
SLICE = re.compile(r"(\d+):\d+", re.ASCII)
"""A slice of a card as NVIDIA's toolkit counts it."""
MOST = 4096
"""More cards than any node has."""
ORDER = "CUDA_DEVICE_ORDER"
LEVEL_ZERO = "level_zero:"


@dataclass(frozen=True)
class Variable:
    """A variable as a profile sets it."""

    key: str
    """Where it stands, such as `server.env`."""
    value: str | None
    """None where it is known only when the deployment starts."""


@dataclass(frozen=True)
class Cards:
    """What of NVIDIA's cards of a node makes CUDA count them in another order than their driver does."""

    unlike: bool = False
    """They are of several models; unless told otherwise, CUDA counts the fastest first."""
    sliced: bool = False
    """One is cut into slices, which CUDA counts in place of it."""


@dataclass(frozen=True)
class Choice:
    """What some variables choose."""

    cards: tuple[str, ...] | None
    """Names of cards, in the order in which they are counted from then on; None is all of them."""
    by: tuple[str, ...] = ()
    """Each variable that has a say, as `NAME in KEY`."""
    unknown: tuple[str, ...] = ()
    """Those of which orch cannot tell what they choose."""


def chosen(text: str, numbering: str, none: frozenset[str] = HIDE) -> tuple[str, ...] | None:
    """Return the cards that a list names, in its order; None where it names all, or something that orch cannot read.

    Args:
        text: The list.
        numbering: Of the numbers in it.
        none: Words that are no card.
    """
    names: list[str] = []
    for item in _items(text):
        if item.lower() in none:
            continue
        read = _read(item, numbering)
        if read is None:
            return None
        names += read
    return tuple(dict.fromkeys(names))


def given_by(text: str, vendor: Vendor) -> tuple[str, ...] | None:
    """Return the cards that a variable for a vendor's OCI runtime names; None as in `chosen`."""
    if not _items(text):
        return () if "" in vendor.void else None
    return chosen(text, vendor.numbering, vendor.void)


def items(text: str) -> int | None:
    """Return how many cards a list names; None if that cannot be told."""
    cards = chosen(text, "")
    return None if cards is None else len(cards)


def innermost(lists: Container[str]) -> set[str]:
    """Return those of the variables that are set within which no other one of their vendor counts."""
    groups = [_groups(vendor, lists) for vendor in VENDORS]
    outer = {name for of_one in groups for group in of_one[:-1] for name in group}
    return {name for of_one in groups for group in of_one for name in group if name not in outer}


def disagreements(lists: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Yield each variable that names a number which the one it counts within does not leave, that one, how many."""
    pairs: dict[tuple[str, str], None] = {}
    for vendor in VENDORS:
        for outer_group, inner_group in pairwise(_groups(vendor, lists) if vendor.counted != "module" else []):
            pairs |= dict.fromkeys((inner, outer) for inner in inner_group for outer in outer_group)
    for inner, outer in pairs:
        view, cards = chosen(lists[outer], ""), chosen(lists[inner], "")
        if view and any(len(view) <= _number(card) < MOST for card in cards or ()):
            yield inner, outer, len(view)


def _groups(vendor: Vendor, lists: Container[str]) -> list[tuple[str, ...]]:
    """Return a vendor's variables that are set, each group counting within the one before it."""
    given = tuple(name for name in vendor.gives if name in lists)[:1]
    found = (given, *(tuple(name for name in group if name in lists) for group in vendor.filters))
    return [group for group in found if group]


def left_by(vendor: Vendor, variables: Mapping[str, Variable], cards: Cards) -> Choice:
    """Return what a vendor's variables leave a process of all cards.

    Args:
        vendor: Whose variables are looked at.
        variables: Those that the server sees, by name.
        cards: What of the node's cards matters to the order in which they are counted.
    """
    if blurring := [name for name in (*vendor.others, *vendor.blurs) if name in variables]:
        return Choice(None, unknown=tuple(f"{name} in {variables[name].key}" for name in blurring))
    view: tuple[str, ...] | None = None
    by: list[str] = []
    unknown: list[str] = []
    for group in vendor.filters:
        picks: list[tuple[str, ...] | None] = []
        for name in group:
            variable = variables.get(name)
            if variable is None or (variable.value == "" and not vendor.hidden_by_empty):
                continue
            picked = _filtered(name, variable.value, vendor, variables, cards)
            picks.append(_within(view, picked))
            (unknown if picked is None else by).append(f"{name} in {variable.key}")
        if picks and all(pick == () for pick in picks):
            return Choice((), tuple(by))
        if picks:
            view = None if None in picks else tuple(dict.fromkeys(card for pick in picks for card in pick or ()))
        if vendor.keeps_order and view is not None:
            view = tuple(sorted(view, key=_number))
    return Choice(None if unknown else view, tuple(by), tuple(unknown))  # what counts within an unknown list is unknown


def _items(text: str) -> list[str]:
    parts = (part.strip().strip("\"'").strip() for part in text.strip().strip("\"'").split(","))
    return [part for part in parts if part]


def _read(item: str, numbering: str) -> list[str] | None:
    if NUMBER.fullmatch(item):
        return [by_number(int(item), numbering)] if len(item) <= len(str(MOST)) else None
    if found := RANGE.fullmatch(item):
        first, last = int(found[1]), int(found[2])
        if not first <= last < MOST:
            return None
        return [by_number(number, numbering) for number in range(first, last + 1)]
    if found := SLICE.fullmatch(item):
        return [by_number(int(found[1]), numbering)]
    uuid = by_uuid(item)
    return None if uuid is None else [uuid]


def _filtered(
    name: str, value: str | None, vendor: Vendor, variables: Mapping[str, Variable], cards: Cards
) -> tuple[str, ...] | None:
    """Return the cards that a list of `filters` names, nothing where it hides all; None where that cannot be told."""
    if value is None:
        return None
    if vendor.counted == "ze":
        value = value.lower().removeprefix(LEVEL_ZERO)
    picked = chosen(value, vendor.counted, HIDE if vendor.hides else frozenset())
    if not picked:
        return picked if vendor.hides else None
    by_speed = cards.unlike and (ORDER not in variables or variables[ORDER].value != "PCI_BUS_ID")
    if name == CUDA and vendor.name == "NVIDIA" and (by_speed or cards.sliced):
        return picked if all(map(is_lasting, picked)) else None
    return picked


def _within(view: tuple[str, ...] | None, cards: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return what a list picks of a view, all of the view where it cannot be told."""
    if view is None or cards is None or not cards:
        return view if cards is None else cards
    numbers = [_number(card) for card in cards]
    return tuple(view[number] for number in numbers) if all(number < len(view) for number in numbers) else view


def _number(card: str) -> int:
    """Return the number of a card's name; one that no list has for a UUID."""
    digits = re.fullmatch(r"[a-z]*(\d+)", card.removeprefix(ONE))
    return int(digits[1]) if digits else MOST

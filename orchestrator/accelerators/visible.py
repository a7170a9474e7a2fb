"""Reads the variables that choose cards: which ones a value names, and what is left where one counts within another."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.accelerators.names import ONE, by_number, by_uuid
from orchestrator.accelerators.vendors import CUDA, VENDORS, Vendor

HIDE = frozenset({"-1", "nodevfiles", "none", "void"})
"""Words that hide every card; Slurm writes the second."""
RANGE = re.compile(r"(\d+)-(\d+)", re.ASCII)
SLICE = re.compile(r"(\d+):\d+", re.ASCII)
"""A slice of a card as NVIDIA's toolkit counts it."""
MOST = 4096
"""More cards than any node has."""
ORDER = "CUDA_DEVICE_ORDER"
LEVEL_ZERO = "level_zero:"
TILES = "ZE_FLAT_DEVICE_HIERARCHY"
"""Says whether Level Zero counts cards or their tiles."""


@dataclass(frozen=True)
class Variable:
    """A variable as a profile sets it."""

    key: str
    """Where it stands, such as `server.env`."""
    value: str | None
    """None where it is known only when the deployment starts."""


@dataclass(frozen=True)
class Choice:
    """What some variables choose."""

    cards: tuple[str, ...] | None
    """Names of cards, in the order in which they are counted from then on; None is all of them."""
    by: tuple[str, ...] = ()
    """Each variable that has a say, as `NAME in KEY`."""
    unknown: tuple[str, ...] = ()
    """Those of which orch cannot tell what they choose."""


def chosen(text: str, numbering: str) -> tuple[str, ...] | None:
    """Return the cards that a list names, in its order; None where it names all, or something that orch cannot read."""
    names: list[str] = []
    for item in (part.strip().strip("\"'").strip() for part in text.strip().strip("\"'").split(",")):
        if not item or item.lower() in HIDE:
            continue
        read = _read(item, numbering)
        if read is None:
            return None
        names += read
    return tuple(dict.fromkeys(names))


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


def left_by(vendor: Vendor, variables: Mapping[str, Variable], *, unlike_cards: bool) -> Choice:
    """Return what a vendor's variables leave a process of all cards.

    Args:
        vendor: Whose variables are looked at.
        variables: Those that the server sees, by name.
        unlike_cards: The node has NVIDIA cards of several models, so that CUDA counts them by their speed.
    """
    view: tuple[str, ...] | None = None
    by: list[str] = []
    unknown: list[str] = []
    for group in vendor.filters:
        picks: list[tuple[str, ...] | None] = []
        for name in group:
            variable = variables.get(name)
            if variable is None or (variable.value == "" and not vendor.hidden_by_empty):
                continue
            cards = _filtered(name, variable.value, vendor, variables, unlike_cards=unlike_cards)
            picks.append(_within(view, cards))
            (unknown if cards is None else by).append(f"{name} in {variable.key}")
        if picks and all(pick == () for pick in picks):
            return Choice((), tuple(by))
        if picks:
            view = None if None in picks else tuple(dict.fromkeys(card for pick in picks for card in pick or ()))
    return Choice(None if unknown else view, tuple(by), tuple(unknown))  # what counts within an unknown list is unknown


def _read(item: str, numbering: str) -> list[str] | None:
    if item.isascii() and item.isdigit():
        return [by_number(int(item), numbering)]
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
    name: str, value: str | None, vendor: Vendor, variables: Mapping[str, Variable], *, unlike_cards: bool
) -> tuple[str, ...] | None:
    if value is None:
        return None
    if vendor.counted == "ze":
        if TILES in variables:
            return None
        value = value.lower().removeprefix(LEVEL_ZERO)
    cards = chosen(value, vendor.counted)
    by_speed = name == CUDA and vendor.name == "NVIDIA" and unlike_cards
    if by_speed and (ORDER not in variables or variables[ORDER].value != "PCI_BUS_ID"):
        return () if cards == () else None
    return cards


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

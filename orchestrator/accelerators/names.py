"""The names of what is held, and which of them may mean the same card.

A card has one name in each numbering: its PCI address, an index of its runtime, a UUID, a device node, a number of a
vendor's toolkit. Two names of one numbering are the same card if they are equal; names of two numberings may always be
the same card. The node turns what it can into PCI addresses; see `addresses`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ALL = "accelerators"
"""All accelerators of the node."""
ONE = "accelerator-"
"""How the name of a single accelerator begins."""
UUID = re.compile(r"(GPU|MIG)-[0-9a-f]+(?:[-/][0-9a-f]+)*", re.IGNORECASE)
HEX = re.compile(r"0x([0-9a-f]{9,16})", re.IGNORECASE)
"""How AMD's toolkit writes a UUID; a shorter one could be an index."""
PCI = "pci-"
SLICE_OF = re.compile(r"MIG-(GPU-[0-9a-f-]+)/\d+/\d+", re.IGNORECASE)
"""How older NVIDIA drivers name a slice: by the card that it is of."""
NUMBERED = re.compile(r"(.*?)(\d+)")
BY_INDEX = ""
"""The numbering of the runtimes themselves: CUDA, HIP and their kin."""


def by_number(number: int, numbering: str = BY_INDEX) -> str:
    """Return the name of a card by its number in a numbering."""
    return f"{ONE}{numbering}{number}"


def by_uuid(text: str) -> str | None:
    """Return the name of a card by its UUID, that of a slice by its card's where it says it; None if it is no UUID."""
    if part := SLICE_OF.fullmatch(text):
        text = part[1]
    elif part := HEX.fullmatch(text):
        text = f"GPU-{part[1]:0>16}"
    return f"{ONE}{text[:4].upper()}{text[4:].lower().replace('/', '-')}" if UUID.fullmatch(text) else None


def by_address(domain: str, bus: str, device: str) -> str:
    """Return the name of a card by its PCI address, such as 0000, 3b and 00.0."""
    return f"{ONE}{PCI}{domain[-4:]}-{bus}-{device}"


def numbering_of_kind(kind: str) -> str:
    """Return the numbering of the CDI devices of a kind such as `amd.com/gpu`."""
    return f"cdi-{kind.replace('/', '-')}-"


def is_lasting(card: str) -> bool:
    """Say whether a card's name means the same card whatever the order and the number of those that are seen."""
    return is_uuid(card)


def collide(one: Iterable[str], other: Iterable[str]) -> bool:
    """Say whether two deployments want the same thing, or two things of which orch cannot tell that they differ."""
    return any(_same(name, wanted) for name in one for wanted in other)


def together(names: Iterable[str]) -> str:
    """Return names in as few words as they need: `accelerator-0…3, accelerator-7`."""
    numbers: dict[str, list[int]] = {}
    words = []
    for name in sorted(set(names)):
        one_of_many = is_card(name) and not (is_uuid(name) or name.startswith(ONE + PCI))
        numbered = NUMBERED.fullmatch(name) if one_of_many else None
        if numbered:
            numbers.setdefault(numbered[1], []).append(int(numbered[2]))
        else:
            words.append("all accelerators" if name == ALL else name)
    return ", ".join([f"{stem}{run}" for stem, found in numbers.items() for run in _runs(sorted(found))] + words)


def is_card(name: str) -> bool:
    """Say whether a name is that of a single accelerator."""
    return name.startswith(ONE)


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if ALL in (one, other):
        return is_card(one) or is_card(other)
    if not (is_card(one) and is_card(other)):
        return False
    (numbering, name), (its_numbering, its_name) = _in_its_numbering(one), _in_its_numbering(other)
    if numbering != its_numbering:
        return True
    if numbering in ("GPU-", "MIG-"):  # CUDA takes the beginning of a UUID for the whole
        return name.startswith(its_name) or its_name.startswith(name)
    return name == its_name


def _in_its_numbering(card: str) -> tuple[str, str]:
    rest = card.removeprefix(ONE)
    if is_uuid(card):
        return rest[:4].upper(), rest[4:].lower()
    if rest.startswith(PCI):
        return PCI, rest
    if numbered := NUMBERED.fullmatch(rest):
        return numbered[1], str(int(numbered[2]))
    return "?", rest


def is_uuid(card: str) -> bool:
    """Say whether the name of a card is a UUID, or the beginning of one."""
    return UUID.fullmatch(card.removeprefix(ONE)) is not None


def _runs(numbers: list[int]) -> list[str]:
    """Return sorted numbers with each run of them in one: `0…3`."""
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    return [f"{first}…{last}" if first < last else str(first) for first, last in zip(starts, ends, strict=True)]

"""The combinations that a `vary` section comes to, and what is wrong with a section that its types cannot tell."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.profile.schema.keys import FLAGS, split_key
from orchestrator.profile.schema.vary import Vary
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.profile.text.tree import Keys
from orchestrator.vllm.flag_names import read_name

Problems = Iterator[tuple[Keys, str]]

MOST = 256
"""Combinations that a section may come to before anything is excluded."""


@dataclass(frozen=True)
class Choice:
    """One value of one axis."""

    value: JsonValue
    keys: Keys
    """Where it stands in the section."""


Combination = Mapping[str, Choice]
"""A choice for each key that is set; the profile's own values stay for the others."""


def combinations(vary: Vary) -> tuple[Combination, ...]:
    """Return the combinations of a section without problems: all of the axes but the excluded, then the included.

    The first axis changes slowest.
    """
    included = ({key: Choice(value, ("include", number, key)) for key, value in entry.items()}
                for number, entry in enumerate(vary.include))  # fmt: skip
    return (*(item for item in _of_axes(vary) if not any(_matches(item, out) for out in vary.exclude)), *included)


def varied_keys(vary: Vary) -> tuple[str, ...]:
    """Return every key that some combination sets, the axes first."""
    return tuple(dict.fromkeys([*vary.axes, *(key for entry in vary.include for key in entry)]))


def text_of(value: JsonValue) -> str:
    """Return a value as one writes it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else _json(value)


def problems(vary: Vary) -> Problems:
    """Yield where in the section something is wrong, and what; a value is never repeated, it may be a password."""
    found = [*_of_all(vary), *_of_keys(vary), *_of_linked(vary), *_of_excluded(vary)]
    yield from found
    if found:
        return
    for number, out in enumerate(vary.exclude):
        if not any(_matches(item, out) for item in _of_axes(vary)):
            yield ("exclude", number), "matches no combination"
    if not combinations(vary):
        yield ("exclude",), "leaves no combination"


def _of_all(vary: Vary) -> Problems:
    if not vary.axes and not vary.include:
        yield (), "varies nothing; give axes, such as server.flags.max-num-seqs: [64, 128]"
    count = math.prod(_lengths(vary)) if vary.axes else 0
    if count + len(vary.include) > MOST:
        yield (), f"comes to more than {MOST} combinations"


def _of_keys(vary: Vary) -> Problems:
    for key, other in itertools.permutations(vary.axes, 2):
        above, below = split_key(other), split_key(key)
        if below[: len(above)] == above and below != above:
            yield ("axes", key), f"lies inside of the axis {other}"
    for other, key in itertools.combinations(vary.axes, 2):
        if _is_same_flag(split_key(other), split_key(key)):
            yield ("axes", key), f"is the same flag as the axis {other}"


def _is_same_flag(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether two keys are of one flag, and one of them gives what the other gives, or a part of it."""
    if one[:-1] not in FLAGS or one[:-1] != other[:-1]:
        return False
    names = read_name(one[-1]), read_name(other[-1])
    shorter = min(len(name.keys) for name in names)
    return names[0].flag == names[1].flag and names[0].keys[:shorter] == names[1].keys[:shorter]


def _of_linked(vary: Vary) -> Problems:
    seen: set[str] = set()
    for number, group in enumerate(vary.linked):
        if len(group) < 2:  # noqa: PLR2004 - a link has two ends
            yield ("linked", number), "links fewer than two axes"
        for position, key in enumerate(group):
            if key not in vary.axes:
                yield ("linked", number, position), _no_axis(key, vary)
            elif key in seen:
                yield ("linked", number, position), "is linked already"
            seen.add(key)
        lengths = {key: len(vary.axes[key]) for key in group if key in vary.axes}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            yield ("linked", number), f"linked axes need as many values each: {counts}"


def _of_excluded(vary: Vary) -> Problems:
    for number, out in enumerate(vary.exclude):
        if not out:
            yield ("exclude", number), "excludes everything; name the values to leave out"
        for key, value in out.items():
            if key not in vary.axes:
                yield ("exclude", number, key), _no_axis(key, vary)
            elif _json(value) not in map(_json, vary.axes[key]):
                yield ("exclude", number, key), "is not a value of this axis"


def _no_axis(key: str, vary: Vary) -> str:
    return f"'{key}' is not an axis{did_you_mean(nearest(key, vary.axes))}"


def _groups(vary: Vary) -> Iterator[tuple[str, ...]]:
    """Yield the axes that vary together, in the order of their first ones; an axis by itself is a group too."""
    seen: set[str] = set()
    for key in vary.axes:
        if key not in seen:
            group = next((group for group in vary.linked if key in group), (key,))
            seen.update(group)
            yield group


def _lengths(vary: Vary) -> list[int]:
    return [max(len(vary.axes[key]) for key in group if key in vary.axes) for group in _groups(vary)]


def _of_axes(vary: Vary) -> Iterator[Combination]:
    if not vary.axes:
        return
    groups = list(_groups(vary))
    for positions in itertools.product(*map(range, _lengths(vary))):
        chosen = {key: position for group, position in zip(groups, positions, strict=True) for key in group}
        yield {key: Choice(vary.axes[key][chosen[key]], ("axes", key, chosen[key])) for key in vary.axes}


def _matches(item: Combination, out: Mapping[str, JsonValue]) -> bool:
    return all(_json(item[key].value) == _json(value) for key, value in out.items())


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

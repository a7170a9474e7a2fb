"""Puts together what is written for one flag: its value, and values of single keys under dotted names."""

from __future__ import annotations

import copy
import json
from typing import cast

from pydantic import JsonValue

from orchestrator.vllm.flag_names import FlagName

Member = tuple[str, FlagName, JsonValue]
Problems = tuple[tuple[str, str], ...]


def put_together(members: list[Member]) -> tuple[JsonValue, Problems]:
    """Return a flag's whole value, and which names cannot be put together with those before them and why.

    Args:
        members: What is written for the flag: each with its name in the profile, that name taken apart, and the value.
    """
    whole: JsonValue = None
    problems = []
    bases = [member for member in members if not member[1].keys]
    for number, (text, name, value) in enumerate(bases):
        if number:
            problems.append((text, f"'{text}' and '{bases[0][0]}' are the same flag; keep one, vLLM takes the last"))
        else:
            whole = _own_value(name, value)
    dotted = [member for member in members if member[1].keys]
    if not dotted:
        return whole, tuple(problems)
    keyed = as_mapping(whole) if whole is not None else {}
    if keyed is None:
        problems.append((dotted[0][0], f"'{dotted[0][0]}' is a key of '{bases[0][0]}', whose value is no mapping"))
        return whole, tuple(problems)
    keyed = copy.deepcopy(keyed)
    for text, name, value in sorted(dotted, key=lambda member: member[1].adds):
        problem = _put(keyed, name, value)
        if problem:
            problems.append((text, f"'{text}' {problem}"))
    return cast("JsonValue", keyed), tuple(problems)


def as_mapping(value: JsonValue) -> dict[str, JsonValue] | None:
    """Return a flag's value as a mapping, be it one or the JSON text of one; None if it is neither."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _own_value(name: FlagName, value: JsonValue) -> JsonValue:
    if name.negates and isinstance(value, bool):
        return not value
    if name.level is not None and value is True:
        return name.level
    return value


def _put(whole: dict[str, JsonValue], name: FlagName, value: JsonValue) -> str:
    """Put a value at the keys of a dotted name; return why that cannot be done, or nothing."""
    if not all(name.keys):
        return "has an empty key between or after its dots"
    *outer, last = name.keys
    place = whole
    for depth, key in enumerate(outer, start=1):
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            return f"needs a mapping at '{'.'.join(name.keys[:depth])}', which is given another value"
        place = inner
    if name.adds:
        return _add(place, last, value)
    there = place.get(last)
    if last not in place:
        place[last] = copy.deepcopy(value)
    elif isinstance(there, dict) and isinstance(value, dict):
        return _merge(there, value)
    else:
        return f"gives '{'.'.join(name.keys)}' a value for the second time"
    return ""


def _merge(there: dict[str, JsonValue], value: dict[str, JsonValue]) -> str:
    for key, item in value.items():
        own = there.get(key)
        if isinstance(own, dict) and isinstance(item, dict):
            if problem := _merge(own, item):
                return problem
        elif key in there:
            return f"gives '{key}' a value for the second time"
        else:
            there[key] = copy.deepcopy(item)
    return ""


def _add(place: dict[str, JsonValue], key: str, value: JsonValue) -> str:
    """Add to a list as vLLM does: text is split at its commas."""
    there = place.setdefault(key, [])
    if not isinstance(there, list):
        return f"adds to '{key}', which is given another value than a list"
    match value:
        case list():
            there.extend(value)
        case str():
            there.extend(value.split(","))
        case _:
            there.append(value)
    return ""

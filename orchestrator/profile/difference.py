"""What differs between two resolved profiles, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any], sections: Sequence[str]) -> list[str]:
    """Return a line `key: old → new` for each value in these sections that is not the same."""
    return [line for section in sections for line in _walk(section, before.get(section), after.get(section))]


def _walk(key: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _walk(f"{key}.{name}", before.get(name), after.get(name))
    elif before != after:
        yield f"{key}: {_text(before)} → {_text(after)}"


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)

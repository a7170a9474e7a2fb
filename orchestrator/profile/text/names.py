"""Guesses which name was meant by a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHORTEST_BEGINNING = 3
"""From how many letters on a name counts as the beginning of another."""


def nearest(name: str, names: Iterable[str], count: int = 1) -> list[str]:
    """Return the names that a mistyped one may have meant, best first; case, `-` and `_` do not count."""
    meant = _plain(name)
    plain = {_plain(known): known for known in names}
    found = difflib.get_close_matches(meant, plain, n=count)
    if not found and len(meant) >= SHORTEST_BEGINNING:
        found = [known for known in plain if known.startswith(meant)][:count]
    return [plain[known] for known in found]


def did_you_mean(names: Iterable[str]) -> str:
    """Return `; did you mean 'a' or 'b'?`, or nothing for no names."""
    quoted = [f"'{name}'" for name in names]
    return f"; did you mean {' or '.join(quoted)}?" if quoted else ""


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()

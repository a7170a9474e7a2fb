"""How a flag is given: as a switch, by one word, by several, or anew for each value; and what its words are.

An image's own parser decides where it was asked; else the tables of `orchestrator.vllm.flag_kinds` do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from orchestrator.vllm.flag_kinds import BENCH, LOOKED_AT, SERVE
from orchestrator.vllm.versions import OLDEST_PLANNED, Version, parse_version

Kind = Literal["int", "size", "float", "json", "literal", "text"]
Program = Literal["serve", "bench"]
_LOOKED_AT = tuple(parse_version(version) or (0, 0, 0) for version in LOOKED_AT)
_ROW = re.compile(r"(?P<kind>[a-z]+)(?P<also>\|auto)?(?P<count>[+*?&]?)")


@dataclass(frozen=True)
class Form:
    """The form of one flag."""

    kind: Kind
    """What its words are."""
    count: int | str | None
    """How many words, as argparse says it: None is one, 0 is a switch."""
    negatable: bool = False
    """It has a `--no-…`."""
    repeated: bool = False
    """Each of several values wants the flag anew."""
    also: tuple[str, ...] = ()
    """Words that it takes beside those of its kind."""

    @property
    def is_switch(self) -> bool:
        """Say whether it takes no value."""
        return self.count == 0

    @property
    def takes_words(self) -> bool:
        """Say whether several words may follow one flag."""
        return self.count not in (None, "?", 0)


History = tuple[tuple["Version", Form], ...]


def form_of(flag: str, version: str | None = None, program: Program = "serve") -> Form | None:
    """Return how a flag is given, for all that is known: where versions differ, as in the nearest one looked at.

    Args:
        flag: Its long name, as `read_name` tells it.
        version: Version of vLLM; None is the newest.
        program: Whose flag it is.
    """
    history = _histories(program).get(flag)
    at = _release(version)
    if history is None:
        return None
    return history[-1][1] if at is None else history[_place(history, at)][1]


def certain_form(flag: str, version: str | None, program: Program = "serve") -> Form | None:
    """Return how a flag is given in a version; None where the versions around it, or all versions, do not agree."""
    history = _histories(program).get(flag)
    if history is None:
        return None
    at = _release(version)
    if at is None:
        return history[0][1] if len(history) == 1 else None
    place = _place(history, at)
    following = history[place + 1 : place + 2]
    if following and at not in _LOOKED_AT and following[0][0] == _after(at):
        return None  # it changed somewhere between the versions that were looked at
    return history[place][1]


def _release(version: str | None) -> Version | None:
    at = parse_version(version or "")
    return at if at is not None and at >= OLDEST_PLANNED else None


def _place(history: History, at: Version) -> int:
    return max((number for number, (since, _) in enumerate(history) if since <= at), default=0)


def _after(at: Version) -> Version:
    return next((known for known in _LOOKED_AT if known >= at), _LOOKED_AT[-1])


@cache
def _histories(program: Program) -> Mapping[str, History]:
    """Return each flag's forms, each with the version from which on it is known to hold."""
    table = SERVE if program == "serve" else BENCH
    return {name: _history(row) for row, names in table.items() for name in names.split()}


def _history(row: str) -> History:
    first, *changes = row.split()
    parts = (change.partition(":") for change in changes)
    later = ((parse_version(version) or OLDEST_PLANNED, _form(text)) for version, _, text in parts)
    return ((OLDEST_PLANNED, _form(first)), *later)


def _form(text: str) -> Form:
    if text in ("switch", "toggle"):
        return Form("text", 0, negatable=text == "toggle")
    match = _ROW.fullmatch(text)
    kind = next(kind for kind in get_args(Kind) if match is not None and kind == match["kind"])
    count = match["count"] if match is not None else ""
    also = ("auto",) if match is not None and match["also"] else ()
    return Form(kind, None if count in ("", "&") else count, repeated=count == "&", also=also)

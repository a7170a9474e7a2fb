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

Kind = Literal["int", "size", "float", "json", "text"]
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
    return history[-1] if at is None else history[_before(at)]


def certain_form(flag: str, version: str | None, program: Program = "serve") -> Form | None:
    """Return how a flag is given in a version; None where the versions around it, or all versions, do not agree."""
    history = _histories(program).get(flag)
    if history is None:
        return None
    at = _release(version)
    around = set(history) if at is None else {history[_before(at)], history[_after(at)]}
    return around.pop() if len(around) == 1 else None


def _release(version: str | None) -> Version | None:
    at = parse_version(version or "")
    return at if at is not None and at >= OLDEST_PLANNED else None


def _before(at: Version) -> int:
    return max((number for number, known in enumerate(_LOOKED_AT) if known <= at), default=0)


def _after(at: Version) -> int:
    return next((number for number, known in enumerate(_LOOKED_AT) if known >= at), len(_LOOKED_AT) - 1)


@cache
def _histories(program: Program) -> Mapping[str, tuple[Form, ...]]:
    """Return each flag's form in each version that was looked at."""
    table = SERVE if program == "serve" else BENCH
    return {name: _history(row) for row, names in table.items() for name in names.split()}


def _history(row: str) -> tuple[Form, ...]:
    first, *changes = row.split()
    forms = [_form(first)] * len(LOOKED_AT)
    for change in changes:
        version, _, text = change.partition(":")
        start = LOOKED_AT.index(version)
        forms[start:] = [_form(text)] * (len(LOOKED_AT) - start)
    return tuple(forms)


def _form(text: str) -> Form:
    if text in ("switch", "toggle"):
        return Form("text", 0, negatable=text == "toggle")
    match = _ROW.fullmatch(text)
    kind = next(kind for kind in get_args(Kind) if match is not None and kind == match["kind"])
    count = match["count"] if match is not None else ""
    also = ("auto",) if match is not None and match["also"] else ()
    return Form(kind, None if count in ("", "&") else count, repeated=count == "&", also=also)

"""What the command-line parsers of one image's vLLM know, and what they would say of flags written as a mapping.

Only what a parser would refuse for certain is called wrong: a conversion of vLLM's own that is neither JSON nor a
number of Python's takes any text, for all that is known here.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.vllm.flags import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

NOTHING = ("", "None")
"""Texts that stand for no value where an option may have none."""
BEFORE_PARSER = ("O",)
"""Flags that vLLM takes out of the command line before the parser sees it."""
SHOWN_CHOICES = 12
"""How many choices are listed in a message."""


class Option(BaseModel):
    """One option of a parser."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    names: tuple[str, ...]
    """With their dashes; a switch that can be negated has its `--no-…` among them."""
    nargs: int | str | None
    """How many values, as argparse says it: none given is one, 0 is a switch."""
    choices: tuple[str, ...] | None
    kind: Literal["int", "float", "json", "text"]
    """What its values are."""
    deprecated: bool


class Parser(BaseModel):
    """What one parser knows."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    problem: str
    """Why it could not be asked; empty if it was."""
    dotted: bool
    """It makes JSON of `--flag.key value`."""
    options: tuple[Option, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Option]:
        """Return the options by each of their names."""
        return {name: option for option in self.options for name in option.names}

    def option(self, flag: str) -> Option | None:
        """Return the option that a flag of a profile means; None for one that the parser does not know.

        Words may be joined by underscores. Where argparse may abbreviate, so may a profile.
        """
        name = _dashed(flag)
        if name in self.by_name:
            return self.by_name[name]
        head, dot, _ = name.partition(".")
        if dot:
            return self.by_name.get(head) if self.dotted else None
        longer = {option.names: option for known, option in self.by_name.items() if known.startswith(name)}
        return next(iter(longer.values())) if len(longer) == 1 and name.startswith("--") else None

    def names(self) -> list[str]:
        """Return every flag as a profile would write it."""
        return [name.lstrip("-") for name in self.by_name]


class ImageParsers(BaseModel):
    """What an image answered."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    python: str
    vllm: str
    """Version of vLLM as its package says."""
    serve: Parser
    """The parser of `vllm serve`."""
    bench: Parser
    """The parser of `vllm bench serve`."""


def wrong_value(option: Option, flag: str, value: JsonValue) -> str | None:
    """Return what the parser has against a flag's value, as it is written for it; None if nothing for certain."""
    if value is None:
        return None
    if value is False:
        negated = f"--no-{flag.replace('_', '-')}"
        return None if negated in option.names else f"has no form {negated}; null leaves the flag out"
    if value is True:
        return None if option.nargs in (0, "?", "*") else "needs a value"
    if option.nargs == 0:
        return "is a switch and takes no value; write true, or null to leave it out"
    if "." in flag:  # a key of a JSON value
        return None
    given = words(value)
    problems = (_wrong_word(option, word) for word in given)
    return _wrong_count(option, len(given)) or next(filter(None, problems), None)


def _wrong_count(option: Option, count: int) -> str | None:
    if option.nargs in (None, "?") and count != 1:
        return f"takes one value, not {count}"
    if isinstance(option.nargs, int) and count != option.nargs:
        return f"takes {option.nargs} values, not {count}"
    return None


def _wrong_word(option: Option, word: str) -> str | None:
    if option.choices is not None:
        if word in option.choices:
            return None
        shown = ", ".join(option.choices[:SHOWN_CHOICES]) + (", …" if len(option.choices) > SHOWN_CHOICES else "")
        return f"is '{word}', but must be one of {shown}"
    match option.kind:
        case "int" if not _is(int, word):
            return f"is '{word}', but must be a whole number"
        case "float" if not _is(float, word):
            return f"is '{word}', but must be a number"
        case "json" if word not in NOTHING and not _is(json.loads, word):
            return "is not JSON; write it as a mapping"
        case _:
            return None


def _is(convert: object, word: str) -> bool:
    try:
        convert(word)  # type: ignore[operator]
    except ValueError:
        return False
    return True


def _dashed(flag: str) -> str:
    name, dot, key = flag.partition(".")
    return f"{'-' if len(flag) == 1 else '--'}{name.replace('_', '-')}{dot}{key}"

"""What the command-line parsers of one image's vLLM know, and what they would say of flags written as a mapping.

Only what a parser would refuse for certain is called wrong: a conversion of vLLM's own that is neither JSON nor a
Python literal nor a number takes any text, for all that is known here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from pydantic import BaseModel, ConfigDict, JsonValue

from orchestrator.vllm.flag_forms import Form, Kind
from orchestrator.vllm.flag_names import LEVEL, FlagName
from orchestrator.vllm.flags import Given, gathered, negation, words

NOTHING = ("", "None")
"""Texts that stand for no value where an option may have none."""
SHOWN_CHOICES = 12
"""How many choices are listed in a message."""
SIZE = re.compile(r"\s*(\d+(\.\d+)?[kmgt]|\d+[KMGT])\s*")
"""A whole number as people write it; vLLM takes decimals before a small letter alone."""
LITERAL_WANTED = (
    "is read as Python writes it, in this version alone: True, False and None for true, false and null; write a "
    "mapping and name the version in the image's tag, or write the text so"
)
LEVELS = ("0", "1", "2", "3")
"""What vLLM takes for the level of `-O` where its parser has no such option."""


class Option(BaseModel):
    """One option of a parser."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    names: tuple[str, ...]
    """With their dashes; a switch that can be negated has its `--no-…` among them."""
    nargs: int | str | None
    """How many values, as argparse says it: none given is one, 0 is a switch."""
    choices: tuple[str, ...] | None
    kind: Kind
    """What its values are."""
    deprecated: bool
    also: tuple[str, ...] = ()
    """Words that it takes beside those of its kind."""
    repeated: bool = False
    """Each value wants the option anew."""

    def form(self, name: FlagName) -> Form:
        """Return how the option is given under a name."""
        negatable = negation(name).replace("_", "-") in self.names
        return Form(self.kind, self.nargs, negatable=negatable, repeated=self.repeated, also=self.also)


class Parser(BaseModel):
    """What one parser knows."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    problem: str
    """Why it could not be asked; empty if it was."""
    options: tuple[Option, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Option]:
        """Return the options by each of their names."""
        return {name: option for option in self.options for name in option.names}

    def option(self, flag: str) -> Option | None:
        """Return the option that a flag of a profile means; None for one that the parser does not know."""
        return self.option_of(gathered({flag: None})[0].name)

    def option_of(self, name: FlagName) -> Option | None:
        """Return the option that a name means, which may be abbreviated where argparse would know it."""
        text = _dashed(name)
        if text in self.by_name:
            return self.by_name[text]
        longer = {option.names: option for known, option in self.by_name.items() if known.startswith(text)}
        return next(iter(longer.values())) if len(longer) == 1 and text.startswith("--") else None

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
    given = gathered({flag: value})[0]
    return wrong_form(option.form(given.name), given, option.choices)


def wrong_form(
    form: Form, given: Given, choices: Sequence[str] | None = None, written: Form | None = None
) -> str | None:
    """Return what is wrong with a flag's value; None if nothing for certain.

    Args:
        form: How the flag is to be given.
        given: The flag.
        choices: What its words must be among, if they must.
        written: How orch gives it, if that is not `form` itself.
    """
    value = given.value
    if value is None or isinstance(value, bool):
        return _wrong_switch(form, given)
    if form.is_switch:
        return "is a switch and takes no value; write true, or null to leave it out"
    written = written or form
    if isinstance(value, list) and len(value) > 1 and (written.repeated, form.repeated) != (False, False):
        return _wrong_repetition(form, written, value, choices)
    words_given = words(value, written)
    if words_given == ["--"]:
        return "is '--', which the parser drops where its Python is older than 3.13"
    problems = (_wrong_word(form, word, choices) for word in words_given)
    return _wrong_count(form, len(words_given)) or next(filter(None, problems), None)


def wrong_level(given: Given) -> str | None:
    """Return what vLLM has against the value of `-O` where its parser does not have it: it takes a level alone."""
    word = words(given.value)[0] if given.value is not None else LEVELS[0]
    return None if word in LEVELS else f"is '{word}', but -O takes a level from 0 to 3; JSON is for compilation-config"


def is_level(name: FlagName) -> bool:
    """Say whether a name is `-O`, which vLLM may take out of the command line before its parser sees it."""
    return name.option.startswith(f"-{LEVEL}")


def _wrong_switch(form: Form, given: Given) -> str | None:
    if given.value is False:
        return None if form.negatable else f"has no form {negation(given.name)}; null leaves the flag out"
    return None if given.value is None or form.count in (0, "?", "*") else "needs a value"


def _wrong_repetition(form: Form, written: Form, value: list[JsonValue], choices: Sequence[str] | None) -> str | None:
    if form.repeated and not written.repeated:
        return "wants the flag anew for each value, in this version alone; give one value"
    if not form.repeated:
        return "wants its values after one flag, in this version alone; give one value"
    return next(filter(None, (_wrong_word(form, words(item)[0], choices) for item in value)), None)


def _wrong_count(form: Form, count: int) -> str | None:
    if form.count in (None, "?") and count != 1:
        return f"takes one value, not {count}"
    if isinstance(form.count, int) and count != form.count:
        return f"takes {form.count} values, not {count}"
    return None


def _wrong_word(form: Form, word: str, choices: Sequence[str] | None) -> str | None:
    if choices is not None:
        if word in choices:
            return None
        shown = ", ".join(choices[:SHOWN_CHOICES]) + (", …" if len(choices) > SHOWN_CHOICES else "")
        return f"is '{word}', but must be one of {shown}"
    wanted = _wanted(form, word)
    if not wanted or word in form.also:
        return None
    return wanted if form.kind in ("json", "literal") else f"is '{word}', but must be {wanted}{_whole(word)}"


def _wanted(form: Form, word: str) -> str:
    """Return what a word should be that is not of the form's kind; nothing for one that is."""
    match form.kind:
        case "int" if not _is(int, word):
            return "a whole number"
        case "size" if not (SIZE.fullmatch(word) or _is(int, word)):
            return "a whole number, or one such as 8k"
        case "float" if not _is(float, word):
            return "a number"
        case "json" if word not in NOTHING and not _is(json.loads, word):
            return "is not JSON; write it as a mapping"
        case "literal" if not _is(ast.literal_eval, word):
            return LITERAL_WANTED
        case _:
            return ""


def _whole(word: str) -> str:
    """Return how to write a number that has a decimal point without need, such as YAML's 1e5."""
    return f"; write {int(float(word))}" if _is(float, word) and float(word).is_integer() else ""


def _is(convert: object, word: str) -> bool:
    try:
        convert(word)  # type: ignore[operator]
    except (ValueError, SyntaxError):
        return False
    return True


def _dashed(name: FlagName) -> str:
    return f"-{LEVEL}" if is_level(name) else name.option.replace("_", "-")

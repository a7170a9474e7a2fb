"""Flags written as a mapping, turned into the argument list that vLLM's parser reads; no shell ever sees them.

What is written for one flag in several forms, such as keys of its JSON value by their dotted names, becomes one
argument: it then means the same to versions that know no dotted names.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from orchestrator.vllm.flag_forms import Form, Program, form_of
from orchestrator.vllm.flag_names import COMPILATION, LEVEL, FlagName, read_name
from orchestrator.vllm.flag_values import put_together


@dataclass(frozen=True)
class Given:
    """One flag of a mapping, with whatever is written for it."""

    name: FlagName
    """Its name as it is first written."""
    value: JsonValue
    """Its whole value; None where it is to be left out."""
    written: tuple[str, ...]
    """The names in the mapping that it comes from."""
    problems: tuple[tuple[str, str], ...]
    """Names in the mapping, each with why it cannot be put together with those before it."""


def gathered(flags: Mapping[str, JsonValue]) -> list[Given]:
    """Return the flags of a mapping in the order in which they first occur, each once."""
    members: dict[str, list[tuple[str, FlagName, JsonValue]]] = {}
    for text, value in flags.items():
        name = meant(text, value)
        members.setdefault(name.flag, []).append((text, name, value))
    return [_given(group) for group in members.values()]


def to_argv(flags: Mapping[str, JsonValue], version: str | None = None, program: Program = "serve") -> list[str]:
    """Return the arguments for a mapping of flags, in its order.

    true gives `--name`, false `--no-name`, null nothing; numbers and text give `--name value`; a list gives
    `--name a b`, JSON where the flag takes JSON, or `--name a --name b` where it is to be repeated; a mapping gives
    its JSON, or what Python writes for it where the version reads that, and so do dotted names. A value that begins
    with a dash is joined by `=`, because the parser would take it for another flag. A short name of vLLM's, and a name
    of one letter, has one dash.

    Args:
        flags: The flags.
        version: Version of vLLM, where versions differ in how a list is given; None is the newest.
        program: Whose flags they are.
    """
    argv: list[str] = []
    for given in gathered(flags):
        option, value = given.name.option, given.value
        form = form_of(given.name.flag, version, program)
        match value:
            case None:
                continue
            case True:
                argv.append(option)
            case False:
                argv.append(negation(given.name))
            case list() if form is not None and form.repeated and value:
                argv += [word for item in value for word in _with_values(option, words(item))]
            case _ if given.name.level is not None:
                argv.append(option)
            case _:
                argv += _with_values(option, words(value, form))
    return argv


def negation(name: FlagName) -> str:
    """Return the option that says no to a switch; a short name has none of its own."""
    if name.negates:
        return name.option
    spelled = name.option.removeprefix("--")
    return f"--no-{name.flag if spelled.startswith('-') and len(name.flag) > 1 else spelled.lstrip('-')}"


def words(value: JsonValue, form: Form | None = None) -> list[str]:
    """Return the words by which a flag's value is given: several for a list, else one, which may be JSON.

    Args:
        value: The value; neither null nor a switch's.
        form: How the flag is given; None if that is not known.
    """
    match value:
        case [_, *_] if form is not None and form.takes_words:
            return [word for item in value for word in words(item)]
        case list() | dict() if form is not None and form.kind == "literal":
            return [_literal(value)]
        case list() if form is not None and form.kind == "json":
            return [_json(value)]
        case [_, *_] if not any(isinstance(item, list | dict) for item in value):
            return [_scalar(item) for item in value]
        case list() | dict():
            return [_json(value)]
        case _:
            return [_scalar(value)]


def lookup(flags: Mapping[str, JsonValue], *names: str) -> JsonValue:
    """Return the value of the first of these flags that is given, in whatever form it is; None if none is."""
    values = {given.name.flag: given.value for given in gathered(flags)}
    found = (values.get(read_name(name).flag) for name in names)
    return next((value for value in found if value is not None), None)


def written_as(flags: Mapping[str, JsonValue], name: str) -> str:
    """Return how a mapping writes a flag's name; the name itself if the flag is not in it."""
    flag = read_name(name).flag
    return next((given.written[0] for given in gathered(flags) if given.name.flag == flag), name)


SIZES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
"""What vLLM multiplies by for a letter behind a number."""


def whole_number(value: JsonValue) -> int | None:
    """Return a value as the number that vLLM reads from it, such as 8192, `"8192"` or 8k; None if it is no count."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    match = re.fullmatch(r"(\d+|\d+\.\d+(?=[kmgt]))([kmgtKMGT]?)", str(value).strip())
    if match is None:
        return None
    return int(float(match[1]) * SIZES[match[2]]) if match[2] else int(match[1])


def tensor_parallel_size(flags: Mapping[str, JsonValue]) -> int:
    """Return how many devices one model replica is spread over."""
    return whole_number(lookup(flags, "tensor-parallel-size")) or 1


def served_model(model: str, flags: Mapping[str, JsonValue]) -> str:
    """Return the name under which the server offers the model: the first served name, else the model itself."""
    value = lookup(flags, "served-model-name")
    if isinstance(value, list) and value:
        value = value[0]
    return _scalar(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else model


API_KEY = "VLLM_API_KEY"
"""Variable of the server that holds its key."""
CLIENT_KEY = "OPENAI_API_KEY"
"""Variable in which the benchmark client looks for it."""


def api_key(flags: Mapping[str, JsonValue], env: Mapping[str, object]) -> str | None:
    """Return the key that the server wants to be shown, from its flags or its environment, if it wants one."""
    value = lookup(flags, "api-key")
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = _scalar(value)
    found = value if isinstance(value, str) else env.get(API_KEY)
    return found if isinstance(found, str) else None


def meant(text: str, value: object) -> FlagName:
    """Return the name of the flag that takes such a value: a mapping makes `-O` the compilation config."""
    name = read_name(text)
    return replace(name, flag=COMPILATION) if name.option == f"-{LEVEL}" and isinstance(value, Mapping) else name


def _given(members: list[tuple[str, FlagName, JsonValue]]) -> Given:
    value, problems = put_together(members)
    name = members[0][1]
    if name.option.startswith(f"-{LEVEL}") and name.flag == COMPILATION:
        name = replace(name, option=f"--{COMPILATION}")  # which takes JSON in all versions
    return Given(name, value, tuple(text for text, _, _ in members), problems)


def _scalar(value: JsonValue) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return str(value)


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _literal(value: JsonValue) -> str:
    """Return a value as Python writes it; as JSON where that is the same to Python."""
    text = _json(value)
    try:
        return text if ast.literal_eval(text) == value else repr(value)
    except ValueError:
        return repr(value)


def _with_values(option: str, values: list[str]) -> list[str]:
    if len(values) == 1 and values[0].startswith("-"):
        return [f"{option}={values[0]}"]
    return [option, *values]

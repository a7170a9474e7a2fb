"""Flags written as a mapping, turned into the argument list that vLLM's parser reads; no shell ever sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue


def to_argv(flags: Mapping[str, JsonValue]) -> list[str]:
    """Return the arguments for a mapping of flags, in its order.

    true gives `--name`, false `--no-name`, null nothing; numbers and text give `--name value`; a list gives
    `--name a b`; a mapping, or a list that holds one, gives its JSON. A value that begins with a dash is joined by `=`,
    because the parser would take it for another flag. A name of one letter has one dash.
    """
    argv: list[str] = []
    for name, value in flags.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name}"
        match value:
            case None:
                continue
            case True:
                argv.append(flag)
            case False:
                argv.append(f"--no-{name}")
            case _:
                argv += _with_values(flag, words(value))
    return argv


def words(value: JsonValue) -> list[str]:
    """Return the words by which a flag's value is given: several for a list, else one, which may be JSON."""
    match value:
        case list() if value and not any(isinstance(item, list | dict) for item in value):
            return [_scalar(item) for item in value]
        case list() | dict():
            return [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
        case _:
            return [_scalar(value)]


def lookup(flags: Mapping[str, JsonValue], *names: str) -> JsonValue:
    """Return the value of the first of these flags that is given, however its words are joined; None if none is."""
    plain = {name.replace("_", "-"): value for name, value in flags.items()}
    return next((plain[name] for name in names if plain.get(name) is not None), None)


def tensor_parallel_size(flags: Mapping[str, JsonValue]) -> int:
    """Return how many devices one model replica is spread over."""
    value = lookup(flags, "tensor-parallel-size")
    return value if isinstance(value, int) else 1


def served_model(model: str, flags: Mapping[str, JsonValue]) -> str:
    """Return the name under which the server offers the model: the first served name, else the model itself."""
    value = lookup(flags, "served-model-name")
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else model


API_KEY = "VLLM_API_KEY"
"""Variable of the server that holds its key."""
CLIENT_KEY = "OPENAI_API_KEY"
"""Variable in which the benchmark client looks for it."""


def api_key(flags: Mapping[str, JsonValue], env: Mapping[str, object]) -> str | None:
    """Return the key that the server wants to be shown, from its flags or its environment, if it wants one."""
    value = lookup(flags, "api-key")
    if isinstance(value, list) and value:
        value = value[0]
    found = value if isinstance(value, str) else env.get(API_KEY)
    return found if isinstance(found, str) else None


def _scalar(value: JsonValue) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return str(value)


def _with_values(flag: str, values: list[str]) -> list[str]:
    if len(values) == 1 and values[0].startswith("-"):
        return [f"{flag}={values[0]}"]
    return [flag, *values]

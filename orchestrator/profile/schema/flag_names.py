"""Checks the flags of a profile by what can be said of them without any version of vLLM.

A flag is known by whatever form its name has: one that another key owns, one that is given twice, and one that orch
cannot work with are faults of the profile, each with its place and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidatorFunctionWrapHandler

from orchestrator.profile.schema.problems import Problem, checked
from orchestrator.vllm.flag_forms import Program, form_of
from orchestrator.vllm.flag_kinds import KNOWN
from orchestrator.vllm.flag_names import FlagName, read_name
from orchestrator.vllm.flags import gathered, words

KEY = "[key]"
"""In a place, the name of a mapping's entry in place of its value."""
NO_TLS = "orch and the benchmark client speak http to the server; leave TLS to a proxy before it"
NO_HTTP = "orch checks the server and measures it over http on server.port"
REFUSED = {
    "ssl-certfile": NO_TLS,
    "ssl-keyfile": NO_TLS,
    "headless": f"a headless server has no API, and {NO_HTTP}; leave it out",
    "uds": f"{NO_HTTP}, not through a socket file; leave it out",
    "grpc": f"{NO_HTTP}; leave it out",
    "help": "it prints a text and ends; see the flags with: docker run --rm IMAGE vllm serve --help (or bench serve)",
}
"""Flags with which a server starts that orch could neither see healthy nor measure."""
TURNED_ON = ("headless", "grpc", "help")
"""Of these, the switches, which do no harm when they are false."""
ORCH = "orch itself"
"""What owns a flag that no key of the profile sets."""
_SETTING = re.compile(r"[\w.-]+[:=]\S+")
_PLAIN = re.compile(r"[\w./:@+-]+")
"""A name, a number or a path."""


def check_flags(
    flags: Any,
    handler: ValidatorFunctionWrapHandler,
    owned: Mapping[str, str],
    program: Program = "serve",
) -> Any:
    """Return the flags; raise what is wrong with each.

    Args:
        flags: What the profile holds.
        handler: The validator of each name and value.
        owned: Flags that other keys of the profile set, with those keys.
        program: Whose flags they are.
    """
    return checked(flags, handler, _problems(flags, owned, program) if isinstance(flags, Mapping) else ())


def _problems(flags: Mapping[Any, Any], owned: Mapping[str, str], program: Program) -> Iterator[Problem]:
    named = {text: value for text, value in flags.items() if isinstance(text, str)}
    for text, value in named.items():
        name = read_name(text)
        if name.flag in owned:
            way = "; leave it out" if owned[name.flag] == ORCH else ""
            yield (text, KEY), f"'{text}' is set by {owned[name.flag]}{way}"
        elif whole := _beginning_of(name, owned):
            yield (text, KEY), f"'{text}' is short for '{whole}', which is set by {owned[whole]}"
        elif (program == "serve" or name.flag == "help") and (why := _refusal(name, value)):
            yield (text, KEY), f"'{text}' is not for orch: {why}"
        yield from _odd_values(text, name, value, program)
    for given in gathered(named):
        for text, problem in given.problems:
            yield (text, KEY), problem


def _beginning_of(name: FlagName, owned: Mapping[str, str]) -> str | None:
    """Return the flag of another key that vLLM's parser would take a name for; None if the name is a flag's own."""
    if name.flag in KNOWN or len(name.flag) == 1:
        return None
    return next((flag for flag in sorted(owned) if flag.startswith(name.flag)), None)


def _refusal(name: FlagName, value: object) -> str:
    if value is None or name.keys or (name.flag in TURNED_ON and value is name.negates):
        return ""
    if name.flag == "api-server-count" and value in (0, "0"):
        return REFUSED["headless"]
    return REFUSED.get(name.flag, "")


def _odd_values(text: str, name: FlagName, value: Any, program: Program) -> Iterator[Problem]:
    if (name.level is not None and value not in (None, True)) or (name.negates and value is False):
        way = f"write true, or O: {name.level}" if name.negates is False else f"write {name.flag}: true"
        yield (text,), f"'{text}' says it all and takes no value; {way}"
    if name.keys or value is None or isinstance(value, bool):
        return
    form = form_of(name.flag, None, program)
    many = form is not None and (form.takes_words or form.repeated)
    if isinstance(value, Mapping):
        if many and program == "bench":
            listed = ", ".join(_pairs(name, value))
            yield (text,), f"'{text}' takes words and no mapping; write a list of them: [{listed}]"
        return
    if value == [] and many:
        yield (text,), f"'{text}' wants at least one value; null leaves the flag out"
        return
    if many and isinstance(value, str) and (pairs := _several(value)):
        one = "" if _SETTING.fullmatch(pairs[0]) else f', or ["{value}"] if it is one'
        yield (text,), f"'{text}' takes several words, and a text is one of them; write [{', '.join(pairs)}]{one}"
    given = words(list(value) if isinstance(value, tuple) else value, form)
    for number, word in enumerate(given):
        place = (text, number) if isinstance(value, list) and len(given) == len(value) else (text,)
        if len(given) > 1 and not (form is not None and form.repeated) and _looks_like_a_flag(word):
            yield place, f"'{word}' in the list of '{text}' would be taken for another flag"


def _several(text: str) -> list[str]:
    """Return the words of a text that is several, such as `ttft:200 tpot:50` or `a b`; none where it may be one."""
    parts = text.split()
    whole = any(all(pattern.fullmatch(part) for part in parts) for pattern in (_SETTING, _PLAIN))
    return parts if parts[1:] and whole else []


def _pairs(name: FlagName, value: Mapping[Any, Any]) -> Iterator[str]:
    mark = ":" if name.flag == "goodput" else "="
    return (f'"{key}{mark}{item}"' for key, item in value.items())


def _looks_like_a_flag(word: str) -> bool:
    """Say whether a word among several would be taken for a flag; of numbers, only those with a decimal point are."""
    return word.startswith("-") and not word[1:].isdigit()

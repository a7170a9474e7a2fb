"""What advice proposes against what the profile says: advice that is followed already is left out.

The texts of advice name settings by their keys (`server.flags.enforce-eager: true`, `NCCL_DEBUG: INFO in server.env`),
so what they propose is read from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_VALUE = r"(?P<value>[\w./+-]*\w)"
_KEYED = re.compile(rf"\b(?P<key>(?:server\.flags\.[\w-]+|container\.\w+))(?:: | to ){_VALUE}")
_IN_ENVIRONMENT = re.compile(rf"\b(?P<key>[A-Z][A-Z0-9_]{{2,}})(?:: |=){_VALUE}(?= (?:\([^)]*\) )?in server\.env)")
_CLAUSES = "; "


def still_open(advice: str, settings: Mapping[str, str]) -> str:
    """Return an advice without the parts that the settings follow already; empty if nothing is left."""
    clauses = advice.removesuffix(".").split(_CLAUSES)
    left = [clause for clause in clauses if not _is_followed(clause, settings)]
    if len(left) == len(clauses):
        return advice
    text = _CLAUSES.join(left)
    return f"{text[0].upper() if text[:1].islower() and ':' not in text else text[0]}{text[1:]}." if text else ""


def _is_followed(clause: str, settings: Mapping[str, str]) -> bool:
    proposed = list(_proposed(clause))
    return bool(proposed) and all(settings.get(key, "").lower() == value.lower() for key, value in proposed)


def _proposed(clause: str) -> Iterator[tuple[str, str]]:
    for match in _KEYED.finditer(clause):
        key = match["key"]
        yield (key.replace("_", "-") if key.startswith("server.flags.") else key), match["value"]
    for match in _IN_ENVIRONMENT.finditer(clause):
        yield f"server.env.{match['key']}", match["value"]

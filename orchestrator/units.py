"""Sizes and durations as people write them in a profile, read into bytes and seconds."""

from __future__ import annotations

import re

from orchestrator.text import Text

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_UNIT = "(?:ms|s|m|h|d)"
SIZE_PATTERN = rf"^\s*{_NUMBER}\s*[kKmMgGtT]?(?:[iI]?[bB])?\s*$"
DURATION_PATTERN = rf"^(?=.*[1-9])\s*(?:{_NUMBER}|(?:{_NUMBER}\s*{_UNIT}\s*)+)\s*$"
"""A duration is more than nothing, so some digit is not 0."""
LONGEST_S = 366 * 86400.0
"""The longest time that a profile may give."""
MINUTE_S, HOUR_S = 60, 3600
_SIZE = re.compile(rf"({_NUMBER})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SIZE_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION_PART = re.compile(rf"({_NUMBER})\s*({_UNIT})")
_DURATION_FACTOR = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Return bytes for `64G`, `512m`, `1.5GiB` or `1024`; multiples are of 1024, as in Docker."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            Text("'{text}' is not a size; write bytes or a number with k, m, g or t, such as 64G", text=text)
        )
    return int(float(match[1]) * _SIZE_FACTOR[match[2].lower()])


def parse_duration(text: str) -> float:
    """Return seconds for `90`, `90s`, `30m`, `1h30m` or `250ms`."""
    stripped = text.strip()
    if re.fullmatch(_NUMBER, stripped):
        return float(stripped)
    parts = _DURATION_PART.findall(stripped)
    if not parts or _DURATION_PART.sub("", stripped).strip():
        raise ValueError(
            Text("'{text}' is not a duration; write seconds or a form such as 90s, 30m or 1h30m", text=text)
        )
    return sum(float(number) * _DURATION_FACTOR[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Return the two largest units of a duration, such as `1h 05m`, `12m 30s` or `8s`."""
    whole = round(seconds)
    if whole >= HOUR_S:
        return f"{whole // HOUR_S}h {whole % HOUR_S // MINUTE_S:02d}m"
    if whole >= MINUTE_S:
        return f"{whole // MINUTE_S}m {whole % MINUTE_S:02d}s"
    return f"{whole}s"

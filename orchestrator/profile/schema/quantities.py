"""Sizes and durations as keys of a profile hold them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from orchestrator.units import DURATION_PATTERN, LONGEST_S, SIZE_PATTERN, parse_duration, parse_size


def _read_size(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return parse_size(value) if isinstance(value, str) else value


def _read_size_or_unlimited(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return UNLIMITED if value == str(UNLIMITED) else _read_size(value)


def _read_duration(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return parse_duration(value) if isinstance(value, str) else value


Size = Annotated[
    int,
    Field(ge=0, strict=True),
    BeforeValidator(_read_size),
    WithJsonSchema(
        {
            "description": "Bytes, or a number with k, m, g or t (multiples of 1024), such as 64G.",
            "examples": ["64G"],
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": SIZE_PATTERN},
            ],
        }
    ),
]
"""A number of bytes."""

UNLIMITED = -1
"""What docker takes for no limit of some sizes."""
SizeOrUnlimited = Annotated[
    int,
    Field(ge=UNLIMITED, strict=True),
    BeforeValidator(_read_size_or_unlimited),
    WithJsonSchema(
        {
            "description": "Bytes, or a number with k, m, g or t (multiples of 1024), such as 64G; -1 is no limit.",
            "examples": ["64G", UNLIMITED],
            "anyOf": [
                {"type": "integer", "minimum": UNLIMITED},
                {"type": "string", "pattern": rf"{SIZE_PATTERN}|^{UNLIMITED}$"},
            ],
        }
    ),
]
"""A number of bytes, or no limit."""

Duration = Annotated[
    float,
    Field(gt=0, le=LONGEST_S, allow_inf_nan=False, strict=True),
    BeforeValidator(_read_duration),
    WithJsonSchema(
        {
            "description": "Seconds, or a form such as 90s, 30m or 1h30m.",
            "examples": ["1h30m"],
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_S},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
        }
    ),
]
"""A number of seconds."""

"""Raises several faults of a profile together: what pydantic finds and what orch finds beside it.

pydantic stops at the first exception of a validator and skips a model's own checks where a field is wrong. What
concerns several keys is therefore checked by the last of them, which sees the values of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, InitErrorDetails

UP = -1
"""In a place, one key up: to blame another key than the one that is checked. No list has this index."""

Place = tuple[str | int, ...]
"""Where below the checked value a problem stands."""
Problem = tuple[Place, "str | Lacking"]


class Lacking(ValueError):
    """A fault that goes away with one of some keys, named by their dotted paths, if that key is absent."""

    def __init__(self, text: str, *paths: str) -> None:
        super().__init__(text)
        self.keys = tuple(tuple(path.split(".")) for path in paths)


def checked(value: Any, handler: Callable[[Any], Any], problems: Iterable[Problem]) -> Any:
    """Return what the inner validators make of a value; raise ValidationError with their faults and these problems."""
    try:
        made = handler(value)
    except ValidationError as error:
        inner = [_again(item) for item in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(error.title, [*inner, *map(_details, problems)]) from None
    raise_all(problems)
    return made


def raise_all(problems: Iterable[Problem]) -> None:
    """Raise ValidationError with all problems, if there are any."""
    found = [_details(problem) for problem in problems]
    if found:
        raise ValidationError.from_exception_data("profile", found)


def given(info: ValidationInfo, key: str) -> bool:
    """Say whether a key before the checked one is there, be its value right or wrong."""
    return info.data.get(key, ...) is not None


def _details(problem: Problem) -> InitErrorDetails:
    place, what = problem
    error = ValueError(what) if isinstance(what, str) else what
    return InitErrorDetails(type="value_error", loc=place, input=None, ctx={"error": error})


def _again(error: ErrorDetails) -> InitErrorDetails:
    return InitErrorDetails(type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {}))

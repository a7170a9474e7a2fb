"""The work of a command is imported when the command is called, not when it is declared."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any


def work(place: str) -> Callable[[Callable[[], None]], Callable[..., Any]]:
    """Return a decorator by which a command's declaration calls its work.

    Args:
        place: Where the work is, as `module:function`; it takes the declared options by name.
    """
    module, _, function = place.partition(":")

    def decorate(declared: Callable[[], None]) -> Callable[..., Any]:
        @functools.wraps(declared)
        def call(**options: Any) -> Any:  # noqa: ANN401 - what was declared, and what the work returns
            return getattr(importlib.import_module(module), function)(**options)

        return call

    return decorate

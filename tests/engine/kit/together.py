"""Things done at the same time, because a process of orch mostly waits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Key = TypeVar("_Key")
_Result = TypeVar("_Result")


def together(work: Callable[[_Key], _Result], items: Iterable[_Key], limit: int = 8) -> dict[_Key, _Result]:
    """Return what came of each item; the first failure is raised when all have ended."""
    keys = list(items)
    with ThreadPoolExecutor(limit) as pool:
        return dict(zip(keys, pool.map(work, keys), strict=True))

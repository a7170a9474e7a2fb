"""The page of promises is true: it names just the tests whose docstrings name the promise, and they are there."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISE = r"[TFDVSKCE]\d+"
HEAD = re.compile(rf'"""(?:Promises? )?({PROMISE}(?:(?:, | and ){PROMISE})*):')
ROW = re.compile(rf"\| ({PROMISE}) \| (.+) \| (.+) \|")
NOT_YET = ["T10", "V4"]
"""Promises of work that is still to come."""


def written() -> dict[str, set[str]]:
    rows = [ROW.fullmatch(line) for line in (ROOT / "docs/promises.md").read_text(encoding="utf-8").splitlines()]
    return {row[1]: set(re.findall(r"`(tests/[^`]+)`", row[3])) for row in rows if row}


def kept() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        head = HEAD.match(path.read_text(encoding="utf-8"))
        for promise in re.findall(PROMISE, head[1]) if head else ():
            found[promise].add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("promise", sorted(written() | kept()))
def test_the_page_names_the_tests_that_name_the_promise(promise: str) -> None:
    assert written().get(promise) == kept().get(promise, set())


def test_only_what_is_still_to_come_is_kept_by_nothing() -> None:
    assert [promise for promise, kept_by in written().items() if not kept_by] == NOT_YET

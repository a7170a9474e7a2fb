"""The first real error of a log: what a worker or the engine core raised first, not the last frame of the last process.

A server of several processes ends in many tracebacks. The API server's says that the engine core failed, the engine
core's that a worker failed, and a process that lost its peer complains about that. These are recognised and set aside.
An error that the engine core quotes, or that ended its process, comes before one that was only logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from orchestrator.diagnosis.builds import build_errors
from orchestrator.diagnosis.lines import Line
from orchestrator.diagnosis.survived import is_deadly
from orchestrator.diagnosis.tracebacks import Failure, Findings
from orchestrator.diagnosis.wording import (
    ENGINE_SIDE,
    NATIVE,
    QUOTE_END,
    QUOTED,
    TROUBLE,
    USAGE,
    WRAPPERS,
    is_consequence,
)

SHOWN_ERRORS = 5
QUOTED_CHARACTERS = 120
"""So much of a quoted message is compared."""
REAL, NATIVE_END, LOGGED, PLAIN, CONSEQUENCE, WARNED, WRAPPER = range(7)
"""Tiers: an exception or usage error, words of compiled code, a line at level ERROR, and so on down."""

_RAISED = re.compile(r"(?:\w+\.){0,12}[A-Z]\w{0,80}(?:Error|Exception|Interrupt|Exit): \S")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")
_LONG_NUMBERS = re.compile(r"\d{2,}")
"""What differs between lines that are judged alike; single digits are kept, they are levels and parts of names."""


@dataclass(frozen=True)
class RootCause:
    """The line to read first."""

    text: str
    number: int
    """Line in the log; 0 for words that are not in it."""
    process: str
    tier: int = 0
    """How little it says: 0 for a real error, more for what may come of another one."""
    last: int = 0
    """Last line of its message."""
    is_deadly: bool = False
    """Whether a process is known to have ended by it."""
    chain: int = 0
    """Number of the chain of exceptions that it began; 0 for a line outside tracebacks."""

    @property
    def lines(self) -> range:
        """Return the lines of its message."""
        return range(self.number, max(self.number, self.last) + 1)


@dataclass(frozen=True)
class _Candidate:
    """A line that may be the root, with what speaks for it."""

    cause: RootCause
    follows: bool = False
    is_quoted: bool = False

    @property
    def ended_the_engine(self) -> bool:
        """Say whether a process that holds the model, or compiled code, is known to have ended by it."""
        cause = self.cause
        told = cause.tier == NATIVE_END or (cause.tier == REAL and bool(ENGINE_SIDE.search(cause.process)))
        return self.is_quoted or (told and cause.is_deadly)

    def below_an_end(self) -> _Candidate:
        """Return it as no more than a line at level ERROR, unless a process ended by it or the engine wrote it."""
        cause = self.cause
        if cause.tier != REAL or cause.is_deadly or self.is_quoted or ENGINE_SIDE.search(cause.process):
            return self
        return replace(self, cause=replace(cause, tier=LOGGED))

    @property
    def rank(self) -> tuple[int, bool, bool, bool, bool, int]:
        cause = self.cause
        engine_side = bool(ENGINE_SIDE.search(cause.process))
        return (
            cause.tier,
            not self.is_quoted,
            not cause.is_deadly,
            not engine_side,
            self.follows,
            cause.number,
        )


def root_cause(findings: Findings) -> RootCause | None:
    """Return the first real error of a log, or None if nothing in it looks like an error."""
    found = _ranked(findings)
    return found[0] if found else None


def first_errors(findings: Findings) -> tuple[RootCause, ...]:
    """Return the first few different errors in the order of the log, wrappers only if there is nothing else.

    Lines that differ in numbers alone are one error.
    """
    ranked = _ranked(findings)
    telling = [cause for cause in ranked if cause.tier < CONSEQUENCE] or [
        cause for cause in ranked if cause.tier < WRAPPER
    ]
    by_text: dict[str, RootCause] = {}
    for cause in telling or ranked:
        by_text.setdefault(_NUMBERS.sub("#", cause.text), cause)
    few = list(by_text.values())[:SHOWN_ERRORS]
    return tuple(sorted(few, key=lambda cause: cause.number))


def _ranked(findings: Findings) -> list[RootCause]:
    """Return exceptions and error lines, most telling first."""
    quotes = list(_quotes(findings))
    deadly = {failure.text for failure in findings.failures if is_deadly(failure)}
    found = [_of_failure(failure, quotes, deadly) for failure in findings.failures]
    told = {line.number for failure in findings.failures for line in failure.own_lines}
    builds = {line.number for line in build_errors(findings)}
    for line in findings.messages:
        if line.number in builds:
            cause = RootCause(line.text, line.number, line.process, REAL, is_deadly=bool(deadly))
            found.append(_Candidate(cause, is_quoted=True))
        elif line.number not in told and (tier := _message_tier(line)) is not None:
            ends = tier in (REAL, NATIVE_END) and not line.level
            found.append(_Candidate(RootCause(line.text, line.number, line.process, tier, is_deadly=ends)))
    found += _missing(quotes, found)
    if any(candidate.ended_the_engine for candidate in found):
        found = [candidate.below_an_end() for candidate in found]
    found.sort(key=lambda candidate: candidate.rank)
    return [candidate.cause for candidate in found]


@dataclass(frozen=True)
class _Quote:
    """What the engine core says that a worker raised."""

    words: str
    line: Line
    last: int = 0
    """Last line of a quote over several lines."""


def _quotes(findings: Findings) -> Iterator[_Quote]:
    details = {failure.line.number: failure.details for failure in findings.failures}
    for line in findings.messages:
        if "failed with error" in line.text and (match := QUOTED.search(line.text)):
            words = next(group for group in match.groups() if group).strip()
            if words and not WRAPPERS.search(words):
                after = details.get(line.number, ())
                ends = (detail.number for detail in after if QUOTE_END in detail.text)
                yield _Quote(words, line, 0 if QUOTE_END in line.text else next(ends, 0))


def _is_quoted(text: str, quotes: list[_Quote]) -> bool:
    return any(quote.words[:QUOTED_CHARACTERS] in text for quote in quotes)


def _missing(quotes: list[_Quote], found: list[_Candidate]) -> list[_Candidate]:
    """Return the first quoted error if the log does not have it as the worker wrote it."""
    if not quotes or any(candidate.is_quoted for candidate in found):
        return []
    quote = quotes[0]
    tier = CONSEQUENCE if is_consequence(quote.words) else REAL
    cause = RootCause(quote.words, quote.line.number, quote.line.process, tier, quote.last, is_deadly=True)
    return [_Candidate(cause, is_quoted=True)]


def _of_failure(failure: Failure, quotes: list[_Quote], deadly: set[str]) -> _Candidate:
    """Return what speaks for an exception; one that another process repeats as it ends is as deadly."""
    line = failure.line
    tier = WARNED if line.level in ("WARNING", "INFO", "DEBUG") else _tier(failure.text)
    cause = RootCause(
        failure.text,
        line.number,
        line.process,
        tier,
        failure.details[-1].number if failure.details else 0,
        failure.text in deadly,
        failure.chain,
    )
    return _Candidate(cause, failure.follows, tier == REAL and _is_quoted(line.text, quotes))


def _tier(text: str) -> int:
    if WRAPPERS.search(text):
        return WRAPPER
    return CONSEQUENCE if is_consequence(text) else REAL


def _message_tier(line: Line) -> int | None:
    """Return how telling a line outside tracebacks is: usage errors as much as exceptions, plain words less."""
    return _words_tier(_LONG_NUMBERS.sub("00", line.text), has_level=bool(line.level), is_error=line.is_error)


@lru_cache(maxsize=4096)
def _words_tier(text: str, *, has_level: bool, is_error: bool) -> int | None:
    if WRAPPERS.search(text):
        return WRAPPER
    if has_level and not is_error:
        return None
    if is_consequence(text):
        return CONSEQUENCE
    kinds = _LEVELLED if is_error else _UNLEVELLED
    return next((tier for says, tier in kinds if says(text)), None)


_LEVELLED = ((_RAISED.match, REAL), (bool, LOGGED))
_UNLEVELLED = ((USAGE.match, REAL), (NATIVE.match, NATIVE_END), (TROUBLE.search, PLAIN))
"""How telling a line is that has a level, or has none: the first that fits."""

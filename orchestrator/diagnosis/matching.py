"""The rules held against what is known: which texts match, and which match is the cause.

A strong text wins over a weak one; among equals, one in the root cause's own message wins over one elsewhere, an error
over a warning, and an earlier line over a later one. A weak text does not hide a real error that no rule knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.diagnosis.readable import anchors
from orchestrator.diagnosis.rootcause import REAL, RootCause
from orchestrator.diagnosis.rule import Strength
from orchestrator.diagnosis.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestrator.diagnosis.lines import Line
    from orchestrator.diagnosis.rule import Pattern, Rule
    from orchestrator.diagnosis.tracebacks import Findings

Rank = tuple[int, bool, bool, int, int]
"""Strength, whether only a warning, whether outside the root cause, line, and whether without its source line."""


@dataclass(frozen=True)
class _Text:
    """One text of a rule."""

    anchor: str
    """Words that a matching line holds; looking for them is ten times as fast as the expression."""
    rule: Rule
    pattern: Pattern


def _texts(of: Callable[[Rule], Iterable[Pattern]]) -> tuple[_Text, ...]:
    return tuple(
        _Text(anchor, rule, pattern) for rule in RULES for pattern in of(rule) for anchor in anchors(pattern.pattern)
    )


_LOG = _texts(lambda rule: rule.log)
_QUIET = _texts(lambda rule: rule.quiet)
_SOURCE = _texts(lambda rule: rule.source)
_ENGINE = _texts(lambda rule: rule.engine)


@dataclass(frozen=True)
class Match:
    """A rule that fits."""

    rule: Rule
    where: RootCause | None
    """The line that shows it; None if only the exit code does."""
    groups: Mapping[str, str]
    """What the text names."""
    notes: tuple[str, ...] = ()
    """Advice for words of the line."""


def engine_match(words: str) -> Match | None:
    """Return the rule that fits what the Docker engine says."""
    return next(_matches(_ENGINE, words, RootCause(words, 0, "")), None)


def best_match(findings: Findings, root: RootCause | None, exit_code: int | None) -> Match | None:
    """Return the rule that fits best, or None."""
    rank, best = min(_candidates(findings, root), key=lambda item: item[0], default=(None, None))
    if rank is not None and rank[0] < Strength.SYMPTOM:
        return best
    by_code = next((rule for rule in RULES if exit_code in rule.exit_codes), None)
    if by_code is not None:
        return Match(by_code, None, {})
    return best if root is None or root.tier > REAL or (rank is not None and rank[3] in root.lines) else None


def _candidates(findings: Findings, root: RootCause | None) -> Iterator[tuple[Rank, Match]]:
    own = root.lines if root else range(0)
    texts = {failure.line.number: failure.text for failure in findings.failures}
    for line in findings.messages:
        where = RootCause(texts.get(line.number, line.text), line.number, line.process)
        for match in _matches(_QUIET if line.is_quiet else _LOG, line.text, where):
            yield (_strength(match, line), line.level == "WARNING", line.number not in own, line.number, 1), match
    for failure in findings.failures:
        number = failure.line.number
        where = RootCause(failure.text, number, failure.line.process)
        for match in _matches(_SOURCE, f"{failure.source} → {failure.line.text}", where):
            yield (match.rule.strength, False, number not in own, number, 0), match


def _strength(match: Match, line: Line) -> int:
    """Return how much a text says here: in a warning it is a symptom at best."""
    return max(match.rule.strength, Strength.SYMPTOM if line.level == "WARNING" else Strength.CERTAIN)


def _matches(texts: Iterable[_Text], words: str, where: RootCause) -> Iterator[Match]:
    for text in texts:
        if text.anchor in words and (found := text.pattern.search(words)):
            groups = {name: value for name, value in found.groupdict().items() if value}
            yield Match(text.rule, where, groups, tuple(_notes(text.rule, words)))


def _notes(rule: Rule, words: str) -> Iterator[str]:
    for word, note in rule.notes.items():
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", words.replace("_", "-")):
            yield note

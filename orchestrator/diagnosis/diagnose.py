"""From evidence to a named cause: the rules against the engine's words, the log, and the exit code, in this order.

Nothing is raised and nothing is guessed: where no rule fits, the cause is `unknown` and the first errors are shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.diagnosis.lines import read_lines
from orchestrator.diagnosis.matching import Match, best_match, engine_match
from orchestrator.diagnosis.rootcause import RootCause, first_errors, root_cause
from orchestrator.diagnosis.rule import fill, title
from orchestrator.diagnosis.rules import RULES
from orchestrator.diagnosis.tracebacks import take_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from orchestrator.diagnosis.evidence import Evidence
    from orchestrator.diagnosis.lines import Line
    from orchestrator.diagnosis.rule import Rule
    from orchestrator.diagnosis.tracebacks import Findings

UNKNOWN = "unknown"
SHOWN_LINES = 5
LONGEST_SHOWN = 600
_VERSION = re.compile(r"vLLM (?:API )?server version (\d[\w.+-]*)|█ {1,4}version (\d[\w.+-]*)|LLM engine \(v(\d[\w.+-]*)\)")
_BY_ID = {rule.id: rule for rule in RULES}


@dataclass(frozen=True)
class Diagnosis:
    """Why a server failed, as far as it can be told."""

    cause: str
    """Id of the rule, or `unknown`."""
    title: str
    """The cause in one line."""
    root_line: str
    """The first real error: a line of the log, or the engine's words; empty if there is none."""
    line_number: int | None
    """Its number in the log."""
    process: str
    """Process that wrote it, such as `Worker_TP1`; empty where that is not known."""
    explanation: str
    """Why it happens."""
    advice: tuple[str, ...]
    """What to try, the likeliest first."""
    first_errors: tuple[str, ...] = ()
    """The first errors, or the last lines, of a log whose cause is unknown."""

    @property
    def is_known(self) -> bool:
        """Say whether a rule fits."""
        return self.cause != UNKNOWN


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the cause of a failure; never raises, whatever the evidence holds."""
    if evidence.engine_error.strip():
        return _of_engine(evidence)
    lines = read_lines(evidence.log)
    findings = take_apart(lines)
    root = root_cause(findings)
    known = {"version": evidence.vllm_version or _version(lines)}
    if evidence.oom_killed:
        return _named(_BY_ID["killed-for-memory"], root, known)
    match = best_match(findings, root, evidence.exit_code)
    if match is not None:
        return _named(match.rule, match.where or root, {**known, **match.groups}, match)
    return _unknown(evidence, lines, findings, root)


def _of_engine(evidence: Evidence) -> Diagnosis:
    words = " ".join(evidence.engine_error.split())[:LONGEST_SHOWN]
    where = RootCause(words, 0, "")
    match = engine_match(words)
    if match is not None:
        return _named(match.rule, where, match.groups, match)
    return Diagnosis(
        UNKNOWN,
        "not one that orch knows by name",
        words,
        None,
        "",
        "The Docker engine refused, in the words above.",
        ("Try the same by hand: orch plan prints the docker run line.",),
    )


def _named(rule: Rule, where: RootCause | None, known: dict[str, str], match: Match | None = None) -> Diagnosis:
    lines = [filled for advice in rule.advice if (filled := fill(advice, known)) is not None]
    notes = match.notes if match else ()
    return Diagnosis(
        rule.id,
        title(rule.title, known),
        _shortened(where.text) if where else "",
        (where.number or None) if where else None,
        where.process if where else "",
        rule.why,
        (*notes, *_without_repeats(rule, lines, known)),
    )


def _without_repeats(rule: Rule, filled: list[str], known: dict[str, str]) -> list[str]:
    """Leave out the general form of advice whose particular form could be filled: it follows it in the rule."""
    particular = {advice.split("{", 1)[0].split(" to ", 1)[0] for advice in rule.advice if _has_places(advice, known)}
    return [line for line in filled if line not in rule.advice or not any(line.startswith(p) and p for p in particular)]


def _has_places(advice: str, known: dict[str, str]) -> bool:
    return "{" in advice and (filled := fill(advice, known)) is not None and filled != advice

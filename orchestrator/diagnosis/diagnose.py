"""From evidence to a named cause: the rules against the engine's words, the log, and the exit code, in this order.

Nothing is raised and nothing is guessed: where no rule fits, the cause is `unknown` and the first errors are shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from orchestrator.causes import UNKNOWN, UNKNOWN_TITLE, Cause, block, line_text
from orchestrator.diagnosis.about import about_server
from orchestrator.diagnosis.evidence import Evidence
from orchestrator.diagnosis.joined import joined
from orchestrator.diagnosis.lines import LONGEST_LINE, Line, read_lines, whole, without_controls
from orchestrator.diagnosis.matching import Server, best_match, engine_match
from orchestrator.diagnosis.part import last_part
from orchestrator.diagnosis.rootcause import REAL, RootCause, first_errors, root_cause
from orchestrator.diagnosis.rule import Rule, fill, fill_title
from orchestrator.diagnosis.rules import RULES
from orchestrator.diagnosis.settings import still_open
from orchestrator.diagnosis.survived import Ending, what_may_explain
from orchestrator.diagnosis.tracebacks import Findings, take_apart
from orchestrator.text import made_of

SHOWN_LINES = 5
LONGEST_SHOWN = 600
_VALIDATION_TAIL = re.compile(r" \[type=\w+, input_value=.*")
"""What pydantic adds to a message: the input, which is all settings at once."""
_OOM = next(rule for rule in RULES if rule.is_oom)


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
    shown: tuple[tuple[int, str], ...] = ()
    """The first errors, or the last lines, of a log whose cause is unknown, each behind its number."""

    @property
    def first_errors(self) -> tuple[str, ...]:
        """Return the lines that are shown, as people read them."""
        return tuple(line_text(number, text) for number, text in self.shown)

    @property
    def is_known(self) -> bool:
        """Say whether a rule fits."""
        return self.cause != UNKNOWN


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the cause of a failure; never raises, whatever the evidence holds."""
    if evidence.engine_error.strip():
        return _of_engine(evidence)
    log = whole(evidence.log)
    about = about_server(log)
    part = last_part(log)
    lines = read_lines(part.data, part.first + evidence.first_line - 1)
    exit_code = None if evidence.timed_out else evidence.exit_code
    findings = what_may_explain(take_apart(joined(lines)), Ending(exit_code, part.served, about.is_vllm))
    root = root_cause(findings)
    known = {"version": evidence.vllm_version or about.version}
    if evidence.oom_killed:
        return _named(_OOM, root if root is not None and root.tier > REAL else None, known, evidence)
    on_cpu = about.on_cpu or "+cpu" in known["version"]
    match = best_match(findings, root, Server(exit_code, part.served, on_cpu, about.is_vllm))
    if match is not None:
        return _named(match.rule, match.where, {**known, **match.groups}, evidence, match.notes)
    # Before the part stands that the server was ready; what was logged earlier explains nothing and may mislead.
    return _unknown(evidence, lines or read_lines(log, evidence.first_line)[-1:], findings, root)


def _of_engine(evidence: Evidence) -> Diagnosis:
    words = without_controls(" ".join(evidence.engine_error.split()))
    where = RootCause(words, 0, "")
    match = engine_match(words[:LONGEST_LINE])
    if match is not None:
        return _named(match.rule, where, dict(match.groups), evidence, match.notes)
    return Diagnosis(
        UNKNOWN,
        UNKNOWN_TITLE,
        _shortened(words),
        None,
        "",
        "The Docker engine refused, in the words above.",
        ("Try the same by hand: orch plan prints the docker run line.",),
    )


def _named(
    rule: Rule, where: RootCause | None, known: dict[str, str], evidence: Evidence, notes: tuple[str, ...] = ()
) -> Diagnosis:
    filled = (fill(advice, known) for advice in rule.advice)
    left = (still_open(advice, evidence.settings) for advice in filled if advice is not None)
    return Diagnosis(
        rule.id,
        fill_title(rule.title, known),
        _shortened(where.text) if where else "",
        (where.number or None) if where else None,
        where.process if where else "",
        rule.why,
        (*notes, *filter(None, left)),
    )


def _unknown(evidence: Evidence, lines: Sequence[Line], findings: Findings, root: RootCause | None) -> Diagnosis:
    errors = first_errors(findings)
    shown = [(error.number, _shortened(error.text)) for error in errors]
    if not shown:
        last = findings.messages[-SHOWN_LINES:] or lines[-SHOWN_LINES:]
        shown = [(line.number, _shortened(line.text)) for line in last]
    if errors:
        why = "No rule of orch fits the log; these are its first errors."
    elif evidence.timed_out:
        why = "The log shows no error: the server may hang, or may only need longer. These are its last lines."
    elif lines:
        why = "The log shows no error; these are its last lines."
    else:
        why = "The log is empty."
    advice = ["Read the log from the first of these lines on."] if shown else []
    if evidence.timed_out:
        advice.insert(0, "If it was still making progress, raise health.deadline.")
    return Diagnosis(
        UNKNOWN,
        UNKNOWN_TITLE,
        _shortened(root.text) if root else "",
        root.number if root else None,
        root.process if root else "",
        why,
        tuple(advice),
        tuple(shown),
    )


def _shortened(text: str) -> str:
    text = _VALIDATION_TAIL.sub("", text.strip())
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def found_data(diagnosis: Diagnosis, log_path: str | PathLike[str] | None = None) -> dict[str, Any]:
    """Return a diagnosis as the fields of a cause, see `causes.block`; what is not known is left out.

    Args:
        diagnosis: What was found.
        log_path: Where the whole log is.
    """
    data = {
        "cause": diagnosis.cause,
        "title": made_of(diagnosis.title) if diagnosis.is_known else None,
        "root": diagnosis.root_line,
        "line": diagnosis.line_number,
        "process": diagnosis.process,
        "why": made_of(diagnosis.explanation),
        "errors": [[number, text] for number, text in diagnosis.shown],
        "advice": [made_of(advice) for advice in diagnosis.advice],
        "log": None if log_path is None else str(log_path),
    }
    return {name: value for name, value in data.items() if value}


def cause_of(diagnosis: Diagnosis, happened: Cause, log_path: str | PathLike[str] | None = None) -> Cause:
    """Return what failed together with why: the cause that the error of the failure carries."""
    return Cause(happened.id, {**happened.fields, **found_data(diagnosis, log_path)})


def render(diagnosis: Diagnosis, what: str, log_path: str | PathLike[str] | None = None) -> list[str]:
    """Return the message as lines.

    Args:
        diagnosis: The cause.
        what: What failed and in which phase, such as `summary(evidence)`.
        log_path: Where the whole log is.
    """
    return block(what, found_data(diagnosis, log_path))

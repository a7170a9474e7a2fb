"""What a server went on after: errors that explain nothing, because the server lived through them.

A server that was ready answers requests with errors, loses threads that only report, and retries downloads. Such errors
are set aside. Where the end came from outside, an error counts only if the log shows that a process died of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from orchestrator.diagnosis.lines import Line
from orchestrator.diagnosis.tracebacks import Failure, Findings
from orchestrator.diagnosis.wording import (
    ASIDE,
    BESIDE,
    DEADLY_OPENINGS,
    DEATHS,
    ENGINE_SIDE,
    NATIVE,
    SHUTDOWN,
    SUPERVISOR,
    SURVIVED,
    USAGE,
    is_consequence,
)
from orchestrator.vllm.phases import phase_of

LAST_WORDS = 2
"""Lines at the end of the log of a server that ended with 0: a program that gives up says so last."""
FROM_OUTSIDE = (0, 130, 137, 143)
"""Exit codes of a server that was asked to end or was killed; vLLM also ends with 0 after its engine has died."""


@dataclass(frozen=True)
class Ending:
    """How a server ended, as far as it says which errors can explain it."""

    exit_code: int | None
    """None while it runs."""
    served: bool
    """Whether it was ready before."""
    is_vllm: bool = True
    """Whether anything of vLLM was logged: if nothing was, all that there is may explain the end."""

    @property
    def from_outside(self) -> bool:
        """Say whether nothing in the log needs to explain it."""
        return self.exit_code in FROM_OUTSIDE

    @property
    def still_runs(self) -> bool:
        """Say whether the container has not ended."""
        return self.exit_code is None


def is_deadly(failure: Failure) -> bool:
    """Say whether an exception ended its process."""
    ends = failure.is_fatal or bool(DEADLY_OPENINGS.search(failure.opening))
    return ends and not is_consequence(failure.text)


def what_may_explain(findings: Findings, ending: Ending) -> Findings:
    """Return a log without the errors that the server lived through."""
    if not ending.is_vllm:
        return findings
    findings = _without_survived(findings, ending)
    if ending.served or ending.from_outside:
        findings = _until_shutdown(findings)
    if not (ending.served or ending.from_outside or ending.still_runs):
        return findings
    shows_death = _shows_death(findings)
    if ending.from_outside and not shows_death:
        return _only(findings, _last_words(findings) if ending.exit_code == 0 else _is_certain, is_deadly)
    if ending.served:
        return _only(findings, _of_engine_or_certain, _of_engine)
    return findings if shows_death else _after_progress(findings)


def _without_survived(findings: Findings, ending: Ending) -> Findings:
    """Set aside exceptions whose opening says that the server goes on, and the lines that say so."""
    gone: set[int] = set()
    openings: set[str] = set()
    failures = []
    for failure in findings.failures:
        if _is_survived(failure, ending):
            openings.add(failure.opening)
            gone.update(line.number for line in failure.own_lines)
        else:
            failures.append(failure)
    went_on = inf if ending.served or ending.from_outside else _last_progress(findings)
    messages = (
        line
        for line in findings.messages
        if line.number not in gone
        and line.text not in openings
        and not (line.is_error and line.number < went_on and SURVIVED.search(line.text))
    )
    return Findings(tuple(failures), tuple(messages))


def _is_survived(failure: Failure, ending: Ending) -> bool:
    if failure.is_fatal:
        return False
    if SURVIVED.search(failure.opening):
        return True
    if BESIDE.search(failure.opening):
        return ending.served or ending.from_outside or bool(ASIDE.search(failure.opening))
    return False


def _last_progress(findings: Findings) -> int:
    """Return the line with which the start came further last; 0 if there is none."""
    lines = (line for line in reversed(findings.messages) if not line.is_error)
    return next((line.number for line in lines if phase_of(line.text.encode(errors="replace"))), 0)


def _until_shutdown(findings: Findings) -> Findings:
    """Leave out what was logged after the server began to end."""
    asked = next((line.number for line in findings.messages if SHUTDOWN.search(line.text)), None)
    if asked is None:
        return findings
    return Findings(
        tuple(failure for failure in findings.failures if failure.line.number <= asked),
        tuple(
            line for line in findings.messages if line.number <= asked or line.is_quiet or SUPERVISOR.match(line.text)
        ),
    )


def _shows_death(findings: Findings) -> bool:
    return any(map(is_deadly, findings.failures)) or any(
        (not line.is_quiet and DEATHS.search(line.text)) or _is_native(line) or _is_usage(line)
        for line in findings.messages
    )


def _only(findings: Findings, keeps: Callable[[Line], bool], keeps_failure: Callable[[Failure], bool]) -> Findings:
    failures = tuple(failure for failure in findings.failures if keeps_failure(failure))
    kept = {failure.line.number for failure in failures}
    kept.update(line.number for failure in failures for line in failure.details)
    raised = {failure.line.number for failure in findings.failures}
    messages = (
        line
        for line in findings.messages
        if line.number in kept or (line.number not in raised and (line.is_quiet or keeps(line)))
    )
    return Findings(failures, tuple(messages))


def _is_certain(line: Line) -> bool:
    return _is_native(line) or _is_usage(line) or bool(SUPERVISOR.match(line.text))


def _last_words(findings: Findings) -> Callable[[Line], bool]:
    """Return what says whether a line is certain, or one without a level among the very last of the log."""
    end = findings.messages[-1].number if findings.messages else 0
    return lambda line: _is_certain(line) or (not line.level and line.number > end - LAST_WORDS)


def _of_engine_or_certain(line: Line) -> bool:
    if _is_certain(line) or DEATHS.search(line.text):
        return True
    return not line.level or bool(ENGINE_SIDE.search(line.process))


def _of_engine(failure: Failure) -> bool:
    return (
        is_deadly(failure) or bool(ENGINE_SIDE.search(failure.line.process)) or bool(DEATHS.search(failure.line.text))
    )


def _after_progress(findings: Findings) -> Findings:
    """Of a start that was cut short: leave out errors that nobody died of and after which it went on."""
    last = _last_progress(findings)

    def keeps(line: Line) -> bool:
        return line.number > last or line.level == "WARNING" or _is_certain(line) or bool(DEATHS.search(line.text))

    def keeps_failure(failure: Failure) -> bool:
        return failure.line.number > last or _of_engine(failure)

    return _only(findings, keeps, keeps_failure)


def _is_native(line: Line) -> bool:
    return not line.level and bool(NATIVE.match(line.text))


def _is_usage(line: Line) -> bool:
    return not line.level and bool(USAGE.match(line.text))

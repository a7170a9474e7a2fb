"""The first real error of a log: what a worker or the engine core raised first, not the last frame of the last process.

A server of several processes ends in many tracebacks. The API server's says that the engine core failed, the engine
core's that a worker failed, and a process that lost its peer complains about that. These are recognised and set aside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.diagnosis.lines import Line
    from orchestrator.diagnosis.tracebacks import Failure, Findings

WRAPPERS = re.compile(
    r"Engine core initialization failed|EngineCore failed to start|EngineCore encountered (?:a fatal error|an issue)"
    r"|Engine process (?:failed to start|\(pid \d+\) died)|Engine loop (?:has died|is not running)"
    r"|Background loop (?:has errored already|is stopped)"
    r"|WorkerProc (?:initialization failed|failed to start|hit an exception|failed\.|was terminated)"
    r"|Worker failed with error |Worker proc \S+ died unexpectedly|Worker VllmWorkerProcess pid \d+ died"
    r"|Error executing method |Exception in worker \w+ while processing method|Executor failed\.|EngineDeadError"
    r"|Frontend process failed during engine core initialization|Failed core proc\(s\)|Failed frontend proc\(s\)"
    r"|Exception in ASGI application|Task exception was never retrieved|Exception ignored in|Application startup failed"
    r"|AsyncLLM output_handler failed|Invocation of \w+ method failed|Process group watchdog thread terminated"
    r"|RayTaskError|ProcessRaisedException|ProcessExitedException|DestroyProcessGroup|Future exception was never"
    r"|Dumping (?:input data|scheduler output|scheduler stats)"
    r"|Engine(?:Core)? (?:client )?(?:process )?died unexpectedly|Traceback \(most recent call last\)"
)
"""Messages that say that another process, or an earlier error, is the cause."""
CONSEQUENCES = re.compile(
    r"(?:\w+\.){0,8}(?:SystemExit|StopIteration|KeyboardInterrupt|CancelledError|BrokenPipeError|EOFError|GeneratorExit"
    r"|ConnectionAbortedError|ConnectionResetError|ConnectionRefusedError|ZMQError|DistNetworkError|DistStoreError)\b"
    r"|RuntimeError: cancelled$|.*(?:Connection reset by peer|Connection closed by peer|Broken pipe"
    r"|remote process exited or there was a network error|Did the remote server shutdown or crash)"
)
"""Errors that a process raises because another one has gone."""
_ENGINE_SIDE = re.compile(r"(?:vllm|ray)?worker|engine|spawnprocess|forkprocess|rank\d", re.IGNORECASE)
_USAGE = re.compile(r"(?:[\w./-]+ ){1,4}?error: \S|[\w./-]+: error: \S")
_NATIVE = re.compile(
    r"Fatal Python error|Segmentation fault|Bus error|Illegal instruction|Aborted|terminate called after"
    r"|Memory access fault|symbol lookup error|free\(\): |double free|malloc\(\): |corrupted |env: |exec: |FATAL|panic:"
)
_TROUBLE = re.compile(
    r"(?:[Ee]rror|ERROR|[Ff]ailed|FAILED|[Cc]annot|denied|not permitted)\b|not found$|\bline \d+: |No space left"
)
SHOWN_ERRORS = 5
REAL, LOGGED, PLAIN, CONSEQUENCE, WARNED, WRAPPER = range(6)
"""Tiers: an exception or usage error, a line at level ERROR, a plain line that speaks of an error, and so on down."""


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

    @property
    def lines(self) -> range:
        """Return the lines of its message."""
        return range(self.number, max(self.number, self.last) + 1)


def root_cause(findings: Findings) -> RootCause | None:
    """Return the first real error of a log, or None if nothing in it looks like an error."""
    found = _ranked(findings)
    return found[0] if found else None


def first_errors(findings: Findings) -> tuple[RootCause, ...]:
    """Return the first few different errors in the order of the log, wrappers only if there is nothing else."""
    ranked = _ranked(findings)
    telling = [cause for cause in ranked if cause.tier < WRAPPER]
    by_text: dict[str, RootCause] = {}
    for cause in telling or ranked:
        by_text.setdefault(cause.text, cause)
    few = list(by_text.values())[:SHOWN_ERRORS]
    return tuple(sorted(few, key=lambda cause: cause.number))


def _ranked(findings: Findings) -> list[RootCause]:
    """Return exceptions and error lines, most telling first."""
    found = [(failure.follows, _of_failure(failure)) for failure in findings.failures]
    told = {line.number for failure in findings.failures for line in _message(failure)}
    found += [
        (False, RootCause(line.text, line.number, line.process, tier))
        for line in findings.messages
        if line.number not in told and (tier := _message_tier(line)) is not None
    ]
    found.sort(key=lambda item: (item[1].tier, not _ENGINE_SIDE.match(item[1].process), item[0], item[1].number))
    return [cause for _, cause in found]


def _message(failure: Failure) -> list[Line]:
    """Return the lines that are certainly the exception's own."""
    own = failure.line
    return [own, *(line for line in failure.details if line.level or line.text[0].isspace())]


def _of_failure(failure: Failure) -> RootCause:
    line = failure.line
    tier = WARNED if line.level in ("WARNING", "INFO", "DEBUG") else _tier(failure.text)
    return RootCause(
        failure.text, line.number, line.process, tier, failure.details[-1].number if failure.details else 0
    )


def _tier(text: str) -> int:
    if WRAPPERS.search(text):
        return WRAPPER
    return CONSEQUENCE if CONSEQUENCES.match(text) else REAL


def _message_tier(line: Line) -> int | None:
    """Return how telling a line outside tracebacks is: usage errors as much as exceptions, plain words less."""
    if WRAPPERS.search(line.text):
        return WRAPPER
    if line.is_error:
        return CONSEQUENCE if CONSEQUENCES.match(line.text) else LOGGED
    if line.level:
        return None
    if _USAGE.match(line.text):
        return REAL
    return PLAIN if _NATIVE.match(line.text) or _TROUBLE.search(line.text) else None

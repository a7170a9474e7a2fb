"""The exceptions in a log: tracebacks of several processes at once are taken apart, each by its own prefix.

In a chain ("During handling of …", "The above exception was the direct cause …") the first exception is the innermost:
it came first, the others came of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.diagnosis.lines import Line

HEADER = "Traceback (most recent call last):"
CHAINS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
DETAILS = 12
"""Lines after an exception's first that may belong to its message."""

_EXCEPTION = re.compile(
    r"(?P<kind>(?:[A-Za-z_]\w{0,80}\.){0,12}(?:[A-Z]\w{0,80}|\w{0,40}error|timeout)(?:\([\w.]{1,80}\))?)(?:$|:)"
)
_PROCESS = re.compile(r"Process (?P<name>[\w.-]{1,60}):$")


@dataclass(frozen=True)
class Failure:
    """An exception that ended a traceback."""

    line: Line
    """Where it is named; its process is that of the traceback."""
    kind: str
    """Name of its class, with module where the log has it."""
    source: str = ""
    """The source line that raised it, as the traceback shows it."""
    follows: bool = False
    """Whether it came of an earlier exception of the same chain."""
    details: tuple[Line, ...] = ()
    """Lines that follow it in its stream and may belong to its message."""

    @property
    def text(self) -> str:
        """Return the exception as one line that says something."""
        text = self.line.text
        if text.rstrip(":") == self.kind and self.source:
            return f"{self.kind} at: {self.source}"
        if text.endswith(":") or "validation error" in text:
            return " ".join((text, *(line.text.strip() for line in self.details[:2])))
        return text


@dataclass(frozen=True)
class Findings:
    """A log, taken apart."""

    failures: tuple[Failure, ...]
    """In the order of the log."""
    messages: tuple[Line, ...]
    """All lines that are not the inside of a traceback."""


@dataclass
class _Stream:
    """How far one stream is in a traceback."""

    inside: bool = False
    follows: bool = False
    source: str = ""
    process: str = ""
    failure: int | None = None


def take_apart(lines: Iterable[Line]) -> Findings:
    """Return the exceptions of a log and the lines around them."""
    streams: dict[str, _Stream] = {}
    failures: list[Failure] = []
    messages: list[Line] = []
    for line in lines:
        stream = streams.setdefault(line.stream, _Stream())
        text = line.text
        if text.endswith(HEADER):
            keeps_name = stream.follows or stream.failure is None
            streams[line.stream] = _Stream(
                inside=True, follows=stream.follows, process=stream.process if keeps_name else ""
            )
        elif text in CHAINS:
            stream.follows = True
        elif named := _PROCESS.match(text):
            streams[line.stream] = _Stream(process=named["name"])
        elif stream.inside and (text[0].isspace() or text[0] == "["):
            stream.source = _source(text) or stream.source
        elif stream.inside and (match := _EXCEPTION.match(text)):
            owned = replace(line, process=line.process or stream.process)
            failures.append(Failure(owned, match["kind"], stream.source, stream.follows))
            messages.append(owned)
            streams[line.stream] = _Stream(process=owned.process, failure=len(failures) - 1)
        else:
            messages.append(line)
            if stream.failure is not None:
                failures[stream.failure] = _with_detail(failures[stream.failure], line)
    return Findings(tuple(failures), tuple(messages))


def _with_detail(failure: Failure, line: Line) -> Failure:
    if line.number - failure.line.number > DETAILS:
        return failure
    return replace(failure, details=(*failure.details, line))


def _source(text: str) -> str:
    stripped = text.strip()
    return "" if stripped.startswith(('File "', "[Previous line", "...<")) or set(stripped) <= set("^~ ") else stripped

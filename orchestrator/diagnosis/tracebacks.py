"""The exceptions in a log: tracebacks of several processes at once are taken apart, each by its own prefix.

In a chain ("During handling of …", "The above exception was the direct cause …") the first exception is the innermost:
it came first, the others came of it. An exception is fatal if its traceback begins where a program or a process does,
so that nobody caught it; what stands before a traceback says what its process made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from orchestrator.diagnosis.lines import Line

HEADER = "Traceback (most recent call last):"
CHAINS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
DETAILS = 12
"""Lines after an exception's first that may belong to its message."""
LONG_DETAILS = 300
"""The same for an exception that quotes a program before it says what is wrong."""
OPENING = 3
"""Lines between what opens a traceback and its first."""

_EXCEPTION = re.compile(
    r"(?P<kind>(?:[A-Za-z_]\w{0,80}\.){0,12}(?:[A-Z]\w{0,80}|\w{0,40}error|timeout)(?:\([\w.]{1,80}\))?)(?:$|:)"
)
_PROCESS = re.compile(r"Process (?P<name>[\w.:-]{1,60}):$")
_FRAME = re.compile(r' *File "(?P<file>[^"]{1,400})", line \d+(?:, in (?P<function>.{1,200}))?')
_PLACE_IN_PROGRAM = re.compile(r"(?:[\w.]{1,80}: ?)?at \d{1,6}:\d{1,6}:$")
_GROUP_MARK = re.compile(r" *(?:\| ?|\+(?:-[+-]+.*| )?)")
"""What stands before each line of a group of exceptions."""
_FIRST_FUNCTIONS = ("<module>", "_bootstrap", "_run_module_as_main")
"""Where a program or a process begins."""
_FORWARDED = re.compile(r"RayTaskError|RayActorError|ray::")
"""Exceptions whose text goes on with the frames of another process."""


@dataclass(frozen=True)
class Failure:
    """An exception that ended a traceback."""

    line: Line
    """Where it is named; its process is that of the traceback."""
    kind: str
    """Name of its class, with module where the log has it."""
    source: str = ""
    """The source line that raised it, as the traceback shows it."""
    file: str = ""
    """The file that raised it."""
    functions: frozenset[str] = frozenset()
    """The functions that its traceback goes through."""
    follows: bool = False
    """Whether it came of an earlier exception of the same chain."""
    details: tuple[Line, ...] = ()
    """Lines that follow it in its stream and may belong to its message."""
    chain: int = 0
    """Number of its chain: exceptions of one chain share it."""
    opening: str = ""
    """The message before the traceback, such as `EngineCore failed to start.`."""
    is_fatal: bool = False
    """Whether nobody caught it: it ended its process."""

    @property
    def text(self) -> str:
        """Return the exception as one line that says something."""
        text = self.line.text
        has_message = text.endswith(":") and bool(self.details)
        if text.rstrip(":") == self.kind and self.source and not has_message and not self.quotes_program:
            return f"{self.kind} at: {self.source}"
        if self.quotes_program and (last := self._after_program()):
            return f"{text} {last}"
        if has_message or "validation error" in text:
            return " ".join((text, *(line.text.strip() for line in self.details[:2])))
        return text

    @property
    def own_lines(self) -> tuple[Line, ...]:
        """Return the lines that are certainly its own."""
        level = self.line.level
        more = (line for line in self.details if line.level == level and (level or line.text[0].isspace()))
        return (self.line, *more)

    @property
    def quotes_program(self) -> bool:
        """Say whether its message quotes a program before it says what is wrong."""
        return quotes_program(self.line.text, self.kind)

    def _after_program(self) -> str:
        """Return what stands after the mark (`^`) below a program that an exception quotes."""
        marks = [index for index, line in enumerate(self.details) if line.text.strip() == "^"]
        after = self.details[marks[-1] + 1 :] if marks else self.details[-1:]
        return after[0].text.strip() if after else ""


def quotes_program(text: str, kind: str) -> bool:
    """Say whether an exception's message is a place in a program, followed by the program (Triton's do)."""
    message = text.removeprefix(kind).lstrip(": ")
    return kind.endswith("CompilationError") and (not message or _PLACE_IN_PROGRAM.fullmatch(message) is not None)


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
    file: str = ""
    functions: set[str] = field(default_factory=set)
    process: str = ""
    failure: int | None = None
    chain: int = 0
    opening: str = ""
    frames: int = 0
    is_fatal: bool = False


class _Apart:
    """Takes a log apart, line by line."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.messages: list[Line] = []
        self._details: dict[int, list[Line]] = {}
        self._streams: dict[str, _Stream] = {}
        self._groups: set[str] = set()
        """Streams that are inside an exception group."""
        self._last: dict[str, Line] = {}
        """The last message of each process."""
        self._chains = 0

    def read(self, line: Line) -> None:
        """Take the next line of the log."""
        if line.text.endswith(HEADER) and "Exception Group" in line.text:
            self._groups.add(line.stream)
        if line.stream in self._groups:
            mark = _GROUP_MARK.match(line.text)
            if mark is None:
                self._groups.discard(line.stream)
            elif not (text := line.text[mark.end() :]):
                return
            else:
                line = replace(line, text=text)
        self._read(line)

    def _read(self, line: Line) -> None:
        stream = self._streams.setdefault(line.stream, _Stream())
        text = line.text
        if text.endswith(HEADER):
            self._begin(line, stream)
        elif text in CHAINS:
            stream.follows = True
        elif named := _PROCESS.match(text):
            self._streams[line.stream] = _Stream(process=named["name"])
            self._last[line.process] = line
        elif stream.inside and (text[0].isspace() or text[0] == "["):
            _frame(stream, text)
        elif _FRAME.match(text):  # the log begins, or was cut off, within a traceback
            self._begin(line, stream)
            _frame(self._streams[line.stream], text)
        elif stream.inside and (match := _EXCEPTION.match(text)):
            self._end(line, stream, match["kind"])
        else:
            self.messages.append(line)
            self._last[line.process] = line
            if stream.failure is not None:
                self._detail(stream.failure, line)

    def _begin(self, line: Line, stream: _Stream) -> None:
        keeps_name = stream.follows or stream.failure is None
        opening, chain = stream.opening, stream.chain
        if not stream.follows:
            self._chains += 1
            chain, opening = self._chains, self._opening(line)
        self._streams[line.stream] = _Stream(
            inside=True,
            follows=stream.follows,
            process=stream.process if keeps_name else "",
            chain=chain,
            opening=opening,
        )

    def _opening(self, line: Line) -> str:
        before = line.text.removesuffix(HEADER).strip()
        last = self._last.get(line.process)
        if before or last is None or line.number - last.number > OPENING:
            return before
        return "" if _EXCEPTION.match(last.text) and not last.text.endswith(":") else last.text

    def _end(self, line: Line, stream: _Stream, kind: str) -> None:
        owned = replace(line, process=line.process or stream.process)
        failure = Failure(
            owned,
            kind,
            stream.source,
            stream.file,
            frozenset(stream.functions),
            stream.follows,
            chain=stream.chain,
            opening=stream.opening,
            is_fatal=stream.is_fatal,
        )
        self.failures.append(failure)
        self.messages.append(owned)
        self._last[line.process] = line
        index = len(self.failures) - 1
        if _FORWARDED.search(line.text):
            stream.source = ""
            return
        self._streams[line.stream] = _Stream(
            process=owned.process,
            failure=index,
            chain=stream.chain,
            opening=stream.opening,
        )

    def _detail(self, index: int, line: Line) -> None:
        failure = self.failures[index]
        most = LONG_DETAILS if quotes_program(failure.line.text, failure.kind) else DETAILS
        if line.number - failure.line.number <= most:
            self._details.setdefault(index, []).append(line)

    def findings(self) -> Findings:
        """Return what was found; if one exception of a chain was not caught, the chain ended its process."""
        fatal = {failure.chain for failure in self.failures if failure.is_fatal}
        failures = (
            replace(failure, details=tuple(self._details.get(index, ())), is_fatal=failure.chain in fatal)
            for index, failure in enumerate(self.failures)
        )
        return Findings(tuple(failures), tuple(self.messages))


def take_apart(lines: Iterable[Line]) -> Findings:
    """Return the exceptions of a log and the lines around them."""
    apart = _Apart()
    for line in lines:
        apart.read(line)
    return apart.findings()


def _frame(stream: _Stream, text: str) -> None:
    """Note a line inside a traceback: a frame, or the source line below one."""
    frame = _FRAME.match(text)
    if frame:
        if stream.frames == 0:
            stream.is_fatal = frame["function"] in _FIRST_FUNCTIONS
        stream.frames += 1
        stream.functions.add(frame["function"] or "")
        stream.file = frame["file"]
    else:
        stream.source = _source(text) or stream.source


def _source(text: str) -> str:
    stripped = text.strip()
    return "" if stripped.startswith(('File "', "[Previous line", "...<")) or set(stripped) <= set("^~ ") else stripped

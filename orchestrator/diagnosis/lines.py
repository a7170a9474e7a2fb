"""A server's log as lines: number in the file, process and level of each, prefixes taken off.

Known are the prefixes of vLLM 0.8.5 (`ERROR 07-11 …`, `(VllmWorker rank=1 pid=70)`) to 0.33 (`(Worker_TP3 pid=9)`),
of torch (`[rank0]:`, `W1124 …]`), of uvicorn and of the engine's time stamps. Reading takes time linear in the size of
the log, and of a huge log only the beginning and the end are read: that is where errors of a start and of an end are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD_BYTES = 1 << 20
TAIL_BYTES = 3 << 20
LONGEST_LINE = 2000

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TIME_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)? ")
_PROCESS = re.compile(r"\((?P<name>[A-Za-z][\w-]{0,60}(?: rank=\d{1,6})?) pid=\d{1,9}(?:, ip=[\d.:a-f]{1,45})?\) ?")
_RANK = re.compile(r"\[(?P<name>rank\d{1,6})\]:\s?")
_LEVEL = re.compile(
    r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d[\d.,]* "
    r"\[?(?P<file>[\w./-]{1,120}):\d{1,6}\] ?"
)
_PLAIN_LEVEL = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL): {1,8}(?P<file>)")
_GLOG_LEVEL = re.compile(
    r"\[?(?P<level>[IWEF])\d{3,4} \d\d:\d\d:\d\d[\d.]* (?:\d{1,9} )?(?P<file>[\w./-]{1,120}):\d{1,6}\] ?"
)
_PYTHON_WARNING = re.compile(r"[\w./-]{1,300}\.py:\d{1,6}: \w{0,40}Warning: ")
_GLOG_NAMES = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
_REPEATED = re.compile(r" \[repeated \d+x across cluster\]")
_WRITERS = {"core.py": "EngineCore", "engine.py": "engine process"}
"""Files of vLLM up to 0.9 whose log lines bear no process name, and the process that they run in."""


@dataclass(frozen=True)
class Line:
    """One line of the log."""

    number: int
    """Counted from 1 in the whole log."""
    process: str
    """Process that wrote it, such as `Worker_TP3`; empty where the log does not say."""
    stream: str
    """What lines that belong together share: one traceback is in one stream."""
    level: str
    """`INFO`, `ERROR`, …; empty for what went to the terminal without one."""
    text: str
    """The message, without prefixes, colours and control characters."""

    @property
    def is_error(self) -> bool:
        """Say whether its level is that of an error."""
        return self.level in ("ERROR", "CRITICAL")

    @property
    def is_quiet(self) -> bool:
        """Say whether its level says that all is well."""
        return self.level in ("INFO", "DEBUG")


def read_lines(log: bytes | str | Sequence[bytes | str]) -> list[Line]:
    """Return the lines of a log that are not empty; at most the first MiB and the last 3 are read."""
    return [
        line
        for number, raw in _numbered(_whole(log))
        for piece in raw.decode(errors="replace").split("\r")
        if (line := _line(number, piece)).text
    ]


def without_controls(text: str) -> str:
    """Return a text without colours and other orders to a terminal."""
    return _CONTROL.sub("", _ESCAPES.sub("", text) if "\x1b" in text else text)


def _whole(log: bytes | str | Sequence[bytes | str]) -> bytes:
    if isinstance(log, bytes):
        return log
    if isinstance(log, str):
        return log.encode(errors="replace")
    return b"\n".join(_whole(line).removesuffix(b"\n") for line in log)


def _numbered(data: bytes) -> Iterator[tuple[int, bytes]]:
    if len(data) <= HEAD_BYTES + TAIL_BYTES:
        yield from enumerate(data.split(b"\n"), 1)
        return
    yield from enumerate(data[:HEAD_BYTES].split(b"\n")[:-1], 1)
    start = data.find(b"\n", len(data) - TAIL_BYTES) + 1 or len(data) - TAIL_BYTES
    yield from enumerate(data[start:].split(b"\n"), data.count(b"\n", 0, start) + 1)


def _line(number: int, raw: str) -> Line:
    text = without_controls(raw[: 2 * LONGEST_LINE])
    if text[:2] == "20" and (stamp := _TIME_STAMP.match(text)):
        text = text[stamp.end() :]
    prefix = ""
    process = ""
    if match := (_PROCESS.match(text) or _RANK.match(text)):
        prefix, process, text = match[0], match["name"], text[match.end() :]
    level = ""
    if match := (_LEVEL.match(text) or _PLAIN_LEVEL.match(text) or _GLOG_LEVEL.match(text)):
        level = _GLOG_NAMES.get(match["level"], match["level"])
        process = process or _WRITERS.get(match["file"], "")
        prefix += f"{level} {match['file']}"
        text = text[match.end() :]
    elif _PYTHON_WARNING.match(text):
        level = "WARNING"
    return Line(number, process, prefix, level, _REPEATED.sub("", text[:LONGEST_LINE]).rstrip())

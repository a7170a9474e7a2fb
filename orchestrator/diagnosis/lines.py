"""A server's log as lines: number in the file, process and level of each, prefixes taken off.

Known are the prefixes of vLLM 0.8.5 (`ERROR 07-11 …`, `(VllmWorker rank=1 pid=70)`) to 0.33 (`(Worker_TP3 pid=9)`),
of Ray (`(RayWorkerWrapper pid=4, ip=10.0.0.2)`), of torch (`[rank0]:`, `W1124 …]`), of uvicorn, of Python's logging and
of the engine's time stamps. A line may bear any number of them; the innermost process is the one that wrote it. Reading
takes time linear in the size of the log, and of a huge log only the beginning and the end are read: that is where
errors of a start and of an end are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEAD_BYTES = 1 << 20
TAIL_BYTES = 3 << 20
LONGEST_LINE = 2000

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_TIME_STAMP = re.compile(rf"(?:\[{_STAMP}\]|{_STAMP}) ")
_PROCESS = re.compile(
    r"\((?P<name>[A-Za-z_][^()\n]{0,80}?),? pid=\d{1,9}(?:, ip=[^()\s,]{1,60})?\) ?"
    r"|\((?P<daemon>raylet|gcs_server|autoscaler)(?:, ip=[^()\s,]{1,60}| \+\w{1,12})?\) ?"
)
_PROGRESS = re.compile(
    r".{0,160}?\d+/\d+ \[[^\]\n]{0,80}\](?=\(\w|ERROR |WARNING |INFO |CRITICAL |Traceback |Process )"
)
"""A bar of tqdm that the next line was written behind."""
_RANK = re.compile(r"\[(?P<name>rank ?\d{1,6})\]:\s?")
_LEVELS = r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)"
_LEVEL = re.compile(
    rf"{_LEVELS} (?:\d{{4}}-)?\d\d-\d\d \d\d:\d\d:\d\d[\d.,]* \[?(?P<file>[\w./-]{{1,120}}):\d{{1,6}}\] ?"
)
_PLAIN_LEVEL = re.compile(rf"{_LEVELS}:(?: {{1,8}}|[\w.]{{1,120}}:)(?P<file>)")
"""Level of uvicorn: on the first line of a message alone, as in the formats of Python's logging."""
_LOGGING_LEVEL = re.compile(
    rf"(?:\| |- )?(?P<file>)(?:[\w./-]{{1,120}} (?:- )?)?\[?{_LEVELS}\]? {{0,4}}"
    r"(?: - |: |\| [\w.:<>-]{1,160} - |[\w./-]{1,120}\.py:\d{1,6}(?: --|\]|:) )"
)
"""What follows a time stamp in the formats of Python's logging, of Ray and of loguru."""
_BRACKETED_LEVEL = re.compile(rf"\[{_LEVELS}\](?P<file>)(?: \[[^\[\]\n]{{1,80}}\]){{1,3}} (?:(?:>+|-|:) ?)?")
"""The same where each part has brackets, as in formats of one's own (VLLM_LOGGING_CONFIG_PATH)."""
_GLOG_LEVEL = re.compile(
    r"\[?(?P<level>[IWEF])(?:\d{3,4} \d\d:\d\d:\d\d[\d.]*)? (?: *\d{1,9} )?(?P<file>[\w./-]{1,120}):\d{1,6}\] ?"
)
_PYTHON_WARNING = re.compile(r"[\w./<>-]{1,300}(?:\.py|>):\d{1,6}: \w{0,40}Warning: ")
_GLOG_NAMES = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
_REPEATED = re.compile(r" \[repeated \d+x across cluster\]")
_WRITERS = {
    "core.py": "EngineCore",
    "dump_input.py": "EngineCore",
    "engine.py": "engine process",
}
"""Files of vLLM up to 0.9 whose log lines bear no process name, and the process that they run in."""
MOST_PREFIXES = 8
"""Prefixes that are taken off one line."""


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


def read_lines(log: bytes | str | Sequence[bytes | str], first: int = 1) -> list[Line]:
    """Return the lines of a log that are not empty; at most the first MiB and the last 3 are read.

    Args:
        log: The log, or its lines.
        first: Number of its first line.
    """
    return [
        line
        for number, raw in _numbered(whole(log), first)
        for piece in raw.decode(errors="replace").split("\r")
        if (line := _line(number, piece)).text
    ]


def without_controls(text: str) -> str:
    """Return a text without colours and other orders to a terminal."""
    return _CONTROL.sub("", _ESCAPES.sub("", text) if "\x1b" in text else text)


def whole(log: bytes | str | Sequence[bytes | str]) -> bytes:
    """Return a log as bytes, whatever it comes as."""
    if isinstance(log, bytes):
        return log
    if isinstance(log, str):
        return log.encode(errors="replace")
    return b"\n".join(whole(line).removesuffix(b"\n") for line in log)


def _numbered(data: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    if len(data) <= HEAD_BYTES + TAIL_BYTES:
        yield from enumerate(data.split(b"\n"), first)
        return
    yield from enumerate(data[:HEAD_BYTES].split(b"\n")[:-1], first)
    start = data.find(b"\n", len(data) - TAIL_BYTES) + 1 or len(data) - TAIL_BYTES
    yield from enumerate(data[start:].split(b"\n"), data.count(b"\n", 0, start) + first)


@dataclass
class _Prefixes:
    """What the prefixes of one line say."""

    stream: str = ""
    process: str = ""
    level: str = ""
    is_stamped: bool = False


def _line(number: int, raw: str) -> Line:
    text = without_controls(raw[: 2 * LONGEST_LINE])
    if "s]" in text and (bar := _PROGRESS.match(text)):
        text = text[bar.end() :]
    prefixes = _Prefixes()
    for _ in range(MOST_PREFIXES):
        length = _prefix(text, prefixes)
        if not length:
            break
        text = text[length:]
    if not prefixes.level and _PYTHON_WARNING.match(text):
        prefixes.level = "WARNING"
    return Line(
        number,
        prefixes.process,
        prefixes.stream,
        prefixes.level,
        _REPEATED.sub("", text[:LONGEST_LINE]).rstrip(),
    )


def _prefix(text: str, found: _Prefixes) -> int:
    """Return the length of the prefix that a text begins with, 0 if there is none; what it says is noted."""
    if text[:1] == "(" and (match := _PROCESS.match(text)):
        found.process = match["name"] or match["daemon"]
        found.stream += match[0]
    elif text[:5] == "[rank" and (match := _RANK.match(text)):
        found.process = found.process or match["name"].replace(" ", "")
        found.stream += match[0]
    elif not found.is_stamped and text.lstrip("[")[:2] == "20" and (match := _TIME_STAMP.match(text)):
        found.is_stamped = True
    elif not found.level and (match := _level(text, found)):
        found.level = _GLOG_NAMES.get(match["level"], match["level"])
        found.process = found.process or _WRITERS.get(match["file"] or "", "")
        found.stream += f"{found.level} {match['file']}" if match["file"] else ""
    else:
        return 0
    return match.end()


def _level(text: str, found: _Prefixes) -> re.Match[str] | None:
    match = _LEVEL.match(text) or _PLAIN_LEVEL.match(text) or _GLOG_LEVEL.match(text)
    if match or not found.is_stamped:
        return match
    return _LOGGING_LEVEL.match(text) or _BRACKETED_LEVEL.match(text)

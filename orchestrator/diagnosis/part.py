"""The part of a log that can explain an end: what came before the server was ready, or before a restart, cannot.

A server that says `Application startup complete` has survived everything that it logged before; one that was started
again has nothing to do with what ended it the time before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SERVES = b"Application startup complete"
"""What uvicorn says once the server answers."""
READY = (SERVES, b"Starting vLLM API server", b"Starting vLLM server")
"""What vLLM or uvicorn says once the engine is up."""
BANNERS = (b"vLLM API server version ", b"vLLM server version ", "█  version ".encode())
"""What vLLM says first of all at each start."""
_PREFIX = rb"(?:INFO|\([\w ]{1,40} pid=\d+\)|[ \d:.,TZ+-]|\[[\w./-]{1,120}:\d+\]|\x1b\[[\d;]*m)*"
_READY_LINE = re.compile(
    _PREFIX + rb"(?:Application startup complete\.?|Starting vLLM (?:API )?server(?: \d+)? on http\S*)\s*$"
)
_BANNER_LINE = re.compile(_PREFIX + rb"(?:vLLM (?:API )?server version |[^0-9A-Za-z'\"{}]*version )")
_REFUSED_FLAGS = re.compile(
    rb"^[^\n:]{0,80}: error: (?:unrecognized arguments|argument |ambiguous option|the following arguments)",
    re.MULTILINE,
)
"""How a start ends that comes to no banner: what follows is another one."""
_PID = re.compile(rb"\((?P<name>APIServer|EngineCore\w{0,20}) pid=(?P<pid>\d{1,9})\)")
_LONGEST_LINE = 400


@dataclass(frozen=True)
class Part:
    """The end of a log, from the last readiness or the last start on."""

    data: bytes
    first: int
    """Number of its first line, where the log's is 1."""
    served: bool
    """Whether the server was ready before it."""


def last_part(log: bytes) -> Part:
    """Return the part of a log that can explain how the server ended."""
    _, served = _last(log, (SERVES,), _READY_LINE)
    _, ready = _last(log, READY, _READY_LINE)
    banner, _ = _last(log, BANNERS, _BANNER_LINE)
    is_again = ready or _last(log[:banner], BANNERS, _BANNER_LINE)[1] or _REFUSED_FLAGS.search(log[:banner])
    if banner > ready and is_again:
        return Part(log[banner:], log.count(b"\n", 0, banner) + 1, served=False)
    own = _without_orphans(log[ready:], log[banner:ready])
    return Part(own, log.count(b"\n", 0, ready) + 1, served=served > 0)


def _without_orphans(data: bytes, start: bytes) -> bytes:
    """Return a part with empty lines for those of an engine core that an earlier start has left behind.

    It has the name of the server's own, another number, and is older than the server.
    """
    pids: dict[bytes, set[int]] = {}
    for name, pid in _PID.findall(start):
        pids.setdefault(name, set()).add(int(pid))
    server = min(pids.get(b"APIServer", ()), default=0)
    lines = data.split(b"\n")
    for index, line in enumerate(lines):
        match = _PID.search(line, 0, _LONGEST_LINE)
        if match is not None and _is_orphan(match["name"], int(match["pid"]), pids, server):
            lines[index] = b""
    return b"\n".join(lines)


def _last(log: bytes, texts: tuple[bytes, ...], form: re.Pattern[bytes]) -> tuple[int, int]:
    """Return where the last line with one of the texts begins and ends, if it has the form; (0, 0) if none has."""
    return max((_last_line(log, text, form) for text in texts), key=lambda place: place[1])


def _last_line(log: bytes, text: bytes, form: re.Pattern[bytes]) -> tuple[int, int]:
    at = log.rfind(text)
    while at >= 0:
        begin = max(log.rfind(b"\n", 0, at), log.rfind(b"\r", 0, at)) + 1
        end = log.find(b"\n", at)
        end = len(log) if end < 0 else end
        if at - begin <= _LONGEST_LINE and form.match(log[begin:end]):
            return begin, end
        at = log.rfind(text, 0, begin)
    return 0, 0


def _is_orphan(name: bytes, pid: int, pids: dict[bytes, set[int]], server: int) -> bool:
    return name in pids and pid not in pids[name] and pid < server

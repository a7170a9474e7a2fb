"""The part of a log that can explain an end: what came before the server was ready, or before a restart, cannot.

A server that says `Application startup complete` has survived everything that it logged before; one that was started
again has nothing to do with what ended it the time before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

READY = (b"Application startup complete", b"Starting vLLM API server", b"Starting vLLM server")
"""What vLLM or uvicorn says once its engine is up."""
BANNERS = (b"vLLM API server version ", b"vLLM server version ", "█  version ".encode())
"""What vLLM says first of all at each start."""
_READY_LINE = re.compile(
    rb"(?:INFO|\(\w{1,40} pid=\d+\)|[ \d:.,TZ-]|\[[\w./-]{1,120}:\d+\]|\x1b\[[\d;]*m)*"
    rb"(?:Application startup complete\.?|Starting vLLM (?:API )?server(?: \d+)? on http\S*)\s*"
)
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
    ready = _after_ready(log)
    banner = max(log.rfind(text) for text in BANNERS)
    if banner > ready and (ready or any(0 <= log.find(text) < banner for text in BANNERS)):
        start = log.rfind(b"\n", 0, banner) + 1
        return Part(log[start:], log.count(b"\n", 0, start) + 1, served=False)
    return Part(log[ready:], log.count(b"\n", 0, ready) + 1, served=ready > 0)


def _after_ready(log: bytes) -> int:
    """Return where the line that says last that the server is ready ends; 0 if there is none."""
    return max(_after_last(log, text) for text in READY)


def _after_last(log: bytes, text: bytes) -> int:
    at = log.rfind(text)
    while at >= 0:
        begin = max(log.rfind(b"\n", 0, at), log.rfind(b"\r", 0, at)) + 1
        end = log.find(b"\n", at)
        end = len(log) if end < 0 else end
        if end - begin <= _LONGEST_LINE and _READY_LINE.fullmatch(log[begin:end]):
            return end
        at = log.rfind(text, 0, begin)
    return 0

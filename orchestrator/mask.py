"""Secrets masked in whatever passes through, also where a value is split between two pieces.

A value is recognised as it is, and as base64, URL escapes, JSON escapes and Python's repr write it. A value of several
lines is recognised line by line as well: what another stream of the container says may come in between.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator

MASKED = b"********"
SHORTEST_LINE = 8
"""Characters of a line by which it is recognised alone; a shorter one may be any word."""


class Mask:
    """What hides a set of secret values."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values if value for part in _parts(value) for form in _forms(part)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms))) if forms else None
        self._reach = max(map(len, forms), default=1) - 1

    def apply(self, data: bytes) -> bytes:
        """Return the data without the values."""
        return data if self._pattern is None else self._pattern.sub(MASKED, data)

    def text(self, text: str) -> str:
        """Return a text without the values."""
        return self.apply(text.encode(errors="replace")).decode(errors="replace")

    def stream(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces without the values; what could be the beginning of one waits for the next piece."""
        pattern = self._pattern
        if pattern is None:
            yield from pieces
            return
        pending = b""
        for piece in pieces:
            pending += piece
            done, out, waits = 0, [], self._waits(pending, 0)
            for match in pattern.finditer(pending):
                if match.start() >= waits:  # it may turn out to be a part of a longer value
                    break
                out += [pending[done : match.start()], MASKED]
                done = match.end()
                waits = self._waits(pending, done)
            out.append(pending[done:waits])
            pending = pending[waits:]
            if any(out):
                yield b"".join(out)
        if pending:
            yield self.apply(pending)

    def _waits(self, pending: bytes, done: int) -> int:
        """Return from where on, after what is done, all the rest is the beginning of a value and not a whole one."""
        places = range(max(done, len(pending) - self._reach), len(pending))
        return next((place for place in places if self._begins(pending[place:])), len(pending))

    def _begins(self, text: bytes) -> bool:
        return any(form.startswith(text) and form != text for form in self._forms)


NOTHING_HIDDEN = Mask()


def _parts(value: str) -> set[str]:
    """Return a value and, where it has several lines, those that are long enough to be told."""
    return {value, *(line for line in value.splitlines() if len(line) >= SHORTEST_LINE)}


def _forms(value: str) -> set[bytes]:
    raw = value.encode()
    encoded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    texts = {
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote(value),
        urllib.parse.quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
    return {raw, *encoded, *(form.rstrip(b"=") for form in encoded), *(text.encode() for text in texts)}

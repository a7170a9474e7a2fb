"""As much of HTTP/1.1 as the stub's server and client speak: length-framed bodies and chunked answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

LAST_CHUNK = b"0\r\n\r\n"
HEAD_LIMIT = 1 << 20
JSON_TYPE, TEXT_TYPE, STREAM_TYPE = (
    "application/json",
    "text/plain; version=0.0.4; charset=utf-8",
    "text/event-stream; charset=utf-8",
)


@dataclass(frozen=True)
class Request:
    """A request: `path` without the query string, header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection, or None at its end.

    Raises:
        asyncio.IncompleteReadError: the connection ended within a request.
        ConnectionError: this is not HTTP.
    """
    start = await reader.readline()
    if not start:
        return None
    try:
        method, target, _ = start.decode("latin-1").split(" ", 2)
        headers = await _read_headers(reader)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except ValueError as error:
        raise ConnectionError(f"not HTTP: {error}") from error
    return Request(method, target.partition("?")[0], headers, body)


async def read_status(reader: asyncio.StreamReader) -> tuple[int, str, dict[str, str]]:
    """Status, reason and headers of an answer.

    Raises:
        ConnectionResetError: the connection ended before an answer.
    """
    start = await reader.readline()
    if not start:
        raise ConnectionResetError("Server disconnected")
    _, status, reason = start.decode("latin-1").rstrip("\r\n").split(" ", 2)
    return int(status), reason, await _read_headers(reader)


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a chunked body.

    Raises:
        asyncio.IncompleteReadError: the connection ended before the last chunk.
    """
    while size := int((await reader.readuntil(b"\r\n")), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")


async def _read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def head(status: int, content_type: str, framing: str) -> bytes:
    """The head of an answer; `framing` is the header that says where its body ends."""
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "server: uvicorn",
        f"content-type: {content_type}",
    )
    return ("\r\n".join((*lines, framing)) + "\r\n\r\n").encode("latin-1")


def whole(status: int, body: bytes, content_type: str = JSON_TYPE) -> bytes:
    """A complete answer with `body`."""
    return head(status, content_type, f"content-length: {len(body)}") + body


def as_json(status: int, value: Any) -> bytes:
    """A complete answer with `value` as JSON."""
    return whole(status, json.dumps(value).encode())


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def comments(number: int) -> bytes:
    """So many comments of a stream of server-sent events, framed as one chunk."""
    return chunk(b": ping\n\n" * number) if number else b""


def event(value: Any) -> bytes:
    """One server-sent event, framed as a chunk; a string is sent as it is."""
    text = value if isinstance(value, str) else json.dumps(value)
    return chunk(f"data: {text}\n\n".encode())

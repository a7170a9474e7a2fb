"""One request of the load client, sent over HTTP and timed as vLLM's own client times it.

Source of the definitions: TTFT from before the connection to the first chunk with choices; latency to the
last such chunk; ITL between chunks. A stream that ends in an error chunk still counts as a success.
"""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vllm_stub import http1

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_NO_CHUNK = "Never received a valid chunk to calculate TTFT.This response will be marked as failed!"


@dataclass(frozen=True)
class Target:
    """Where requests go, and what is the same in all of them."""

    host: str
    port: int
    path: str
    model: str
    output_len: int
    extra: dict[str, Any]

    def body(self, prompt: str) -> bytes:
        """The JSON of one request."""
        value: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.path.endswith("chat/completions"):
            value["messages"] = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
            value["max_completion_tokens"] = self.output_len
        else:
            value["prompt"], value["max_tokens"] = prompt, self.output_len
        return json.dumps({**value, **self.extra}).encode()


@dataclass
class Outcome:
    """What became of one request; times in seconds, `start` on the clock of `time.perf_counter`."""

    prompt_len: int
    success: bool = False
    error: str = ""
    output_len: int = 0
    ttft: float = 0.0
    latency: float = 0.0
    itl: list[float] = field(default_factory=list)
    start: float = 0.0
    queued: float = 0.0
    text: str = ""

    @property
    def tpot(self) -> float:
        """Seconds per output token after the first; 0 if there is none."""
        return (self.latency - self.ttft) / (self.output_len - 1) if self.output_len > 1 else 0.0


async def send(target: Target, prompt: str, prompt_len: int) -> Outcome:
    """Send one request and read its stream to the end; failures are in the outcome."""
    outcome = Outcome(prompt_len, start=time.perf_counter())
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port, limit=http1.HEAD_LIMIT)
        try:
            writer.write(_request(target, target.body(prompt)))
            await writer.drain()
            await _read(reader, outcome)
        finally:
            writer.close()
    except (OSError, EOFError) as error:
        outcome.success = False
        outcome.error = "".join(traceback.format_exception(error))
    return outcome


def _request(target: Target, body: bytes) -> bytes:
    lines = (
        f"POST {target.path} HTTP/1.1",
        f"host: {target.host}:{target.port}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _read(reader: asyncio.StreamReader, outcome: Outcome) -> None:
    status, reason, _ = await http1.read_status(reader)
    if status != 200:  # noqa: PLR2004 - HTTP
        outcome.error = reason
        return
    last: float | None = None
    generated: int | None = None
    async for value in _events(reader):
        if choices := value.get("choices"):
            now = time.perf_counter()
            if last is None:
                outcome.ttft = now - outcome.start
            else:
                outcome.itl.append(now - last)
            last = now
            outcome.text += choices[0].get("text") or choices[0].get("delta", {}).get("content") or ""
        elif usage := value.get("usage"):
            generated = usage["completion_tokens"]
    if last is None:
        outcome.error = _NO_CHUNK
        return
    outcome.success = True
    outcome.latency = last - outcome.start
    outcome.output_len = len(outcome.text.split()) if generated is None else generated


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The JSON of the server-sent events of a chunked body, until [DONE]."""
    pending = b""
    async for data in http1.read_chunks(reader):
        *complete, pending = (pending + data).split(b"\n\n")
        for text in complete:
            payload = text.strip().removeprefix(b"data:").strip()
            if payload and payload != b"[DONE]":
                yield json.loads(payload)

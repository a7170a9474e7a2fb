"""One answer to one completion request, streamed or whole, with the fault that hits this request."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vllm_stub import http1
from vllm_stub.engine import EngineDeadError, GoneError
from vllm_stub.openai import ApiError, Asked, Shape, error_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm_stub.engine import Engine, Sequence
    from vllm_stub.faults import Faults
    from vllm_stub.style import Style

_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


@dataclass(frozen=True)
class Client:
    """The other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def address(self) -> str:
        """Where the client is, as "host:port"."""
        peer = self.writer.get_extra_info("peername") or ("?", 0)
        return f"{peer[0]}:{peer[1]}"

    def gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self.reader.at_eof() or self.writer.is_closing()

    async def send(self, data: bytes) -> None:
        """Send `data`."""
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        """Drop the connection without a word."""
        self.writer.transport.abort()


class _StreamError(Exception):
    """STUB_STREAM_ERROR_EVERY hits this request."""


@dataclass(frozen=True)
class Answer:
    """How to answer one request; `started` is told the status when the answer begins."""

    engine: Engine
    faults: Faults
    style: Style
    client: Client
    started: Callable[[int], None]

    async def give(self, asked: Asked) -> None:
        """Let the engine work on `asked`, and answer it.

        Raises:
            GoneError: the connection is gone, by the client or by a fault.
        """
        try:
            if self.engine.dead:
                await self._refuse(_DEAD)
                return
            sequence = self.engine.accept(asked.prompt, asked.max_tokens, ignore_eos=asked.ignore_eos)
            if self._fails(sequence.number):
                await self._refuse("Internal Server Error: STUB_FAIL")
            elif asked.stream:
                await self._stream(asked, sequence)
            else:
                await self._whole(asked, sequence)
        finally:
            self.engine.answered += 1

    def _fails(self, number: int) -> bool:
        draw = random.Random(f"fail:{self.faults.seed}:{number}").random()
        return _every(self.faults.fail_every, number) or draw < self.faults.fail_rate

    async def _refuse(self, message: str) -> None:
        self.started(500)
        error = ApiError(500, message, "InternalServerError")
        await self.client.send(http1.as_json(500, error_json(error, bare=self.style.old)))

    def _strike(self, number: int) -> None:
        """What happens after half of the tokens of request `number`."""
        if _every(self.faults.stream_error_every, number):
            raise _StreamError
        if _every(self.faults.cut_every, number):
            self.client.cut()
            raise GoneError

    async def _stream(self, asked: Asked, sequence: Sequence) -> None:
        shape, kept = Shape(asked, sequence.number), []
        comments = http1.comments(self.faults.comments_per_token)

        async def send(value: Any, before: bytes = b"") -> None:
            if self.faults.buffer_stream:
                kept.append(before + http1.event(value))
            else:
                await self.client.send(before + http1.event(value))

        self.started(200)
        await self.client.send(http1.head(200, http1.STREAM_TYPE, "transfer-encoding: chunked"))
        try:
            async with aclosing(self.engine.tokens(sequence, self.client.gone)) as tokens:
                async for token in tokens:
                    if token == sequence.output_tokens // 2 + 1:
                        self._strike(sequence.number)
                    if token == 1:
                        await asyncio.sleep(self.faults.send_delay_ms / 1e3)
                    if token == 1 and asked.chat:
                        await send(shape.role())
                    last = token == sequence.output_tokens
                    await send(shape.piece(f" t{token}", sequence.finish_reason if last else None), comments)
            if asked.usage:
                await send({**shape.envelope([], stream=True), "usage": shape.usage(sequence.output_tokens)})
        except (EngineDeadError, _StreamError):
            await send(error_json(ApiError(500, _DEAD, "InternalServerError"), bare=False))
        await send("[DONE]")
        await self.client.send(b"".join(kept) + http1.LAST_CHUNK)

    async def _whole(self, asked: Asked, sequence: Sequence) -> None:
        text = ""
        try:
            async with aclosing(self.engine.tokens(sequence, self.client.gone)) as tokens:
                async for token in tokens:
                    if token == sequence.output_tokens // 2 + 1:
                        self._strike(sequence.number)
                    text += f" t{token}"
        except (EngineDeadError, _StreamError):
            await self._refuse(_DEAD)
            return
        self.started(200)
        answer = Shape(asked, sequence.number).whole(text, sequence.finish_reason, sequence.output_tokens)
        await self.client.send(http1.as_json(200, answer))


def _every(period: int | None, number: int) -> bool:
    return period is not None and number % period == 0

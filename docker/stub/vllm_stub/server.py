"""The stub's `vllm serve`: an HTTP server over the engine that listens only once it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import zlib
from typing import TYPE_CHECKING

from vllm_stub import http1, openai
from vllm_stub.completions import Answer, Client
from vllm_stub.engine import Engine, GoneError
from vllm_stub.exposition import exposition
from vllm_stub.log import Log
from vllm_stub.startup import Startup
from vllm_stub.tokens import tokenize_with

if TYPE_CHECKING:
    import socket

    from vllm_stub.faults import Faults
    from vllm_stub.flags import ServeConfig
    from vllm_stub.style import Style

# A real engine death, as measured: /health fails at once, then the port is closed, then the process ends.
DEATH_HEALTH_S, DEATH_REFUSED_S = 2.8, 0.7
_STATS_S = 10.0
_COMPLETIONS = {"/v1/completions": False, "/v1/chat/completions": True}
_GONE = (GoneError, ConnectionError, asyncio.IncompleteReadError)


class Server:
    """One server: routes requests to the engine and ends when the faults say so."""

    def __init__(self, config: ServeConfig, faults: Faults, style: Style, *, dev_mode: bool) -> None:
        self.config, self.faults, self.style, self.dev_mode = config, faults, style, dev_mode
        self.log = Log(style, config)
        self.startup = Startup(faults, self.log)
        self._tokenize = tokenize_with(faults.tokenizer)
        self.engine = Engine(faults, config.max_num_seqs, config.prefix_caching)
        self._listening: list[asyncio.AbstractServer] = []
        self._dying: list[asyncio.Task[None]] = []

    async def serve(self, listener: socket.socket) -> None:
        """Listen and answer until the process ends."""
        limit = http1.HEAD_LIMIT
        self._listening.append(await asyncio.start_server(self._connection, sock=listener, backlog=2048, limit=limit))
        self.startup.phase("ready")
        self._die_if_due()
        while True:
            before = self.engine.metrics.generation_tokens
            await asyncio.sleep(_STATS_S)
            metrics = self.engine.metrics
            if metrics.generation_tokens > before or metrics.running:
                self._stats((metrics.generation_tokens - before) / _STATS_S)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        try:
            with contextlib.suppress(*_GONE):
                while request := await http1.read_request(reader):
                    await self._answer(request, client)
        finally:
            writer.close()

    async def _answer(self, request: http1.Request, client: Client) -> None:
        path = request.path.rstrip("/")
        while self.engine.hung and (self.faults.hang_scope == "all" or path in _COMPLETIONS):
            await asyncio.sleep(0.1)
            if client.gone():
                raise GoneError
        if path in _COMPLETIONS and request.method == "POST":
            try:
                await self._complete(request, client, chat=_COMPLETIONS[path])
            finally:
                self._die_if_due()
            return
        try:
            status, data = self._plain(request.method, path, request.body)
        except openai.ApiError as error:
            status, data = error.status, self._error(error)
        self.log.access(client.address, request, status)
        await client.send(data)

    async def _complete(self, request: http1.Request, client: Client, *, chat: bool) -> None:
        def started(status: int) -> None:
            self.log.access(client.address, request, status)

        try:
            asked = openai.parse_asked(
                request.body, chat=chat, config=self.config, style=self.style, tokenize=self._tokenize
            )
        except openai.ApiError as error:
            started(error.status)
            await client.send(self._error(error))
            return
        await Answer(self.engine, self.faults, self.style, client, started).give(asked)

    def _error(self, error: openai.ApiError) -> bytes:
        return http1.as_json(error.status, openai.error_json(error, bare=self.style.old))

    def _plain(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the whole answer to a request that is no completion."""
        length = self.config.max_model_len
        if path in ("/health", "/ping"):
            status = self.style.dead_health if self.engine.dead else 200
            return status, http1.whole(status, b"")
        mute = self.faults.mute_after_requests
        if path == "/metrics" and mute is not None and self.engine.answered >= mute:
            return 500, http1.whole(500, b"")
        if path == "/metrics":
            caching = self.config.prefix_caching
            text = exposition(self.engine.metrics, self.style, self.config.served[0], prefix_caching=caching)
            return 200, http1.whole(200, text.encode(), http1.TEXT_TYPE)
        if path == "/reset_prefix_cache" and method == "POST" and self.dev_mode:
            self.engine.forget()
            return 200, http1.whole(200, b"")
        if path == "/version":
            value: openai.Json = {"version": self.style.version}
        elif path == "/v1/models":
            common = {
                "object": "model",
                "created": 0,
                "owned_by": "vllm",
                "root": self.config.model,
                "parent": None,
            }
            models = [{"id": name, **common, "max_model_len": length} for name in self.config.served]
            value = {"object": "list", "data": models}
        elif path == "/tokenize" and method == "POST":
            tokens = openai.prompt_tokens(openai.parse_body(body), self._tokenize)
            ids = [zlib.crc32(token.encode()) % 32000 for token in tokens]
            value = {"count": len(ids), "max_model_len": length, "tokens": ids, "token_strs": None}
        else:
            return 404, http1.as_json(404, {"detail": "Not Found"})
        return 200, http1.as_json(200, value)

    def _die_if_due(self) -> None:
        due = self.faults.die_after_requests
        if due is not None and self.engine.answered >= due and not self._dying:
            self._dying.append(asyncio.get_running_loop().create_task(self._die()))

    async def _die(self) -> None:
        error = "EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause."
        self.log.say("core", "core.py:700", "EngineCore encountered a fatal error.", "ERROR")
        self.startup.say_why()
        if self.faults.death == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            os._exit(137)  # the first process of a container cannot kill itself
        if self.faults.death == "health503":
            self.engine.dead = True
            self.log.say("api", "async_llm.py:480", "AsyncLLM output_handler failed.", "ERROR")
            self.log.traceback("v1/engine/core_client", f"vllm.v1.engine.exceptions.{error}")
            await asyncio.sleep(DEATH_HEALTH_S)
            for listening in self._listening:
                listening.close()
            await asyncio.sleep(DEATH_REFUSED_S)
        self.startup.leave(0)

    def _stats(self, tokens_per_s: float) -> None:
        metrics, v0 = self.engine.metrics, self.style.engine == "v0"
        waiting = f"Swapped: 0 reqs, Pending: {metrics.waiting} reqs" if v0 else f"Waiting: {metrics.waiting} reqs"
        self.log.say(
            "api",
            "loggers.py:111",
            f"{'' if v0 else 'Engine 000: '}Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: "
            f"{tokens_per_s:.1f} tokens/s, Running: {metrics.running} reqs, {waiting}, "
            f"GPU KV cache usage: {metrics.kv_usage:.1%}, Prefix cache hit rate: 0.0%",
        )

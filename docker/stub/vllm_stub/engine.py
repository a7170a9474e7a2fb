"""When each token comes: admission of sequences, the latency model, and the deaths of the engine.

At most `max_num_seqs` sequences run; the others wait in order of arrival. A token is due a fixed interval
after the one before, times the load factor of that moment, so that throughput saturates.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vllm_stub.metrics import BLOCK_TOKENS, KV_BLOCKS, Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from vllm_stub.faults import Faults

EOS_TOKENS = 100  # a model that may stop does so after this many tokens
_CLIFF = 10.0
_COLD = 5.0
_LOOK_S = 0.1  # how often a waiting request looks whether its client has gone


class GoneError(Exception):
    """The client closed its connection."""


class EngineDeadError(Exception):
    """The engine died, by a fault."""


@dataclass(frozen=True)
class Sequence:
    """One request as the engine sees it: its number (from 1), its prompt, its output, its own pace."""

    number: int
    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    ttft_s: float
    tpot_s: float


@dataclass
class Engine:
    """The state of the engine; `dead` is set from outside when it is to die."""

    faults: Faults
    max_num_seqs: int
    prefix_caching: bool
    metrics: Metrics = field(default_factory=Metrics)
    arrived: int = 0
    answered: int = 0
    dead: bool = False
    _queue: deque[asyncio.Future[None]] = field(default_factory=deque)
    _blocks: dict[int, None] = field(default_factory=dict)

    @property
    def hung(self) -> bool:
        """Whether STUB_HANG_AFTER_REQUESTS has struck."""
        return self.faults.hang_after_requests is not None and self.answered >= self.faults.hang_after_requests

    def accept(self, prompt: list[str], max_tokens: int, *, ignore_eos: bool) -> Sequence:
        """Number the request, look its prompt up in the prefix cache, draw its pace and its length."""
        self.arrived += 1
        self._cache(prompt)
        self.metrics.prompt_tokens += len(prompt)
        output_tokens = min(max_tokens, self.faults.short_output or max_tokens)
        if not ignore_eos:
            output_tokens = min(output_tokens, EOS_TOKENS)
        pace = random.Random(f"{self.faults.seed}:{self.arrived}")
        slow = 1.0 + self.faults.drift * (self.arrived - 1)
        slow *= _COLD if self.arrived <= self.faults.cold_requests else 1.0
        ttft, tpot = (slow * max(0.1, pace.gauss(1.0, self.faults.jitter)) for _ in range(2))
        return Sequence(
            self.arrived,
            len(prompt),
            output_tokens,
            "length" if output_tokens == max_tokens else "stop",
            self.faults.ttft_ms / 1e3 * ttft,
            self.faults.tpot_ms / 1e3 * tpot,
        )

    def forget(self) -> None:
        """Empty the prefix cache."""
        self._blocks.clear()

    def load_factor(self) -> float:
        """How many times slower than unloaded everything is now (source: the STUB_CURVE row of `faults`)."""
        if self.faults.capacity is None or self.metrics.running <= self.faults.capacity:
            return 1.0
        excess = self.metrics.running / self.faults.capacity
        return {"linear": excess, "knee": excess**2, "cliff": _CLIFF * excess}[self.faults.curve]

    async def tokens(self, sequence: Sequence, gone: Callable[[], bool]) -> AsyncGenerator[int, None]:
        """The numbers 1, 2, … of the tokens of `sequence`, each at its time.

        Raises:
            GoneError: `gone()` became true.
            EngineDeadError: the engine died before the last token.
        """
        arrival = time.monotonic()
        await self._admit(gone)
        metrics, held, reason = self.metrics, sequence.prompt_tokens, "abort"
        metrics.kv_tokens += held
        admitted = first = previous = time.monotonic()
        metrics.queue.observe(admitted - arrival)
        try:
            for token in range(1, sequence.output_tokens + 1):
                due = previous + (sequence.tpot_s if token > 1 else sequence.ttft_s) * self.load_factor()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._check(gone)
                if token == 1:
                    first = time.monotonic()
                    metrics.ttft.observe(first - arrival)
                    metrics.prefill.observe(first - admitted)
                else:
                    metrics.itl.observe(due - previous)
                previous, held = due, held + 1
                metrics.kv_tokens += 1
                metrics.generation_tokens += 1
                yield token
            end = time.monotonic()
            metrics.e2e.observe(end - arrival)
            metrics.decode.observe(end - first)
            metrics.answers.observe(sequence.output_tokens)
            metrics.tpot.observe((end - first) / max(1, sequence.output_tokens - 1))
            reason = sequence.finish_reason
        except EngineDeadError:
            reason = "error"
            raise
        finally:
            self.metrics.finished[reason] += 1
            self.metrics.kv_tokens -= held
            self._release()

    async def _check(self, gone: Callable[[], bool]) -> None:
        while True:
            if self.dead:
                raise EngineDeadError
            if gone():
                raise GoneError
            if not self.hung:
                return
            await asyncio.sleep(_LOOK_S)

    async def _admit(self, gone: Callable[[], bool]) -> None:
        if self.metrics.running < self.max_num_seqs and not self._queue:
            self.metrics.running += 1
            return
        ticket = asyncio.get_running_loop().create_future()
        self._queue.append(ticket)
        self.metrics.waiting += 1
        try:
            while not ticket.done():
                await asyncio.wait([ticket], timeout=_LOOK_S)
                if not ticket.done():
                    await self._check(gone)
        except BaseException:
            if ticket.done():
                self._release()
            else:
                self._queue.remove(ticket)
            raise
        finally:
            self.metrics.waiting -= 1

    def _release(self) -> None:
        self.metrics.running -= 1
        if self._queue and self.metrics.running < self.max_num_seqs:
            self.metrics.running += 1
            self._queue.popleft().set_result(None)

    def _cache(self, prompt: list[str]) -> None:
        """Count the prompt's queries and hits in whole blocks, and put its blocks into the cache."""
        if not self.prefix_caching:
            return
        self.metrics.prefix_queries += len(prompt)
        block, hitting = 0, True
        for end in range(BLOCK_TOKENS, len(prompt) + 1, BLOCK_TOKENS):
            block = hash((block, *prompt[end - BLOCK_TOKENS : end]))
            hitting = hitting and block in self._blocks and end < len(prompt)
            self.metrics.prefix_hits += BLOCK_TOKENS if hitting else 0
            self._blocks[block] = None
        while len(self._blocks) > KV_BLOCKS:
            del self._blocks[next(iter(self._blocks))]

"""A continuous-batching scheduler as a discrete-event model: steps, and the requests that each of them serves.

Time passes in steps, and nothing happens within one. As long as the batch stays the same, a step costs one number: so
a measurement of 64 requests at once and 256 in all takes some tens of milliseconds. Scheduling follows vLLM:
V1 fills what decoding leaves of `max-num-batched-tokens` with chunks of prompts, V0 prefills whole prompts first.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.server import Server, Trouble

LOOK_S = 0.5
"""How often somebody looks at the server's load meanwhile, as orch does."""
FEW_STEPS = 50
"""Steps after which a request is preempted that is to be preempted once."""
CLIENTS, FOREIGN = "client", "foreign"


@dataclass(slots=True)
class Request:
    """One request, from the engine's arrival stamp to its last token."""

    index: int
    """Which of the client's it is; of somebody else's, any number."""
    prompt: int
    """Tokens as the server counts them."""
    output: int
    owner: str = CLIENTS
    cached: int = 0
    """Tokens of the prompt that the prefix cache has."""
    external: int = 0
    """Those that another cache has."""
    acceptance: float = 0.0
    arrived: float = 0.0
    scheduled: float | None = None
    left: int = 0
    """Tokens that are still to be prefilled."""
    first: float | None = None
    """When the server had its first token."""
    first_seen: float = 0.0
    """When the client had it."""
    decoded: list[tuple[int, int]] = field(default_factory=list)
    """Decoding steps that served it, from the first of a stretch to the one after its last."""
    steps_left: int = 0
    per_step: float = 1.0
    """Tokens that a step gives it."""
    ended: float | None = None
    """When the server had its last token."""
    generation: int = 0
    """Raised when it is preempted, so that its earlier end counts no more."""
    preempted: int = 0

    @property
    def steps(self) -> int:
        """Decoding steps so far."""
        return sum(end - begin for begin, end in self.decoded)


@dataclass
class Peak:
    """The highest load in any look."""

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    looks: int = 0


class Engine:
    """A scheduler at work; its clock begins with the measurement."""

    def __init__(self, server: Server, trouble: Trouble, planned_s: float, chance: random.Random) -> None:
        """Begin with nothing to do.

        Args:
            server: What is simulated.
            trouble: What disturbs it.
            planned_s: How long a measurement of this kind takes, to which parts in `trouble` refer.
            chance: Where the scatter of steps comes from.
        """
        self.server, self.trouble, self._planned_s, self._chance = server, trouble, planned_s, chance
        self.now = 0.0
        self.waiting: deque[Request] = deque()
        self.prefilling: list[Request] = []
        self.decoding: dict[int, Request] = {}
        """By identity, in the order in which they began."""
        self.seen: list[float] = []
        """When the client had the chunks of each decoding step."""
        self.batch: list[int] = []
        """How many requests each of them served."""
        self.client_busy_s = 0.0
        self.steps = 0
        self.peak = Peak()
        self.preemptions = 0
        self._context = 0.0
        self._growth = 0.0
        self._ends: list[tuple[int, int, int, Request]] = []
        self._client_free = 0.0
        self._next_look = LOOK_S
        self._sizes: set[int] = set()
        self._base = (1.0 + (server.draft_cost if server.draft_tokens else 0.0)) * trouble.factor
        self._varies = bool(
            trouble.slow or trouble.drift or trouble.compile_s or trouble.node_load or trouble.device_use
        )
        self._stream = 1.0 / server.stream_interval

    def add(self, request: Request, at: float) -> None:
        """Let a request arrive, at a time that has come; an idle engine has waited for it."""
        if self.idle:
            self.now = max(self.now, at)
        request.arrived = at
        request.left = max(request.prompt - request.cached - request.external, 1)
        self.waiting.append(request)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.waiting or self.prefilling or self.decoding)

    def run(self, until: float, ended: Callable[[Request], None]) -> None:
        """Serve until a time has come, something has ended, or there is nothing to do; the last step may go past it."""
        while self.now < until and not self.idle:
            if self.prefilling or (self.waiting and self._admits(self.waiting[0])):
                finished = self._prefill_first() if self.server.engine == "v0" else self._chunked()
            else:
                finished = self._decode_until(until)
            for request in finished:
                ended(request)
            if finished:
                return

    # Steps

    def _prefill_first(self) -> list[Request]:
        """Take one step of V0: whole prompts if any fits, or else one token for each that is decoded."""
        budget = self.server.max_num_batched_tokens
        batch: list[Request] = []
        while self.waiting and self._admits(self.waiting[0]):
            if batch and sum(request.left for request in batch) + self.waiting[0].left > budget:
                break
            batch.append(self._schedule())
        self._advance(0, sum(request.left for request in batch))
        return self._first_tokens(batch)

    def _chunked(self) -> list[Request]:
        """Take one step of V1: a token for each that is decoded, and chunks of prompts in what the budget leaves."""
        served = len(self.decoding)
        budget = self.server.max_num_batched_tokens - served * (1 + self.server.draft_tokens)
        prefilled = 0
        for request in self.prefilling:
            chunk = min(request.left, budget - prefilled)
            request.left -= chunk
            prefilled += chunk
        while self.waiting and prefilled < budget and self._admits(self.waiting[0]):
            request = self._schedule()
            chunk = min(request.left, budget - prefilled)
            request.left -= chunk
            prefilled += chunk
        done = [request for request in self.prefilling if request.left == 0]
        self._advance(served, prefilled)
        finished = self._decoded(served) if served else []
        return finished + self._first_tokens(done)

    def _decode_until(self, until: float) -> list[Request]:
        """Take steps of the same batch: at least one, until a time has come or one of the requests has ended."""
        served = len(self.decoding)
        if not served:  # what waits fits only once what is prefilled has ended, which cannot be
            raise AssertionError("the KV cache is smaller than one request")
        once = self.trouble.preempted_once and not self.preemptions and len(self.seen) > FEW_STEPS
        if once or self._context + self._growth > self.server.kv_tokens:
            self._preempt()
            return []
        last = self._ends[0][0]
        while True:
            self._advance(served, 0)
            if finished := self._decoded(served):
                return finished
            if self.now >= until or len(self.seen) >= last or self._context + self._growth > self.server.kv_tokens:
                return []

    def _advance(self, served: int, prefilled: int) -> None:
        server = self.server
        took = server.step_s + server.sequence_s * served + server.context_s * self._context
        took = took * self._base * self._chance.gauss(1.0, server.step_scatter)
        took += prefilled / server.prefill_tokens_per_s * self.trouble.factor
        if self._varies:
            took = self._disturbed(took, served)
        self.now += took
        self.steps += 1
        if self.now >= self._next_look:
            self._look()

    def _disturbed(self, took: float, served: int) -> float:
        trouble, part = self.trouble, max(self.now, 0.0) / self._planned_s
        for slow in trouble.slow:
            if slow.begin <= part < slow.end and self.now >= 0.0:
                took *= slow.factor
        took *= 1.0 + trouble.drift * part
        if trouble.node_load:
            # The engine's process waits for a processor with the probability that all of them are taken.
            took *= 1.0 + trouble.node_load * self._chance.expovariate(1.0)
        took /= 1.0 - min(trouble.device_use, 0.9)
        if served not in self._sizes and len(self._sizes) < trouble.compile_sizes and self.now >= 0.0:
            self._sizes.add(served)
            took += trouble.compile_s
        return took

    def _decoded(self, served: int) -> list[Request]:
        """Give the requests of a batch their tokens; return those that have all of them."""
        begun = max(self.now, self._client_free)
        handled = served * self.trouble.chunk_s * self._stream
        self._client_free = begun + handled
        self.client_busy_s += handled
        self.seen.append(begun)
        self.batch.append(served)
        self._context += self._growth
        finished = []
        while self._ends and self._ends[0][0] <= len(self.seen):
            _, _, generation, request = heapq.heappop(self._ends)
            if generation == request.generation:
                self._leave(request)
                request.ended = self.now
                finished.append(request)
        return finished

    def _first_tokens(self, batch: list[Request]) -> list[Request]:
        """Give requests their first token; return those that need no other."""
        finished = []
        for request in batch:
            self.prefilling.remove(request)
            if request.first is None:
                request.first = self.now
                request.first_seen = max(self.now, self._client_free)
                self._client_free = request.first_seen + self.trouble.chunk_s
                self.client_busy_s += self.trouble.chunk_s
                request.steps_left = self._steps_of(request)
                request.per_step = (request.output - 1) / request.steps_left if request.steps_left else 1.0
            if request.steps_left:
                self._join(request)
            else:
                request.ended = self.now
                finished.append(request)
        return finished

    def _steps_of(self, request: Request) -> int:
        """Return the decoding steps that a request needs: fewer than tokens if drafts are accepted."""
        tokens, drafted, accepted = request.output - 1, self.server.draft_tokens, request.acceptance
        if not drafted or tokens < 1:
            return max(tokens, 0)
        mean = sum(accepted**power for power in range(drafted + 1))
        square = sum((2 * power + 1) * accepted**power for power in range(drafted + 1))
        deviation = (square - mean * mean) ** 0.5
        steps = tokens / mean + self._chance.gauss(0.0, deviation * (tokens / mean) ** 0.5 / mean)
        return min(max(round(steps), -(-tokens // (drafted + 1))), tokens)

    # The batch

    def _admits(self, request: Request) -> bool:
        running = len(self.prefilling) + len(self.decoding)
        if running >= self.server.max_num_seqs:
            return False
        taken = self._context + sum(other.prompt for other in self.prefilling)
        return taken + request.prompt + request.steps * request.per_step <= self.server.kv_tokens

    def _schedule(self) -> Request:
        request = self.waiting.popleft()
        if request.scheduled is None:
            request.scheduled = self.now
        self.prefilling.append(request)
        return request

    def _join(self, request: Request) -> None:
        """Let a request be decoded from the next step on."""
        begin = len(self.seen)
        request.decoded.append((begin, begin + request.steps_left))
        self.decoding[id(request)] = request
        self._growth += request.per_step
        self._context += request.prompt + 1 + (request.steps - request.steps_left) * request.per_step
        heapq.heappush(self._ends, (begin + request.steps_left, request.index, request.generation, request))

    def _leave(self, request: Request) -> None:
        del self.decoding[id(request)]
        self._growth -= request.per_step
        self._context -= request.prompt + 1 + request.steps * request.per_step

    def _preempt(self) -> None:
        """Take its part of the KV cache from the request that began last; it is prefilled anew, with its answer."""
        request = self.decoding[next(reversed(self.decoding))]
        begin, end = request.decoded.pop()
        done = len(self.seen) - begin
        request.decoded.append((begin, len(self.seen)))
        self._leave(request)
        request.generation += 1
        request.preempted += 1
        request.steps_left = end - begin - done
        request.left = request.prompt + 1 + round(request.steps * request.per_step)
        self.preemptions += 1
        self.waiting.appendleft(request)

    def _look(self) -> None:
        running = len(self.prefilling) + len(self.decoding)
        self.peak.looks += 1
        self.peak.running = max(self.peak.running, running)
        self.peak.waiting = max(self.peak.waiting, len(self.waiting))
        self.peak.kv_cache_usage = max(self.peak.kv_cache_usage, self._context / self.server.kv_tokens)
        while self._next_look <= self.now:
            self._next_look += LOOK_S

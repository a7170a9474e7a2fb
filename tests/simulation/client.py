"""vLLM's benchmark client as a model: when it sends what, and what it sees of each answer.

Sources: `benchmarks/benchmark_serving.py` and `backend_request_func.py` of vLLM 0.8.5, `vllm/benchmarks/serve.py` and
`lib/endpoint_request_func.py` of 0.32.0.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from simulation.engine import CLIENTS, FOREIGN, Engine, Peak, Request
from simulation.server import Server, Setup, Trouble

from orchestrator.workload.point import Point, range_ratio

CONNECT_S = 0.0015
"""What a connection of its own adds to a request."""
WIRE_S = 0.0004
"""What HTTP and the way there cost."""
TOKENISED_PER_S = 600_000.0
"""Tokens that the API server makes of text in a second, one prompt after the other."""


@dataclass(slots=True)
class Sent:
    """One of the client's requests, as the client sees it."""

    index: int
    input_len: int
    """As the client drew it."""
    planned: float
    """When it was to be sent."""
    made: float = 0.0
    """When the client made a task of it: once its event loop had time."""
    started: float = 0.0
    """When it was sent, seconds after the first could be."""
    request: Request | None = None
    failed: bool = False
    cut_off: bool = False


@dataclass
class Played:
    """Everything that came of one measurement."""

    setup: Setup
    trouble: Trouble
    point: Point
    engine: Engine
    sent: list[Sent]
    foreign: list[Request]
    tested: Request | None
    """The client's own test request, which came before."""
    duration_s: float

    @property
    def peak(self) -> Peak:
        """The highest load in any look."""
        return self.engine.peak

    @property
    def served(self) -> list[Request]:
        """All requests that the server has had, somebody else's and the client's own test among them."""
        own = [item.request for item in self.sent if item.request is not None]
        return [*([self.tested] if self.tested else []), *own, *self.foreign]


def play(setup: Setup, trouble: Trouble, point: Point, seed: int) -> Played:
    """Simulate one measurement; the same arguments give the same answer.

    Args:
        setup: Server and client.
        trouble: What disturbs it.
        point: The workload; of datasets, those with random prompts.
        seed: Decides lengths, arrivals and scatter.
    """
    chance = random.Random(seed)
    draft = _Draft(setup, trouble, point, chance)
    planned_s = planned_length_s(setup.server, point)
    tested, engine = None, Engine(setup.server, trouble, planned_s, chance)
    if setup.client.tests_first:  # the measurement begins after it, with a clock of its own
        tested = draft.request(0, cached=False)
        engine.now = -1e6
        engine.add(tested, -1e6)
        while tested.ended is None:
            engine.run(0.0, lambda _: None)
        engine = _begin_anew(engine, planned_s, chance)
    run = _Run(setup, trouble, point, engine, draft, planned_s)
    return run.go(tested)


def _begin_anew(tested: Engine, planned_s: float, chance: random.Random) -> Engine:
    engine = Engine(tested.server, tested.trouble, planned_s, chance)
    engine.steps, engine.preemptions = tested.steps, tested.preemptions
    return engine


def planned_length_s(server: Server, point: Point) -> float:
    """Return about how long a point takes without trouble: what "a part of the measurement" refers to."""
    prompt, output = point.input_len or 512, point.output_len or 512
    together = min(point.batch, server.max_num_seqs, point.requests)
    step = server.step_s + server.sequence_s * together + server.context_s * together * (prompt + output / 2)
    if server.draft_tokens:
        step *= 1.0 + server.draft_cost
    wave = together * prompt / server.prefill_tokens_per_s + output * step / server.tokens_per_step
    closed = wave * -(-point.requests // together)
    return closed if isinstance(point.request_rate, str) else max(closed, point.requests / point.request_rate + wave)


@dataclass
class _Draft:
    """What the client draws beforehand, and the server makes of it."""

    setup: Setup
    trouble: Trouble
    point: Point
    chance: random.Random
    lengths: list[tuple[int, int]] = field(init=False)
    prefix: int = field(init=False)

    def __post_init__(self) -> None:
        options = json.loads(self.point.dataset_options)
        self.prefix = int(options.get("prefix_len", 0))
        inputs, outputs = (
            self._drawn(length or 512, range_ratio(options, side))
            for length, side in ((self.point.input_len, "input"), (self.point.output_len, "output"))
        )
        self.lengths = [(self.prefix + one, other) for one, other in zip(inputs, outputs, strict=True)]

    def _drawn(self, length: int, ratio: float) -> list[int]:
        low, high = int(length * (1.0 - ratio)), int(length * (1.0 + ratio))
        return [self.chance.randint(low, high) for _ in range(self.point.requests)]

    def request(self, index: int, *, cached: bool) -> Request:
        """Return one of the client's requests as the server gets it."""
        asked, output = self.lengths[index]
        server, trouble, chance = self.setup.server, self.trouble, self.chance
        prompt = asked * (1.0 + server.prompt_growth * chance.gauss(1.0, 0.2))
        if trouble.prompt_spread:
            prompt *= 1.0 + trouble.prompt_spread * (1 if index % 2 else -1)
        short, long = trouble.short_answers, trouble.long_answers
        if short and chance.random() < short:
            output = max(output // 2, 1)
        elif long and chance.random() < long:
            output += output // 2
        request = Request(index, max(round(prompt), 1), output)
        if cached and server.prefix_caching:
            known = (index == 0 and self.setup.client.tests_first) or chance.random() < trouble.known_prompts
            shared = request.prompt - 1 if known else self.prefix if index or self.setup.client.tests_first else 0
            request.cached = shared // server.block * server.block
        request.external = int((request.prompt - request.cached) * trouble.external_hits)
        acceptance = chance.gauss(server.acceptance, server.acceptance_scatter) if server.draft_tokens else 0.0
        request.acceptance = min(max(acceptance, 0.05), 0.95)
        return request

    def arrivals(self) -> list[float]:
        """Return when each request is to be sent, in seconds after the client's start."""
        point, chance, count = self.point, self.chance, self.point.requests
        if point.ramp_up is not None:
            rates = [_ramped(point, number / max(count - 1, 1)) for number in range(count)]
        elif isinstance(point.request_rate, str):
            return [0.0] * count
        else:
            rates = [point.request_rate] * count
        gaps = [chance.gammavariate(point.burstiness, 1.0 / (rate * point.burstiness)) for rate in rates]
        if not self.setup.client.rescales:  # it sleeps after each request
            return [0.0, *accumulate(gaps[:-1])]
        times = list(accumulate(gaps))
        if point.ramp_up is None:
            stretch = count / rates[0] / times[-1]
            times = [time * stretch for time in times]
        return times


def _ramped(point: Point, progress: float) -> float:
    assert point.ramp_up is not None
    start, end = point.ramp_up.start, point.ramp_up.end
    if point.ramp_up.strategy == "linear":
        return start + (end - start) * progress
    return float(start * (end / start) ** progress)


class _Run:
    """The client at work: requests that are planned, wait for the concurrency limit, and are in flight."""

    def __init__(
        self, setup: Setup, trouble: Trouble, point: Point, engine: Engine, draft: _Draft, planned_s: float
    ) -> None:
        self.setup, self.trouble, self.point, self.engine, self.draft = setup, trouble, point, engine, draft
        self.planned_s = planned_s
        times = draft.arrivals()
        self.sent = [
            Sent(index, length, time)
            for index, ((length, _), time) in enumerate(zip(draft.lengths, times, strict=True))
        ]
        self.foreign: list[Request] = []
        self.events: list[tuple[float, int, str, Any]] = []
        """What is to come: a planned request, the arrival of one at the engine, or of somebody else's."""
        self.count = 0
        self.free = point.max_concurrency or point.requests
        self.queue: deque[Sent] = deque()
        self.client_free = 0.0
        self.api_free = 0.0
        self.open = len(self.sent)

    def go(self, tested: Request | None) -> Played:
        """Take the measurement."""
        for item in self.sent:
            self._expect(item.planned, "planned", item)
        for other in self.trouble.foreign:
            for number in range(other.count):
                output = 10**6 if other.endless else other.output
                request = Request(
                    10**6 + number, other.prompt, output, FOREIGN, acceptance=self.setup.server.acceptance
                )
                self._expect(other.begin * self.planned_s, "foreign", request)
        stop = min((part for part in (self.trouble.dies_at, self.trouble.errs_at) if part is not None), default=None)
        end = float("inf") if stop is None else stop * self.planned_s
        while self.open and self.engine.now < end:
            if not self.events and self.engine.idle:
                raise AssertionError("requests are left, and nothing is to come")
            if self.engine.idle:
                self._come(self.events[0][0])
            else:
                self.engine.run(min(end, self.events[0][0] if self.events else end), self._ended)
                self._come(self.engine.now)
        if self.open:
            self._break_off()
        return self._played(tested)

    def _expect(self, at: float, what: str, who: Any) -> None:
        self.count += 1
        heapq.heappush(self.events, (at, self.count, what, who))

    def _come(self, until: float) -> None:
        """Let everything happen that is to happen until a time."""
        while self.events and self.events[0][0] <= until:
            at, _, what, who = heapq.heappop(self.events)
            if what == "planned":
                self._plan(who, at)
            else:
                if what == "foreign":
                    self.foreign.append(who)
                self.engine.add(who, at)

    def _plan(self, item: Sent, at: float) -> None:
        item.made = max(at, self.client_free) if at else at  # all requests without a rate are made before any is sent
        if self.free:
            self.free -= 1
            self._send(item, at)
        else:
            self.queue.append(item)

    def _send(self, item: Sent, at: float) -> None:
        """Send a request: the client, one thread, writes one after the other."""
        client = self.setup.client
        item.started = max(at, self.client_free)
        busy = self.trouble.send_s
        self.client_free = item.started + busy
        self.engine.client_busy_s += busy
        request = self.draft.request(item.index, cached=True)
        item.request = request
        there = item.started + busy + WIRE_S + (0.0 if client.reuses_connections else CONNECT_S)
        self.api_free = max(there, self.api_free) + request.prompt / TOKENISED_PER_S
        late = self.trouble.api_s and (item.index * 37 % 100 < 100 * self.trouble.api_part)
        self._expect(self.api_free + (self.trouble.api_s if late else 0.0), "arrives", request)

    def _ended(self, request: Request) -> None:
        if request.owner != CLIENTS:
            return
        self.open -= 1
        at = last_seen(self.engine, request)
        self._come(at)
        if self.queue:
            self._send(self.queue.popleft(), at)
        else:
            self.free += 1

    def _break_off(self) -> None:
        """End everything at once, as a dying server does."""
        for item in self.sent:
            request = item.request
            if request is None or request.ended is None:
                item.failed = self.trouble.dies_at is not None or request is None or request.first is None
                item.cut_off = not item.failed

    def _played(self, tested: Request | None) -> Played:
        own = [item.request for item in self.sent if item.request is not None]
        ends = [last_seen(self.engine, request) for request in own if request.first is not None]
        duration = (self.engine.now if self.open else max(ends)) + WIRE_S
        return Played(self.setup, self.trouble, self.point, self.engine, self.sent, self.foreign, tested, duration)


def last_seen(engine: Engine, request: Request) -> float:
    """Return when the client had a request's last chunk so far."""
    steps = [min(end, len(engine.seen)) - 1 for begin, end in request.decoded if begin < len(engine.seen)]
    return engine.seen[steps[-1]] if steps else request.first_seen

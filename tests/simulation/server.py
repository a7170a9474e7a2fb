"""What a simulated server is, and what may go wrong around it: frozen values in seconds, tokens and parts of one.

**Every speed here is an assumption.** The defaults are the size of DeepSeek-R1 671B in four bits on eight devices; none
was measured. What a rule finds on such a server is a statement on the rule, not on any hardware. How requests are
scheduled, counted and reported follows vLLM's source (0.8.5 with either engine, and 0.32).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Server:
    """A vLLM server."""

    version: str = "0.32.0"
    engine: Literal["v0", "v1"] = "v1"
    """`v0` prefills whole prompts before it decodes; `v1` prefills in chunks beside the decoding requests."""
    step_s: float = 0.040
    """A decoding step of no request at all: reading the weights."""
    sequence_s: float = 0.0004
    """What each request adds to a step."""
    context_s: float = 1.5e-7
    """What each token of context adds to a step."""
    prefill_tokens_per_s: float = 6000.0
    max_num_seqs: int = 128
    max_num_batched_tokens: int = 8192
    kv_tokens: int = 1_000_000
    """Tokens of context that the KV cache holds."""
    prefix_caching: bool = False
    block: int = 16
    """Tokens in a block of the KV cache."""
    draft_tokens: int = 0
    """Tokens that are drafted in each step; 0 is no speculation."""
    acceptance: float = 0.6
    """Probability that a drafted token is accepted, if the one before it was."""
    acceptance_scatter: float = 0.03
    """Standard deviation of the acceptance between prompts."""
    draft_cost: float = 0.15
    """What drafting adds to a step, as a part of it."""
    stream_interval: int = 1
    """Tokens that make a chunk of a stream."""
    prompt_growth: float = 0.0
    """How much longer prompts are for the server than what the client drew; old clients send text."""
    step_scatter: float = 0.03
    """Standard deviation of a step's time, as a part of it."""
    log_stats: bool = True
    """Without it (`--disable-log-stats`), no counter of requests or tokens is there."""

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a step gives to a request on average."""
        return sum(self.acceptance**drafted for drafted in range(self.draft_tokens + 1))


@dataclass(frozen=True)
class Slow:
    """A time in which every step takes longer: another tenant of the devices, or a clock that was lowered."""

    factor: float
    begin: float = 0.0
    """Part of the measurement's planned length, so that strengths do not depend on how long it takes."""
    end: float = 1e9


@dataclass(frozen=True)
class Foreign:
    """Requests of somebody else."""

    count: int = 1
    prompt: int = 512
    output: int = 512
    begin: float = 0.1
    """Part of the measurement's planned length."""
    endless: bool = False
    """They are still being answered when the measurement has ended."""


@dataclass(frozen=True)
class Trouble:
    """What disturbs one measurement; the default is nothing at all."""

    factor: float = 1.0
    """How much longer all steps take than usual."""
    slow: tuple[Slow, ...] = ()
    drift: float = 0.0
    """How much longer steps take at the planned end than at the beginning, as a part."""
    compile_s: float = 0.0
    """Time that the first step of a new batch size takes besides, until `compile_sizes` have been seen."""
    compile_sizes: int = 0
    foreign: tuple[Foreign, ...] = ()
    api_s: float = 0.0
    """Time that requests spend between the client and the stamp of their arrival."""
    api_part: float = 1.0
    """Part of the requests to which that happens."""
    chunk_s: float = 20e-6
    """Time that the client, one thread, takes for a chunk."""
    send_s: float = 300e-6
    """Time that it takes to send a request."""
    buffered_tokens: int = 1
    """Chunks that something on the way holds back until so many are there; 0 is the whole answer."""
    buffered_part: float = 1.0
    """Part of the requests to which that happens."""
    known_prompts: float = 0.0
    """Part of the prompts that the prefix cache knows whole."""
    external_hits: float = 0.0
    """Part of the prompt tokens that an external cache (a KV connector) supplies."""
    prompt_spread: float = 0.0
    """How far the length of each prompt is from what was drawn, upwards or downwards, as a part."""
    short_answers: float = 0.0
    """Part of the answers that end after half of their length, whatever was asked for."""
    long_answers: float = 0.0
    """Part of the answers that end after one and a half of it."""
    dies_at: float | None = None
    """Part of the planned length after which the server dies: connections break."""
    errs_at: float | None = None
    """The same, but streams end in an error that the client takes for their end."""
    text: str = ""
    """What every answer says over and over; empty for text as it should be."""
    preempted_once: bool = False
    """One request loses its KV cache, once."""
    metrics_silent: bool = False
    """`/metrics` does not answer after the measurement."""
    node_load: float = 0.0
    """Part of the node's processors that somebody else uses: each step may wait for one."""
    device_use: float = 0.0
    """Part of the devices' time that somebody else uses, before the measurement and meanwhile."""


@dataclass(frozen=True)
class Client:
    """vLLM's benchmark client."""

    version: str = "0.32.0"
    tests_first: bool = False
    """It sends the first request once beforehand, as all do before 0.11.1."""
    rescales: bool = True
    """It stretches the times at which requests are sent so that the last one is sent on time (about 0.10 on)."""
    form: Literal["script", "0.8", "0.9", "0.11", "0.32"] = "0.32"
    """The keys of its result. Only the newest says when requests were started (0.15 on), and how long they waited for
    the concurrency limit (0.30 on)."""
    reuses_connections: bool = True
    corrects_prompts: bool = True
    """It reports prompts as long as the server says (0.24 on)."""


_OLD = Client("0.8.5", tests_first=True, rescales=False, reuses_connections=False, corrects_prompts=False)
CLIENTS = {
    "0.8.5": replace(_OLD, form="0.8"),
    "0.9.2": replace(_OLD, version="0.9.2", form="0.9"),
    "0.14.1": Client("0.14.1", form="0.11", corrects_prompts=False),
    "0.32.0": Client(),
    "script": replace(_OLD, form="script"),
}
"""The clients of versions, and the script of 0.8.5, which says nothing about single requests."""


@dataclass(frozen=True)
class Setup:
    """A server and the client that measures it."""

    server: Server = field(default_factory=Server)
    client: Client = CLIENTS["0.32.0"]


def setup(version: str, engine: Literal["v0", "v1"] = "v1", client: str = "", **server: Any) -> Setup:
    """Return the server of one version, with either engine if it is 0.8, and the client of that version or another."""
    grown = 0.024 if CLIENTS[client or version].version.startswith("0.8") else 0.0
    plain = Server(version, engine, prefix_caching=engine == "v1", prompt_growth=grown)
    return Setup(replace(plain, **server), CLIENTS[client or version])

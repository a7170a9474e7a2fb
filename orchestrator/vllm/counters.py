"""What a server's `/metrics` says, under one set of names for all versions; what a version does not have is null.

Sources: the Prometheus names of vLLM 0.8.5 (V0 and V1 engine) to 0.33. A V0 server shows a series only once it has
something to count, so an absent counter of a known family is zero.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

ENDED = "vllm:request_success_total"
CUT_OFF = f'{ENDED}{{finished_reason="abort|error"}}'
"""The name under which the requests of these labels are summed up once more: all of them bear ENDED's."""
CUT_OFF_LABELS = re.compile(r'finished_reason="(?:abort|error)"')
COUNTERS = {
    "prompt_tokens": ("vllm:prompt_tokens_total",),
    "generation_tokens": ("vllm:generation_tokens_total",),
    "preemptions": ("vllm:num_preemptions_total",),
    "prefix_cache_queries": ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    "prefix_cache_hits": ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    "requests": (ENDED,),
    "cut_off": (CUT_OFF,),
    "external_cache_hits": ("vllm:external_prefix_cache_hits_total",),
    "queue_sum_s": ("vllm:request_queue_time_seconds_sum",),
    "queue_count": ("vllm:request_queue_time_seconds_count",),
    "ttft_sum_s": ("vllm:time_to_first_token_seconds_sum",),
    "ttft_count": ("vllm:time_to_first_token_seconds_count",),
    "e2el_sum_s": ("vllm:e2e_request_latency_seconds_sum",),
    "e2el_count": ("vllm:e2e_request_latency_seconds_count",),
    "decode_sum_s": ("vllm:request_decode_time_seconds_sum",),
    "answer_tokens": ("vllm:request_generation_tokens_sum",),
    "answers": ("vllm:request_generation_tokens_count",),
    "drafts": ("vllm:spec_decode_num_drafts_total",),
    "draft_tokens": ("vllm:spec_decode_num_draft_tokens_total",),
    "accepted_tokens": ("vllm:spec_decode_num_accepted_tokens_total",),
}
UNCOUNTED = ("prefix_cache_queries", "prefix_cache_hits", "external_cache_hits")
"""Counters that some engines do not have at all, V0 none of them."""
DRAFTING = tuple(name for names in ("drafts", "draft_tokens", "accepted_tokens") for name in COUNTERS[names])
TTFT_BUCKET = "vllm:time_to_first_token_seconds_bucket"
BUCKET = re.compile(r'le="([0-9.e+-]+)"')
"""The upper edge of a bucket; the last one has none."""
GAUGES = {
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting",),
    "kv_cache_usage": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
}


HIGHEST = frozenset(GAUGES["kv_cache_usage"])
"""Samples of which the highest counts instead of the sum: parts of something that each engine has for itself."""


class Load(BaseModel):
    """What the server is at, at one moment."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    running: float
    """Requests that are being served."""
    waiting: float
    """Requests that wait for their turn."""
    kv_cache_usage: float
    """Part of the KV cache that is used, from 0 to 1; of several engines, that of the fullest."""


class Served(BaseModel):
    """What the server has served, since its start or between two moments."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    prompt_tokens: float
    generation_tokens: float
    preemptions: float | None
    """Null for a server that counts other things and not these."""
    prefix_cache_queries: float | None
    """Prompt tokens that were looked for in the prefix cache, before 0.9 the blocks of such tokens; null for a V0
    engine, which does not count them."""
    prefix_cache_hits: float | None
    """How many of them were found there."""
    requests: float
    """Requests that ended, in whatever way."""
    counts_requests: bool = False
    """The server counts them: none that ended is none, and not a server that does not say."""
    counts: bool = True
    """The server counts anything; one that was told to keep no statistics does not."""
    cut_off: float = 0.0
    """Those of them that were given up, or ended in an error."""
    ttft_sum_s: float
    """Sum of the times to first token as the server measured them."""
    ttft_count: float
    drafts: float
    """Speculative drafts."""
    draft_tokens: float
    accepted_tokens: float
    external_cache_hits: float | None = None
    """Prompt tokens that were found in a cache beside the server; null where it has none."""
    queue_sum_s: float = 0.0
    """Sum of the times for which requests waited in the server's queue."""
    queue_count: float = 0.0
    ttft_buckets: tuple[tuple[float, float], ...] = ()
    """Upper edge in seconds, and how many first tokens came within it, of each bucket."""
    speculates: bool | None = None
    """Tokens are drafted; null for a V0 engine, which may say so later."""
    e2el_sum_s: float = 0.0
    """Sum of the times from a request's arrival to its last token."""
    e2el_count: float = 0.0
    decode_sum_s: float = 0.0
    """Sum of the times from a request's first token to its last."""
    answer_tokens: float = 0.0
    """Output tokens of requests that ended."""
    answers: float = 0.0

    def since(self, before: Served) -> Served:
        """Return what was served after an earlier moment; a server that was restarted in between counts from zero."""
        restarted = self.requests < before.requests or self.prompt_tokens < before.prompt_tokens
        earlier = {} if restarted else before.model_dump()
        now = self.model_dump()
        counters = [name for name in COUNTERS if now[name] is not None]
        update: dict[str, object] = {name: now[name] - (earlier.get(name) or 0.0) for name in counters}
        had = {} if restarted else dict(before.ttft_buckets)
        update["ttft_buckets"] = tuple((edge, count - had.get(edge, 0.0)) for edge, count in self.ttft_buckets)
        return self.model_copy(update=update)

    def ttft_bound_ms(self, part: float, requests: int) -> float | None:
        """Return what so large a part of a client's times to first token was within, as the server measured them.

        It is the upper edge of a bucket, in milliseconds. Requests that are not the client's count as the quickest.

        Args:
            part: The part, such as 0.99.
            requests: The client's requests.

        Returns:
            None where the server keeps no buckets, or the last one alone holds so many.
        """
        others = max(self.ttft_count - requests, 0.0)
        needed = others + min(math.ceil(part * (requests - 1)) + 1, requests)
        return next((1000.0 * edge for edge, count in self.ttft_buckets if count >= needed), None)

    @property
    def queued_ms(self) -> float | None:
        """Return the mean time that requests waited in the server's queue, in milliseconds."""
        return 1000.0 * self.queue_sum_s / self.queue_count if self.queue_count else None

    @property
    def mean_ttft_ms(self) -> float | None:
        """Return the mean time to first token as the server measured it, in milliseconds."""
        return 1000.0 * self.ttft_sum_s / self.ttft_count if self.ttft_count else None

    @property
    def mean_e2el_ms(self) -> float | None:
        """Return the mean end-to-end latency as the server measured it, in milliseconds."""
        return 1000.0 * self.e2el_sum_s / self.e2el_count if self.e2el_count else None

    @property
    def mean_tpot_ms(self) -> float | None:
        """Return the time per output token after the first as the server measured it, in milliseconds.

        It is the time of decoding over the tokens after the first of all requests. The server's own histograms of TPOT
        have other names and other meanings in each version: a step's time before 0.10.2, however many tokens it gave.
        """
        later = self.answer_tokens - self.answers
        return 1000.0 * self.decode_sum_s / later if later > 0 and self.decode_sum_s else None

    @property
    def acceptance_length(self) -> float | None:
        """Return tokens per speculative step: one, and the accepted ones."""
        return 1.0 + self.accepted_tokens / self.drafts if self.drafts else None


def read_load(totals: Mapping[str, float]) -> Load:
    """Return the load in a page of samples."""
    return Load(**{name: _first(totals, names) for name, names in GAUGES.items()})


def read_served(totals: Mapping[str, float]) -> Served:
    """Return the counters in a page of samples."""
    known = {name: any(sample in totals for sample in names) for name, names in COUNTERS.items()}
    counters = {
        name: _first(totals, names) if known[name] or name not in UNCOUNTED else None
        for name, names in COUNTERS.items()
    }
    if known["prefix_cache_queries"] and not known["preemptions"]:  # a V1 engine shows what it counts from the start
        counters["preemptions"] = None
    edges = ((BUCKET.search(name), count) for name, count in totals.items() if name.startswith(TTFT_BUCKET))
    buckets = sorted((float(edge[1]), count) for edge, count in edges if edge)
    drafting = any(sample in totals for sample in DRAFTING)
    return Served(
        **counters,
        counts_requests=ENDED in totals,
        counts=any(known.values()),
        ttft_buckets=tuple(buckets),
        speculates=True if drafting else (None if counters["prefix_cache_queries"] is None else False),
    )


def sample_totals(text: str) -> dict[str, float]:
    """Return the sum over all label sets of each sample in Prometheus text, or the highest of them, by sample name."""
    totals: dict[str, float] = {}
    for line in text.splitlines():
        name, _, rest = line.partition("{") if "{" in line else line.partition(" ")
        value = rest.rpartition("} ")[2].split(" ")[0]
        if line.startswith("#") or not value:
            continue
        names = (name, CUT_OFF) if name == ENDED and CUT_OFF_LABELS.search(rest) else (name,)
        if name == TTFT_BUCKET and (edge := BUCKET.search(rest)):
            names = (f'{name}{{le="{edge[1]}"}}',)
        with contextlib.suppress(ValueError):
            for known in names:
                totals[known] = _together(known, totals.get(known, 0.0), float(value))
    return totals


def _together(name: str, total: float, value: float) -> float:
    return max(total, value) if name in HIGHEST else total + value


def _first(totals: Mapping[str, float], names: tuple[str, ...]) -> float:
    return next((totals[name] for name in names if name in totals), 0.0)

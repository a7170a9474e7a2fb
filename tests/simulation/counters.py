"""What the server's `/metrics` says, in the names and forms of each version and engine.

Sources: `vllm/engine/metrics.py` and `vllm/v1/metrics/loggers.py` of vLLM 0.8.5 and 0.32.0. A V0 engine shows a series
only once it has something to count; V1 of 0.8.5 counts blocks in its prefix cache, 0.32 tokens.
"""

from __future__ import annotations

import bisect
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from simulation.client import Played
from simulation.engine import Request
from simulation.server import Server

TTFT_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
GAP_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
REQUEST_S = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


@dataclass
class Histogram:
    """A Prometheus histogram."""

    bounds: tuple[float, ...]
    counts: Counter[int] = field(default_factory=Counter)
    sum: float = 0.0
    count: int = 0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value so often."""
        self.counts[bisect.bisect_left(self.bounds, value)] += times
        self.sum += value * times
        self.count += times

    def lines(self, name: str, labels: str) -> list[str]:
        """Return it as text."""
        below = accumulate(self.counts[index] for index in range(len(self.bounds)))
        buckets = [
            f'{name}_bucket{{le="{float(bound)}",{labels}}} {float(count)}'
            for bound, count in zip(self.bounds, below, strict=True)
        ]
        return [
            f"# TYPE {name} histogram",
            *buckets,
            f'{name}_bucket{{le="+Inf",{labels}}} {float(self.count)}',
            f"{name}_count{{{labels}}} {float(self.count)}",
            f"{name}_sum{{{labels}}} {self.sum}",
        ]


@dataclass
class Tally:
    """All that a server has counted since its start."""

    counters: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """Requests, by why they ended."""
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_S))
    gaps: Histogram = field(default_factory=lambda: Histogram(GAP_S))
    per_token: Histogram = field(default_factory=lambda: Histogram(GAP_S))
    e2e: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    queue: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    prefill: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    decode: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    inference: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    prompts: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    answers: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    preempted: int = 0
    running: int = 0

    def add(self, played: Played) -> None:
        """Count a measurement, and the client's own test request before it."""
        server, steps = played.setup.server, len(played.engine.seen)
        self.preempted += played.engine.preemptions
        self.running = 0
        for request in played.served:
            if request.first is None:
                continue
            tested = request is played.tested
            done = sum(end - begin if tested else max(min(end, steps) - begin, 0) for begin, end in request.decoded)
            made = 1 + round(done * request.per_step)
            self._count_tokens(server, request, made, done)
            if request.ended is not None:
                self._count_end(request, made)
            elif played.trouble.errs_at is not None or played.trouble.dies_at is not None:
                self.ended["abort"] += 1
            else:
                self.running += 1
        gaps = played.engine.seen
        for earlier, later, batch in zip(gaps, gaps[1:], played.engine.batch[1:], strict=False):
            self.gaps.observe(later - earlier, batch)

    def _count_tokens(self, server: Server, request: Request, made: int, steps: int) -> None:
        counters = self.counters
        counters["prompt_tokens"] += request.prompt
        counters["generation_tokens"] += made
        if server.prefix_caching:
            unit = server.block if server.version.startswith("0.8") else 1
            counters["prefix_cache_queries"] += request.prompt // unit
            counters["prefix_cache_hits"] += request.cached // unit
            if request.external:
                counters["external_prefix_cache_queries"] += request.prompt - request.cached
                counters["external_prefix_cache_hits"] += request.external
        if server.draft_tokens:
            counters["spec_decode_num_drafts"] += steps
            counters["spec_decode_num_draft_tokens"] += steps * server.draft_tokens
            counters["spec_decode_num_accepted_tokens"] += max(made - 1 - steps, 0)
            counters["spec_decode_num_emitted_tokens"] += made - 1
        self.ttft.observe((request.first or 0.0) - request.arrived)

    def _count_end(self, request: Request, made: int) -> None:
        ended, first, scheduled = request.ended or 0.0, request.first or 0.0, request.scheduled or 0.0
        self.ended["length"] += 1
        self.prompts.observe(request.prompt)
        self.answers.observe(made)
        self.e2e.observe(ended - request.arrived)
        self.queue.observe(scheduled - request.arrived)
        self.prefill.observe(first - scheduled)
        self.decode.observe(ended - first)
        self.inference.observe(ended - scheduled)
        if made > 1:
            self.per_token.observe((ended - first) / (made - 1))

    def text(self, server: Server) -> str:
        """Return the page of `/metrics`, as far as it is the engine's."""
        old, v0 = server.version.startswith("0.8"), server.engine == "v0"
        labels = 'model_name="simulated"' if old else 'engine="0",model_name="simulated"'
        counters = self.counters
        gauge = "vllm:gpu_cache_usage_perc" if old else "vllm:kv_cache_usage_perc"
        lines = ["# TYPE process_cpu_seconds_total counter", "process_cpu_seconds_total 612.2"]
        if not server.log_stats:
            return "\n".join(lines) + "\n"
        plain: dict[str, float] = {
            "vllm:num_requests_running": self.running,
            "vllm:num_requests_waiting": 0,
            gauge: 0.0,
            "vllm:num_preemptions_total": self.preempted,
            "vllm:prompt_tokens_total": counters["prompt_tokens"],
            "vllm:generation_tokens_total": counters["generation_tokens"],
        }
        if not v0:
            cache = "vllm:gpu_prefix_cache" if old else "vllm:prefix_cache"
            plain[f"{cache}_queries_total"] = counters["prefix_cache_queries"]
            plain[f"{cache}_hits_total"] = counters["prefix_cache_hits"]
            if not old:
                for name in ("external_prefix_cache_queries", "external_prefix_cache_hits"):
                    plain[f"vllm:{name}_total"] = counters[name]
        if server.draft_tokens:
            names = ["num_accepted_tokens", "num_draft_tokens"]
            names += ["num_emitted_tokens"] if v0 else ["num_drafts"]
            plain.update({f"vllm:spec_decode_{name}_total": counters[f"spec_decode_{name}"] for name in names})
        lines += [f"{name}{{{labels}}} {float(value)}" for name, value in plain.items()]
        reasons = sorted(self.ended) if v0 else ("stop", "length", "abort", *(() if old else ("error", "repetition")))
        lines += [
            f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {float(self.ended[reason])}'
            for reason in reasons
        ]
        gaps = "vllm:time_per_output_token_seconds" if old else "vllm:inter_token_latency_seconds"
        histograms = {
            "vllm:time_to_first_token_seconds": self.ttft,
            gaps: self.gaps,
            "vllm:e2e_request_latency_seconds": self.e2e,
            "vllm:request_queue_time_seconds": self.queue,
            "vllm:request_prefill_time_seconds": self.prefill,
            "vllm:request_decode_time_seconds": self.decode,
            "vllm:request_inference_time_seconds": self.inference,
            "vllm:request_prompt_tokens": self.prompts,
            "vllm:request_generation_tokens": self.answers,
        }
        if not old:
            histograms["vllm:request_time_per_output_token_seconds"] = self.per_token
        for name, histogram in histograms.items():
            if histogram.count or not v0:
                lines += histogram.lines(name, labels)
        return "\n".join(lines) + "\n"

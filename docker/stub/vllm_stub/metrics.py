"""What the server counts: the counters, gauges and histograms behind GET /metrics."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_TOKENS, KV_BLOCKS = 16, 16384
KV_TOKENS = BLOCK_TOKENS * KV_BLOCKS
FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")
_TTFT_S = """0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0
    160.0 640.0 2560.0"""
_GAP_S = "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0"
_REQUEST_S = """0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0
    1920.0 7680.0"""
_TOKENS = "1 2 5 10 20 50 100 200 500 1000 2000 5000 10000"


@dataclass
class Histogram:
    """Observations, in seconds or tokens, counted up to each of `bounds` and beyond."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, name: str, labels: str) -> Iterator[str]:
        """The lines of this histogram in Prometheus text."""
        running = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {running:.1f}'
        yield f"{name}_count{{{labels}}} {running:.1f}"
        yield f"{name}_sum{{{labels}}} {self.total}"


def _of(bounds: str) -> Histogram:
    return Histogram(tuple(map(float, bounds.split())))


@dataclass
class Metrics:
    """What the server has counted so far: tokens, requests, and seconds."""

    running: int = 0
    waiting: int = 0
    kv_tokens: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISHED_REASONS, 0))
    ttft: Histogram = field(default_factory=lambda: _of(_TTFT_S))
    itl: Histogram = field(default_factory=lambda: _of(_GAP_S))
    tpot: Histogram = field(default_factory=lambda: _of(_GAP_S))
    e2e: Histogram = field(default_factory=lambda: _of(_REQUEST_S))
    queue: Histogram = field(default_factory=lambda: _of(_REQUEST_S))
    prefill: Histogram = field(default_factory=lambda: _of(_REQUEST_S))
    decode: Histogram = field(default_factory=lambda: _of(_REQUEST_S))
    answers: Histogram = field(default_factory=lambda: _of(_TOKENS))

    @property
    def kv_usage(self) -> float:
        """Share of the KV cache in use, 0..1."""
        return min(1.0, self.kv_tokens / KV_TOKENS)

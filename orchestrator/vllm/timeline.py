"""The requests of one measurement on one clock: when each began, and when each chunk of its answer came.

Sources: `ttfts`, `itls`, `start_times`, `input_lens` and `output_lens` of the client's result
(`vllm/benchmarks/serve.py`, 0.8.5 to 0.33). Versions before 0.15 do not write when requests began. Where requests are
only held back by a limit of requests in flight, their order says it: each begins as soon as an earlier one has ended.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.workload.point import Point

AGREES = 0.05
"""How far the end of requests whose begin was worked out may be from the end that the client saw."""


@dataclass(frozen=True)
class Stream:
    """One request and its answer; times are in seconds since the first request began."""

    start: float
    chunks: tuple[float, ...]
    """When each chunk came; the first one holds the first token."""
    prompt: int
    """Tokens of the prompt, as the client says."""
    tokens: int
    """Output tokens."""

    @property
    def end(self) -> float:
        """Return when the last chunk came."""
        return self.chunks[-1]

    @property
    def tokens_per_chunk(self) -> float:
        """Return how many tokens a chunk after the first one holds on average; 1 for an answer of one chunk."""
        later = len(self.chunks) - 1
        return max(self.tokens - 1, 1) / later if later else 1.0


def read_streams(data: Mapping[str, Any], point: Point) -> tuple[Stream, ...]:
    """Return the requests of a result in the order in which the client made them; none where it does not say.

    Raises:
        TypeError, ValueError, KeyError: The result says it in a way that no client does.
    """
    ttfts, gaps = data.get("ttfts") or [], data.get("itls") or []
    if not ttfts or len(gaps) != len(ttfts):
        return ()
    took = [ttft + sum(own) for ttft, own in zip(ttfts, gaps, strict=True)]
    starts = data.get("start_times") or _worked_out(took, float(data["duration"]), point)
    if len(starts) != len(ttfts):
        return ()
    first = min(starts)
    prompts = data.get("input_lens") or [point.input_len or 0] * len(ttfts)
    tokens = data.get("output_lens") or [point.output_len or len(own) + 1 for own in gaps]
    return tuple(
        Stream(start - first, tuple(itertools.accumulate(own, initial=start - first + ttft)), prompt, made)
        for start, ttft, own, prompt, made in zip(starts, ttfts, gaps, prompts, tokens, strict=True)
    )


def _worked_out(took: Sequence[float], duration_s: float, point: Point) -> list[float]:
    """Return when requests began that only a limit held back, from how long each took; empty where that is not so."""
    if point.request_rate != "inf" or point.ramp_up is not None:
        return []
    slots = [0.0] * min(point.max_concurrency or len(took), len(took))
    starts = []
    for time_s in took:
        starts.append(slots[0])
        heapq.heapreplace(slots, slots[0] + time_s)
    return starts if abs(max(slots) - duration_s) <= AGREES * duration_s else []

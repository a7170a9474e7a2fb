"""The statistics of one run of the load client, as vLLM's own client computes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from vllm_stub.load import Outcome
    from vllm_stub.style import Style

METRICS = {
    "ttft": "Time to First Token",
    "tpot": "Time per Output Token (excl. 1st token)",
    "itl": "Inter-token Latency",
    "e2el": "End-to-end Latency",
}


@dataclass(frozen=True)
class Run:
    """One measured run: its arguments, what became of every request, and how long all took (s)."""

    args: argparse.Namespace
    style: Style
    model: str
    outcomes: list[Outcome]
    duration: float

    @property
    def successes(self) -> list[Outcome]:
        """The outcomes that count."""
        return [outcome for outcome in self.outcomes if outcome.success]


def percentile(values: list[float], share: float) -> float:
    """The `share` (0..100) percentile, linearly interpolated between ranks; 0 of nothing."""
    ordered = sorted(values) or [0.0]
    rank = (len(ordered) - 1) * share / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def _samples_ms(run: Run) -> dict[str, list[float]]:
    done = run.successes
    seconds = {
        "ttft": [o.ttft for o in done],
        "tpot": [o.tpot for o in done if o.output_len > 1],
        "itl": [gap for o in done for gap in o.itl],
        "e2el": [o.latency for o in done],
    }
    return {name: [value * 1e3 for value in values] for name, values in seconds.items()}


def statistics(run: Run) -> dict[str, float]:
    """The keys {mean,median,std,pNN}_{metric}_ms of the metrics and percentiles that were asked for."""
    keys = {}
    shares = [float(share) for share in run.args.metric_percentiles.split(",")]
    samples = _samples_ms(run)
    for name in (name for name in METRICS if name in run.args.percentile_metrics.split(",")):
        values = samples[name]
        mean = sum(values) / max(1, len(values))
        keys[f"mean_{name}_ms"] = mean
        keys[f"median_{name}_ms"] = percentile(values, 50)
        keys[f"std_{name}_ms"] = math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values)))
        for share in shares:
            keys[f"p{share:g}_{name}_ms"] = percentile(values, share)
    return keys


def goodput(run: Run) -> float | None:
    """Requests per second that met every limit of --goodput, or None without limits."""
    if not run.args.goodput:
        return None
    limits = {name: float(ms) for name, _, ms in (pair.partition(":") for pair in run.args.goodput)}
    good = [
        o
        for o in run.successes
        if all({"ttft": o.ttft, "tpot": o.tpot, "e2el": o.latency}[name] * 1e3 <= ms for name, ms in limits.items())
    ]
    return len(good) / run.duration


def peaks(run: Run) -> dict[str, float]:
    """The busiest second: chunks received in it, and requests under way in it."""
    chunks: dict[int, int] = {}
    busy: dict[int, int] = {}
    begin = min((o.start for o in run.successes), default=0.0)
    for outcome in run.successes:
        moment = outcome.start - begin + outcome.ttft
        for gap in (0.0, *outcome.itl):
            moment += gap
            chunks[int(moment)] = chunks.get(int(moment), 0) + 1
        for second in range(int(outcome.start - begin), int(outcome.start - begin + outcome.latency) + 1):
            busy[second] = busy.get(second, 0) + 1
    peak = float(max(chunks.values(), default=0))
    return {"max_output_tokens_per_s": peak, "max_concurrent_requests": max(busy.values(), default=0)}

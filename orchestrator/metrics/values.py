"""The figures of one measurement, in the words of vLLM's client; definitions are in docs/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

LATENCIES = ("ttft", "tpot", "itl", "e2el")
WHOLE = ("e2el",)
"""The latencies of a request whose answer comes in one piece."""
PERCENTILES = (50, 90, 95, 99)
STATISTICS = ("mean", "median", "std", *(f"p{percentile}" for percentile in PERCENTILES))


class Latency(BaseModel):
    """One latency's distribution over the requests (ITL: over the chunks) of a measurement, in milliseconds.

    Null where the client did not report it.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    mean: float | None
    median: float | None
    std: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    further: Mapping[str, float] = Field(default_factory=dict)
    """Further percentiles that were asked for, such as `p99.9`."""

    @model_serializer(mode="wrap")
    def _without_further_that_are_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "further" or value}

    def value(self, statistic: str) -> float | None:
        """Return a statistic by its name, or None if the client did not report it."""
        found: float | None = getattr(self, statistic) if statistic in STATISTICS else self.further.get(statistic)
        return found


class Metrics(BaseModel):
    """What one measurement says, in the words of vLLM's client."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    duration_s: float
    """From the first request's start to the last one's end (the guide's E2E time)."""
    completed: int
    """Requests that succeeded, as the client counts them."""
    failed: int | None
    """Requests that failed; null where the version does not say."""
    total_input_tokens: int
    total_output_tokens: int | None
    """Null for requests that generate nothing."""
    request_throughput: float
    """Requests per second."""
    output_throughput: float | None
    """Generated tokens per second; null for requests that generate nothing."""
    total_token_throughput: float
    """Prompt and generated tokens per second."""
    request_goodput: float | None
    """Requests per second that met every objective given to the client, if any were."""
    ttft_ms: Latency
    tpot_ms: Latency
    itl_ms: Latency
    e2el_ms: Latency

"""The figures of one measurement, in the words of vLLM's client; `metrics.catalogue` says what each is.

One is null where the client did not report it: its version does not say, requests generate nothing, or no goodput was
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


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


STATISTICS = tuple(name for name in Latency.model_fields if name != "further")
PERCENTILES = tuple(int(name[1:]) for name in STATISTICS if name[1:].isdigit())


class Metrics(BaseModel):
    """What one measurement says, in the words of vLLM's client."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    duration_s: float
    completed: int
    failed: int | None
    total_input_tokens: int
    total_output_tokens: int | None
    request_throughput: float
    output_throughput: float | None
    total_token_throughput: float
    request_goodput: float | None
    ttft_ms: Latency
    tpot_ms: Latency
    itl_ms: Latency
    e2el_ms: Latency

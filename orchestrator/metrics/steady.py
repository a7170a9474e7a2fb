"""What orch computes of a steady load: a value of its own beside the client's figures, which stay as they are.

`results.steady` computes it, docs/metrics.md says how.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.metrics.values import Latency, Metrics


class Steady(BaseModel):
    """The part of a measurement in which the load is steady, and the figures in it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    kept_by: Literal["in-flight", "rate"]
    """`in-flight`: at least 95 % of the most requests in flight. `rate`: from when 95 % of the load that the rate
    brings about is there, until the last request begins."""
    begin_s: float
    """Seconds from the first request's start."""
    end_s: float
    share: float
    """Part of the measurement's duration, from 0 to 1."""
    most_in_flight: int
    """The most requests in flight at one moment of the whole measurement."""
    output_throughput: float
    """Output tokens made in the window, per second; those of a chunk are made evenly since the chunk before."""
    request_throughput: float
    """Requests per second, each counted by the part of its life that lies in the window."""
    tpot_ms: float | None
    """Time between chunks over the tokens that they brought, in milliseconds; null if no answer had two chunks."""
    requests: int
    """Requests that began in the window after the first wave: those that TTFT is of."""
    ttft_ms: Latency | None
    """Their time to first token; null if there are none."""

    def in_place_of(self, metrics: Metrics) -> Metrics:
        """Return metrics with the window's throughput, mean TPOT and TTFT, for judging by a steady load.

        The total throughput grows as the output throughput does. What the window has no figure of stays that of the
        whole measurement: E2EL, ITL, goodput, every statistic of TPOT but the mean, and TTFT where no request began
        in the window after the first wave.
        """
        part = self.output_throughput / metrics.output_throughput if metrics.output_throughput else 1.0
        tpot = metrics.tpot_ms if self.tpot_ms is None else metrics.tpot_ms.model_copy(update={"mean": self.tpot_ms})
        return metrics.model_copy(
            update={
                "output_throughput": self.output_throughput,
                "request_throughput": self.request_throughput,
                "total_token_throughput": metrics.total_token_throughput * part,
                "ttft_ms": self.ttft_ms or metrics.ttft_ms,
                "tpot_ms": tpot,
            }
        )

"""The catalogue of metrics: each of a measurement once, with all that tables, objectives and documents say of it.

A latency has a metric for each statistic; that of a further percentile, such as `p99.9_ttft_ms`, is read from its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from orchestrator.metrics.values import STATISTICS, Metrics

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class LatencyKind:
    """A time that each request has (ITL: each gap between chunks), in milliseconds."""

    text: str
    of_tokens: bool = True
    """Only requests that generate tokens have it."""
    bounds_goodput: bool = True
    """vLLM's client can count the requests that keep to a bound on it."""


LATENCIES = {
    "ttft": LatencyKind("time to first token, from just before a request is posted to its first chunk"),
    "tpot": LatencyKind("time per output token after the first, of a request"),
    "itl": LatencyKind("inter-token latency, between two chunks of a stream", bounds_goodput=False),
    "e2el": LatencyKind("end-to-end latency, from just before a request is posted to its last chunk", of_tokens=False),
}
WHOLE = tuple(name for name, latency in LATENCIES.items() if not latency.of_tokens)
"""The latencies of a request whose answer comes in one piece."""


@dataclass(frozen=True)
class Metric:
    """One figure of a measurement, or one statistic of a latency."""

    name: str
    """Its column of the wide table; an objective says it too."""
    unit: str
    better: Better | None
    """Which way a server is better; None for what says how much was measured, and so is nothing to bound."""
    text: str
    heading: str = ""
    """Its column where people see a table; empty for what none shows."""
    guide: str = ""
    """Its column of the guide's table; empty for what the guide does not have."""
    of_tokens: bool = False
    """Only requests that generate tokens have it."""
    always: bool = True
    """The client reports it unasked, in every version; of requests that generate tokens, if it is of tokens."""
    latency: str = ""
    statistic: str = ""

    @property
    def percentile(self) -> float | None:
        """Return which percentile it is; None for what is none."""
        return float(self.statistic[1:]) if self.statistic[1:2].isdigit() else None

    def value(self, metrics: Metrics) -> float | None:
        """Return its value in a measurement, or None if the client did not report it."""
        held = getattr(metrics, f"{self.latency}_ms" if self.latency else self.name)
        found: float | None = held.value(self.statistic) if self.latency else held
        return found


FIGURES = (
    Metric("duration_s", "s", None, "From the first request's start to the last one's end.", "E2E s"),
    Metric(
        "completed", "requests", None,
        "Requests that the client counts as successes. Fewer than were sent makes the measurement INVALID.",
    ),
    Metric(
        "failed", "requests", None,
        "Requests that the client counts as failures. vLLM before 0.11.1 does not say, and no client of "
        "requests that generate no tokens.", always=False,
    ),
    Metric(
        "total_input_tokens", "tokens", None,
        "Prompt tokens of completed requests: what was asked for in 0.8.5, what the server counted in 0.32.0.",
    ),
    Metric(
        "total_output_tokens", "tokens", None,
        "Output tokens of completed requests, counted by the server.", of_tokens=True,
    ),
    Metric("request_throughput", "requests/s", "higher", "Completed requests over the duration.", "req/s"),
    Metric(
        "output_throughput", "tokens/s", "higher", "Output tokens of completed requests over the duration.",
        "out tok/s", "generate_throughput(toks/s)", of_tokens=True,
    ),
    Metric(
        "total_token_throughput", "tokens/s", "higher",
        "Prompt and output tokens of completed requests over the duration.", "total tok/s", "TOTAL_THROUGHPUT(toks/s)",
    ),
    Metric(
        "request_goodput", "requests/s", "higher",
        "Completed requests that met every objective given to the client, over the duration.", "goodput",
        of_tokens=True, always=False,
    ),
)  # fmt: skip
"""The metrics that are no latency, in the order of the wide table."""


def of_latency(latency: str, statistic: str) -> Metric:
    """Return the metric that a statistic of a latency is."""
    short = latency.upper()
    mean = statistic == "mean"
    said = {"std": "standard deviation"}.get(statistic, statistic).capitalize()
    return Metric(
        f"{statistic}_{latency}_ms",
        "ms",
        "lower",
        f"{said} of the {LATENCIES[latency].text}.",
        f"{short} ms" if mean else f"{statistic.capitalize()} {short}",
        f"{short}(ms)" if mean and LATENCIES[latency].of_tokens else "",
        LATENCIES[latency].of_tokens,
        statistic in STATISTICS,
        latency,
        statistic,
    )


CATALOGUE = {
    metric.name: metric
    for metric in (*FIGURES, *(of_latency(latency, statistic) for latency in LATENCIES for statistic in STATISTICS))
}
"""Every metric but further percentiles, by its name, in the order of the wide table."""
FURTHER = rf"(p\d{{1,2}}(?:\.\d+)?)_({'|'.join(LATENCIES)})_ms"
"""The name of a percentile that the client reports if it is asked to."""


def find(name: str) -> Metric | None:
    """Return the metric of a name, in which a percentile may have zeros too many; None if there is none."""
    if name not in CATALOGUE and (match := re.fullmatch(FURTHER, name)):
        further = of_latency(match[2], f"p{float(match[1][1:]):.15g}")
        return CATALOGUE.get(further.name, further)
    return CATALOGUE.get(name)


def usual(*, generates: bool) -> str:
    """Return the metric by which repetitions are compared if none is named, of requests that generate tokens or not."""
    return "output_throughput" if generates else "request_throughput"

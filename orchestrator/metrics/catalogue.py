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


@dataclass(frozen=True)
class Beside:
    """A column of the wide table beside the client's figures: computed by orch, or said by server or profile."""

    name: str
    unit: str
    text: str


BESIDE = (
    Beside("steady_share", "", "Part of the duration, from 0 to 1, in which the load was steady."),
    Beside("steady_s", "s", "Length of that window."),
    Beside("steady_in_flight", "requests", "The most requests in flight at one moment of the measurement."),
    Beside("steady_output_throughput", "tokens/s", "Output tokens made in the window over its length."),
    Beside(
        "steady_request_throughput", "requests/s",
        "Requests over the window's length, each counted by the part of its life that lies in the window.",
    ),
    Beside("steady_mean_tpot_ms", "ms", "Time between chunks in the window over the tokens that they brought."),
    Beside(
        "steady_requests", "requests",
        "Requests that began in the window after the first wave: those that the next three are of.",
    ),
    Beside("steady_mean_ttft_ms", "ms", "Mean of their time to first token."),
    Beside("steady_median_ttft_ms", "ms", "Median of their time to first token."),
    Beside("steady_p99_ttft_ms", "ms", "P99 of their time to first token; of fewer than 662 requests it is not solid."),
    Beside(
        "mean_concurrency", "requests",
        "Requests in flight on average: the mean E2EL times the completed requests, over the duration.",
    ),
    Beside(
        "output_throughput_per_user", "tokens/s",
        "Output throughput over the mean concurrency: the output tokens of all requests over the sum of their E2EL. "
        "Without the time to the first token it would be 1000 / TPOT.",
    ),
    Beside(
        "devices", "devices",
        "Devices that the server takes: tensor times pipeline times data parallel size, times the prefill context "
        "parallel size where it is given.",
    ),
    Beside("output_throughput_per_device", "tokens/s", "Output throughput over these devices."),
    Beside("pipeline_parallel_size", "devices", "Stages that a replica's layers are spread over; 1 if not given."),
    Beside("data_parallel_size", "replicas", "Replicas of the model; 1 if not given."),
    Beside("quantization", "", "The server's `quantization` flag; empty where the model's own configuration decides."),
    Beside("kv_cache_dtype", "", "The server's `kv-cache-dtype` flag; `auto` is the precision of the model."),
    Beside(
        "max_num_seqs", "requests",
        "The server's `max-num-seqs` flag, the most requests that it runs at once; empty where vLLM decides.",
    ),
    Beside(
        "speculation", "",
        "Method of speculative decoding, or else the drafting model; `auto` where vLLM decides, empty without.",
    ),
    Beside("draft_tokens", "tokens", "Tokens that are drafted in each step; empty where the drafting model decides."),
    Beside(
        "server_mean_tpot_ms", "ms",
        "Time from first to last token over the tokens between them, of all requests, as the server measured it. "
        "Long answers weigh more than in the client's mean.",
    ),
    Beside(
        "server_mean_e2el_ms", "ms",
        "Mean time from a request's arrival at the engine to its last token, as the server measured it.",
    ),
    Beside("server_mean_queue_ms", "ms", "Mean time for which requests waited in the server's queue."),
)  # fmt: skip
"""The last columns of the wide table, in its order; a cell is empty, never zero, where there is nothing to tell."""
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

"""vLLM's result JSON of any version, read into one set of metrics.

Sources: the result dictionaries of `vllm bench serve` 0.8.0 to 0.33.0; definitions are in docs/metrics.md.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.catalogue import FIGURES, LATENCIES, Metric
from orchestrator.metrics.values import STATISTICS, Latency, Metrics
from orchestrator.vllm.requests import RequestFigures, read_requests
from orchestrator.workload.point import Point

KEYS = {
    "duration_s": ("duration",),
    "request_goodput": ("request_goodput", "request_goodput:"),  # with the colon up to 0.9.1
}
"""The keys under which versions write a figure that has another name in the catalogue, the newest first."""
PERCENTILE_KEY = re.compile(r"(p\d+(?:\.\d+)?)_[a-z0-9]+_ms")


FEWEST_FOR_TREND = 8
"""Requests in a third of a measurement from which on a trend can be told from chance."""


class UnreadableResultError(ValueError):
    """A result file is not what vLLM's client writes."""


def read_metrics(raw: bytes) -> Metrics:
    """Return the metrics in a result file; raise UnreadableResultError for one that is torn or foreign."""
    try:
        data = json.loads(raw)
        figures = {metric.name: _figure(data, metric) for metric in FIGURES}
        found = Metrics(**figures, **{f"{name}_ms": _latency(data, name) for name in LATENCIES})
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableResultError(f"{type(error).__name__}: {error}") from error
    for name, value in found:
        if isinstance(value, float) and not math.isfinite(value):
            raise UnreadableResultError(f"{name} is {value}")
    return found


@dataclass(frozen=True)
class Details:
    """What the figures of the single requests say; None where the result has none, or too few to tell."""

    tpot_trend: float | None = None
    """Mean time per output token of the last third of the requests, in the order of their start, over the others'."""
    sending_s: float | None = None
    """From the start of the first request to that of the last one. Versions before 0.15 do not write when requests
    started; there it is the least that it can have been."""
    ttft_thirds_ms: tuple[float, float, float] | None = None
    """Median TTFT of the first, the middle and the last third of the requests, in the order of their start."""
    requests: RequestFigures | None = None
    """Further figures over the single requests."""


def read_details(raw: bytes, point: Point | None = None) -> Details:
    """Return what the single requests say in a result file that has metrics.

    Args:
        raw: The result file.
        point: What was asked for; without it, nothing is said of what was asked for.
    """
    data = json.loads(raw)
    ttfts, itls, starts = (data.get(name) or [] for name in ("ttfts", "itls", "start_times"))
    try:
        sending_s = _sending_s(data["duration"], ttfts, itls, starts)
        requests = None if point is None else read_requests(data, point)
        return Details(_tpot_trend(itls), sending_s, _ttft_thirds_ms(ttfts, starts), requests)
    except (TypeError, ValueError, KeyError, IndexError):
        return Details()


def _sending_s(duration_s: float, ttfts: list[float], itls: list[list[float]], starts: list[float]) -> float | None:
    """Return how long requests were sent for: of those without a start, one took all that was left of the duration."""
    if starts:
        return max(starts) - min(starts)
    took = [ttft + sum(gaps) for ttft, gaps in zip(ttfts, itls, strict=True)]
    return max(duration_s - max(took), 0.0) if took else None


def _ttft_thirds_ms(ttfts: list[float], starts: list[float]) -> tuple[float, float, float] | None:
    ordered = [ttft for _, ttft in sorted(zip(starts, ttfts, strict=True))] if starts else ttfts
    third = len(ordered) // 3
    if third < FEWEST_FOR_TREND:
        return None
    first, middle, last = ordered[:third], ordered[third:-third], ordered[-third:]
    return 1000.0 * statistics.median(first), 1000.0 * statistics.median(middle), 1000.0 * statistics.median(last)


def _tpot_trend(itls: list[list[float]]) -> float | None:
    times = [statistics.fmean(gaps) for gaps in itls if gaps]
    third = len(times) // 3
    if third < FEWEST_FOR_TREND:
        return None
    before = statistics.fmean(times[:-third])
    return statistics.fmean(times[-third:]) / before if before else None


def _figure(data: dict[str, Any], metric: Metric) -> Any:
    keys = KEYS.get(metric.name, (metric.name,))
    known = next((key for key in keys if key in data), None)
    if known is None and (not metric.always or (metric.of_tokens and not _generates(data))):
        return None
    found = data[known or keys[0]]
    if found is None and metric.always and metric.of_tokens:
        raise TypeError(f"{metric.name} is null")
    return found


def _generates(data: dict[str, Any]) -> bool:
    """Say whether a result is one of requests that generate tokens, which alone have a time to the first one."""
    return any(key.endswith("_ttft_ms") for key in data)


def _latency(data: dict[str, Any], name: str) -> Latency:
    values = {statistic: data.get(f"{statistic}_{name}_ms") for statistic in STATISTICS}
    usual = {key: value if value is None or math.isfinite(value) else None for key, value in values.items()}
    names = (PERCENTILE_KEY.fullmatch(key) for key in data if key.endswith(f"_{name}_ms"))
    further = {match[1]: data[match[0]] for match in names if match and match[1] not in STATISTICS}
    return Latency(**usual, further={key: value for key, value in further.items() if math.isfinite(value)})

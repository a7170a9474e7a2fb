"""How many values a percentile needs to be relied on, and which percentiles of a measurement have too few.

The mark is what bounds a percentile from above with 99 % confidence by the second largest value of a sample: so many
values that two of them lie above it, almost surely. ITL is over gaps between chunks, the other latencies over requests.
"""

from __future__ import annotations

from orchestrator.metrics.values import Metrics
from orchestrator.runs.format.records import MeasurementRecord

SAMPLES_FOR = {"p90": 64, "p95": 130, "p99": 662}
"""Values that the usual percentiles need."""
SURE = 0.99
"""How surely a sample of so many has two values above the percentile."""
OF_GAPS = "itl"


def thin_percentiles(requests: int, metrics: Metrics | None = None, gaps: int | None = None) -> tuple[str, ...]:
    """Return the percentiles that need more values, among the usual ones and those of the metrics.

    Args:
        requests: Requests that were completed.
        metrics: What was measured.
        gaps: Gaps between chunks; None where the client does not say, and each output token after the first of a
            request is taken for one.
    """
    further = {} if metrics is None else metrics.e2el_ms.further
    names = (*SAMPLES_FOR, *further)
    if gaps is None:
        gaps = 0 if metrics is None else max((metrics.total_output_tokens or 0) - requests, 0)
    of_gaps = metrics is not None and metrics.itl_ms.mean is not None
    return (
        *(name for name in names if requests < samples_for(name)),
        *(f"{name}_{OF_GAPS}" for name in names if of_gaps and gaps < samples_for(name)),
    )


def thin_of(record: MeasurementRecord, metrics: Metrics) -> tuple[str, ...]:
    """Return the percentiles of a measurement that need more values than it has."""
    return thin_percentiles(metrics.completed, metrics, None if record.requests is None else record.requests.gaps)


def samples_for(name: str) -> int:
    """Return the values that a percentile such as `p99.9` needs: so many that two lie above it, almost surely."""
    if name in SAMPLES_FOR:
        return SAMPLES_FOR[name]
    below = max(float(name[1:]), 100.0 - float(name[1:])) / 100.0
    low, high = 1, 2
    while _two_above(high, below) < SURE:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _two_above(middle, below) < SURE else (low, middle)
    return high


def _two_above(requests: int, below: float) -> float:
    """Return the probability that at least two of so many values lie above the quantile of a part."""
    return 1.0 - below**requests - requests * (1.0 - below) * below ** (requests - 1)

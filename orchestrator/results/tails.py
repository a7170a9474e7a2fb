"""The tails of latencies within one measurement: intervals of percentiles by order statistics, and the largest value.

The number of values below a percentile is binomial, whatever their distribution is, so that the r-th smallest value
bounds the percentile with a confidence that is known exactly (David and Nagaraja, Order Statistics, 2003, 7.1). It
holds if values are independent. Requests of one measurement share a server and a moment: the interval is of this
measurement's load, and repetitions may lie further apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.metrics.tail import Tail
from orchestrator.results.distributions import binomial_at_least
from orchestrator.results.statistics import CONFIDENCE

PERCENTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
MOST_VALUES = 2_000_000
"""Where there are more, ITL is left out: its percentiles are known closely then, and sorting takes seconds."""


def ranks(n: int, part: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Return which of n values, counted from 1 for the smallest, bound the quantile of a part from below and above.

    Each side may be wrong in half of the cases that the confidence leaves over; None where no value bounds that side.
    """
    left = (1.0 - confidence) / 2.0
    low = _last(n, lambda rank: binomial_at_least(rank, n, part) >= 1.0 - left)
    high = _last(n, lambda rank: binomial_at_least(rank, n, part) > left) + 1
    return low or None, high if high <= n else None


def upper_rank(n: int, part: float, confidence: float = CONFIDENCE) -> int | None:
    """Return which of n values is an upper bound of the quantile of a part; None where not even the largest is.

    For P99 and 95 % that is the largest from 299 values on, for P95 from 59 and for P90 from 29.
    """
    high = _last(n, lambda rank: binomial_at_least(rank, n, part) > 1.0 - confidence) + 1
    return high if high <= n else None


def tail(values_ms: Sequence[float]) -> Tail | None:
    """Return the tail of a latency by its single values, in milliseconds; None without any."""
    if not values_ms:
        return None
    ordered, n = sorted(values_ms), len(values_ms)

    def at(rank: int | None) -> float | None:
        return None if rank is None else ordered[rank - 1]

    found = {name: ranks(n, part) for name, part in PERCENTILES.items()}
    bounds = {name: (at(low), at(high)) for name, (low, high) in found.items()}
    return Tail(n=n, largest=ordered[-1], bounds=bounds)


def tails(raw: bytes) -> dict[str, Tail]:
    """Return the tails of a result file by latency; nothing of a latency whose single values it does not hold."""
    try:
        values = _values(json.loads(raw))
        found = {name: tail([1000.0 * value for value in taken]) for name, taken in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
    return {name: each for name, each in found.items() if each is not None and math.isfinite(each.largest)}


def _values(data: dict[str, Any]) -> dict[str, list[float]]:
    """Return the single values in seconds; E2EL is TTFT and all gaps after it, as the client takes it."""
    ttfts, itls = data.get("ttfts") or [], data.get("itls") or []
    found = {"ttft": list(ttfts)}
    if len(itls) == len(ttfts):
        found["e2el"] = [ttft + math.fsum(gaps) for ttft, gaps in zip(ttfts, itls, strict=True)]
        if sum(map(len, itls)) <= MOST_VALUES:
            found["itl"] = [gap for gaps in itls for gap in gaps]
    return found


def _last(n: int, holds: Callable[[int], bool]) -> int:
    """Return the last rank up to n for which something holds that holds up to some rank; 0 if for none."""
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

"""The tail of a latency in one measurement: how closely its percentiles are known, and the largest value."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Tail(BaseModel):
    """What the single values of a latency say of its tail; all in milliseconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    n: int
    """Values: requests, or for ITL gaps between chunks."""
    largest: float
    bounds: dict[str, tuple[float | None, float | None]]
    """Of each percentile such as `p99` the 95 % interval by order statistics; null where there are too few values for a
    bound on that side."""

"""Samples what a vLLM server counts: requests, KV cache, preemptions, prefix cache, speculation, tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.metrics.readings import Column, Kind, Reading, reading
from orchestrator.telemetry.samples import Gap, Look, Sample
from orchestrator.vllm.counters import COUNTERS, GAUGES, read_load, read_served

UNITS = {"ttft_sum_s": "s", "kv_cache_usage": "1"}
LOAD = {name: Column(name, UNITS.get(name, "")) for name in GAUGES}
SERVED = {name: Column(name, UNITS.get(name, ""), Kind.COUNTER) for name in COUNTERS}


COUNTED = ("prompt_tokens", "generation_tokens", "preemptions", "requests", "cut_off", "ttft_sum_s", "ttft_count")
"""Counters that every server has, and that some show only once there is something to count: no series is 0."""


def read_server(samples: Callable[[], Mapping[str, float] | None]) -> Look:
    """Return what the server counts now; a gap where it does not answer.

    A counter that the server's version does not have is absent; see `orchestrator.vllm.counters`.

    Args:
        samples: Returns the samples of a page, or None.
    """
    page = samples()
    if page is None or not any(name.startswith("vllm:") for name in page):
        return Look(gaps=(Gap("no-answer"),))
    load, served = read_load(page), read_served(page)
    figures: dict[Column, Reading] = {
        column: reading(getattr(load, name) if _has(page, GAUGES[name]) else None) for name, column in LOAD.items()
    }
    figures |= {
        column: reading(getattr(served, name) if name in COUNTED or _has(page, COUNTERS[name]) else None)
        for name, column in SERVED.items()
    }
    return Look((Sample("server", "", figures),))


def _has(page: Mapping[str, float], names: tuple[str, ...]) -> bool:
    return any(name in page for name in names)

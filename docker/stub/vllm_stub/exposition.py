"""The text of GET /metrics, with the names that the emulated version and engine have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vllm_stub.metrics import BLOCK_TOKENS, FINISHED_REASONS, KV_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_stub.metrics import Histogram, Metrics
    from vllm_stub.style import Style

_CREATED = time.time()
_OLD_REASONS = FINISHED_REASONS[:3]


def exposition(metrics: Metrics, style: Style, model: str, *, prefix_caching: bool) -> str:
    """Prometheus text; the V0 engine shows nothing but its configuration until the first request."""
    v0 = style.engine == "v0"
    name = model.replace("\\", "\\\\").replace('"', '\\"')
    engine = "" if v0 else 'engine="0",'
    labels = f'{engine}model_name="{name}"'
    lines: list[str] = []
    if not v0 or metrics.prompt_tokens:
        lines += [*_plain(metrics, style, labels), *_success(metrics, style, labels)]
        lines += _histograms(metrics, style, labels)
    config = (
        f'{engine}block_size="{BLOCK_TOKENS}",cache_dtype="auto",enable_prefix_caching="{prefix_caching}",'
        f'gpu_memory_utilization="{0.9 if style.old else 0.92}",num_cpu_blocks="0",num_gpu_blocks="{KV_BLOCKS}"'
    )
    lines += _family("cache_config_info", "gauge")
    lines.append(f"vllm:cache_config_info{{{config}}} 1.0")
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str) -> list[str]:
    return [f"# HELP vllm:{name} {name.replace('_', ' ')}.", f"# TYPE vllm:{name} {kind}"]


def _plain(metrics: Metrics, style: Style, labels: str) -> Iterator[str]:
    v0 = style.engine == "v0"
    rows: list[tuple[str, str, float]] = [
        ("num_requests_running", "gauge", metrics.running),
        ("num_requests_waiting", "gauge", metrics.waiting),
        ("gpu_cache_usage_perc" if style.old else "kv_cache_usage_perc", "gauge", metrics.kv_usage),
        ("num_preemptions_total", "counter", 0),
        ("prompt_tokens_total", "counter", metrics.prompt_tokens),
        ("generation_tokens_total", "counter", metrics.generation_tokens),
    ]
    if not v0:
        prefix, unit = ("gpu_prefix_cache", BLOCK_TOKENS) if style.old else ("prefix_cache", 1)
        rows.append((f"{prefix}_queries_total", "counter", metrics.prefix_queries // unit))
        rows.append((f"{prefix}_hits_total", "counter", metrics.prefix_hits // unit))
    if not style.old:
        rows.append(("prompt_tokens_cached_total", "counter", metrics.prefix_hits))
        yield from _family("num_requests_waiting_by_reason", "gauge")
        for reason, count in (("capacity", metrics.waiting), ("deferred", 0)):
            yield f'vllm:num_requests_waiting_by_reason{{{labels},reason="{reason}"}} {float(count)}'
    for name, kind, value in rows:
        yield from _family(name, kind)
        yield f"vllm:{name}{{{labels}}} {float(value)}"
        if kind == "counter" and not v0:  # one process: the client library adds a gauge to every counter
            created = name.replace("_total", "_created")
            yield from _family(created, "gauge")
            yield f"vllm:{created}{{{labels}}} {_CREATED}"


def _success(metrics: Metrics, style: Style, labels: str) -> Iterator[str]:
    yield from _family("request_success_total", "counter")
    for reason in _OLD_REASONS if style.old else FINISHED_REASONS:
        count = metrics.finished[reason]
        if count or style.engine == "v1":  # several processes (V0) show no value that was never set
            yield f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {float(count)}'


def _histograms(metrics: Metrics, style: Style, labels: str) -> Iterator[str]:
    rows: list[tuple[str, Histogram]] = [
        ("time_to_first_token_seconds", metrics.ttft),
        ("e2e_request_latency_seconds", metrics.e2e),
        ("request_queue_time_seconds", metrics.queue),
        ("request_prefill_time_seconds", metrics.prefill),
        ("request_decode_time_seconds", metrics.decode),
        ("request_generation_tokens", metrics.answers),
    ]
    if style.old:
        rows.append(("time_per_output_token_seconds", metrics.itl))
    else:
        rows.append(("inter_token_latency_seconds", metrics.itl))
        rows.append(("request_time_per_output_token_seconds", metrics.tpot))
    for name, histogram in rows:
        yield from _family(name, "histogram")
        yield from histogram.samples(f"vllm:{name}", labels)

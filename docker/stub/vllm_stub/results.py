"""What the load client reports: the result JSON and the printed table of the emulated version."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vllm_stub.stats import METRICS, Run, goodput, peaks, statistics

if TYPE_CHECKING:
    from vllm_stub.style import Style

_DETAILS = ("input_lens", "output_lens", "ttfts", "itls", "start_times", "generated_texts", "errors")


def measurements(run: Run) -> dict[str, Any]:
    """The keys of the result that the run itself gives, in vLLM's order."""
    done, every = run.successes, run.outcomes
    tokens_in, tokens_out = sum(o.prompt_len for o in done), sum(o.output_len for o in done)
    return {
        "duration": run.duration,
        "completed": len(done),
        **({} if run.style.old else {"failed": len(every) - len(done)}),
        "total_input_tokens": tokens_in,
        "total_output_tokens": tokens_out,
        "request_throughput": len(done) / run.duration,
        "request_goodput:" if run.style.old else "request_goodput": goodput(run),
        "output_throughput": tokens_out / run.duration,
        "total_token_throughput": (tokens_in + tokens_out) / run.duration,
        "input_lens": [o.prompt_len for o in every],
        "output_lens": [o.output_len for o in every],
        "ttfts": [o.ttft for o in every],
        "itls": [o.itl for o in every],
        **({} if run.style.old else _times(run)),
        "generated_texts": [o.text for o in every],
        "errors": [o.error for o in every],
        **({} if run.style.old else {**peaks(run), "rtfx": 0.0}),
        **statistics(run),
    }


def _times(run: Run) -> dict[str, list[float]]:
    return {
        "latencies": [o.latency for o in run.outcomes],
        "start_times": [o.start for o in run.outcomes],
        "queue_times": [o.queued for o in run.outcomes],
    }


def _metadata(items: list[str], style: Style) -> dict[str, str]:
    pairs = {}
    for item in items:
        if "=" not in item:
            raise ValueError("Invalid metadata format. Please use KEY=VALUE format.")
        # 0.8.x splits at every "=" and keeps the second part: a value with "=" is truncated
        key, value = item.split("=")[:2] if style.old else item.split("=", 1)
        pairs[key.strip()] = value.strip()
    return pairs


def result_json(run: Run) -> dict[str, Any]:
    """The whole result, with the keys that the emulated version writes for these arguments.

    Raises:
        ValueError: a --metadata item has no "=".
    """
    args, old = run.args, run.style.old
    kind = args.endpoint_type if old else args.backend
    result: dict[str, Any] = {"date": time.strftime("%Y%m%d-%H%M%S"), "endpoint_type": kind}
    if not old:
        result["backend"] = kind
    result.update(label=args.label, model_id=run.model, tokenizer_id=args.tokenizer or run.model)
    if old:
        result["best_of"] = args.best_of
    result["num_prompts"] = args.num_prompts
    result.update(_metadata(args.metadata or [], run.style))
    rate = args.request_rate if math.isfinite(args.request_rate) else "inf"
    result.update(request_rate=rate, burstiness=args.burstiness, max_concurrency=args.max_concurrency)
    result.update(measurements(run))
    if not (old or args.save_detailed):
        for key in _DETAILS:
            del result[key]
    return result


def table(run: Run) -> list[str]:
    """The lines that the client prints at the end."""
    result, args, old = measurements(run), run.args, run.style.old
    rows: list[tuple[str, Any]] = [("Successful requests:", result["completed"])]
    if not old:
        rows.append(("Failed requests:", result["failed"]))
        if args.max_concurrency is not None:
            rows.append(("Maximum request concurrency:", args.max_concurrency))
        if math.isfinite(args.request_rate):
            rows.append(("Request rate configured (RPS):", float(args.request_rate)))
    rows += [
        ("Benchmark duration (s):", run.duration),
        ("Total input tokens:", result["total_input_tokens"]),
        ("Total generated tokens:", result["total_output_tokens"]),
        ("Request throughput (req/s):", result["request_throughput"]),
    ]
    if (rate := goodput(run)) is not None:
        rows.append(("Request goodput (req/s):", rate))
    rows.append(("Output token throughput (tok/s):", result["output_throughput"]))
    if not old:
        rows.append(("Peak output token throughput (tok/s):", result["max_output_tokens_per_s"]))
        rows.append(("Peak concurrent requests:", float(result["max_concurrent_requests"])))
    total = "Total Token throughput (tok/s):" if old else "Total token throughput (tok/s):"
    rows.append((total, result["total_token_throughput"]))
    lines = [f"{' Serving Benchmark Result ':=^50}", *(_row(label, value) for label, value in rows)]
    for name in (name for name in METRICS if name in args.percentile_metrics.split(",")):
        lines.append(f"{METRICS[name]:-^50}")
        keys = (key for key in result if key.endswith(f"_{name}_ms") and not key.startswith("std_"))
        lines += [_row(f"{key.split('_', 1)[0].capitalize()} {name.upper()} (ms):", result[key]) for key in keys]
    return [*lines, "=" * 50]


def _row(label: str, value: float) -> str:
    return f"{label:<40} {value:<10.2f}" if isinstance(value, float) else f"{label:<40} {value:<10}"


def result_path(run: Run) -> Path:
    """Where --result-dir and --result-filename, or else the arguments of the run, put the result."""
    args = run.args
    label = args.label or (args.endpoint_type if run.style.old else args.backend)
    limit = "" if args.max_concurrency is None else f"-concurrency{args.max_concurrency}"
    name = f"{label}-{args.request_rate}qps{limit}-{run.model.rsplit('/', 1)[-1]}"
    name += f"-{time.strftime('%Y%m%d-%H%M%S')}.json"
    return Path(args.result_dir or ".") / (args.result_filename or name)


def save(run: Run, result: dict[str, Any], *, truncated: bool) -> None:
    """Write `result`; `truncated` writes only the first half of it.

    Raises:
        OSError: among others, for 0.8.x: the directory does not exist.
    """
    path, text = result_path(run), json.dumps(result)
    if not run.style.old:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text[: len(text) // 2] if truncated else text, encoding="utf-8")

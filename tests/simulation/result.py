"""The client's result file, in the keys and the order in which each version writes them.

Sources: the result dictionaries in `benchmarks/benchmark_serving.py` of vLLM 0.8.5, and in its
`vllm/benchmarks/serve.py` of 0.8.5 to 0.32.0.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from simulation.client import Played, Sent
from simulation.stream import Gaps, Stream, done, once, statistics_ms, stream_of

EPOCH_S = 81_234.5
"""What the client's clock shows when a measurement begins."""
WORDS = ("river", "stone", "of", "under", "light", "seven", "walks", "paper", "green", "into", "early", "north", "song")
MODEL = "/models/simulated"
ASKED = "model_id tokenizer_id {} num_prompts request_rate burstiness max_concurrency"
RAMP = "ramp_up_strategy ramp_up_start_rps ramp_up_end_rps"
COUNTED = "duration completed {} total_input_tokens total_output_tokens request_throughput {} output_throughput"
DETAILS = "input_lens output_lens ttfts itls"
STARTS = "latencies start_times queue_times"
TEXTS = "generated_texts errors"
MOST = "max_output_tokens_per_s max_concurrent_requests"
SPECULATION = (
    "spec_decode_acceptance_rate spec_decode_acceptance_length spec_decode_num_drafts spec_decode_draft_tokens "
    "spec_decode_accepted_tokens spec_decode_per_position_acceptance_rates"
)


def _keys(*parts: str) -> tuple[str, ...]:
    return tuple(" ".join(parts).split())


FORMS = {
    "script": _keys(
        "date backend", ASKED.format(""), COUNTED.format("", "request_goodput:"), "total_token_throughput"
    ),
    "0.8": _keys(
        "date endpoint_type label", ASKED.format("best_of"), COUNTED.format("", "request_goodput:"),
        "total_token_throughput", DETAILS, TEXTS,
    ),
    "0.9": _keys(
        "date endpoint_type label", ASKED.format(""), RAMP, COUNTED.format("", "request_goodput"),
        "total_token_throughput", DETAILS, TEXTS,
    ),
    "0.11": _keys(
        "date endpoint_type backend label", ASKED.format(""), RAMP, COUNTED.format("failed", "request_goodput"),
        "total_token_throughput", DETAILS, TEXTS, MOST,
    ),
    "0.32": _keys(
        "date endpoint_type backend label", ASKED.format(""), RAMP, COUNTED.format("failed", "request_goodput"),
        "total_token_throughput", DETAILS, STARTS, TEXTS, MOST, "rtfx", SPECULATION,
    ),
}  # fmt: skip
"""The keys of each form before the latencies; those of a ramp or of speculation only where there is one."""


def result_bytes(played: Played) -> bytes:
    """Return the result file of a measurement."""
    streams = [stream_of(played, item) for item in played.sent]
    itls = Gaps(played)
    chunks = ["[]" if stream is None else itls.text(stream) for stream in streams]
    data = _result(played, streams, itls)
    text = json.dumps(data)
    return text.replace('"@itls@"', "[" + ", ".join(chunks) + "]").encode()


def _result(played: Played, streams: list[Stream | None], itls: Gaps) -> dict[str, Any]:
    point = played.point
    known = [stream for stream in streams if stream is not None]
    duration, form = played.duration_s, played.setup.client.form
    inputs = [_input_len(played, item) for item in played.sent]
    input_tokens = sum(length for length, stream in zip(inputs, streams, strict=True) if stream is not None)
    output_tokens = sum(stream.tokens for stream in known)
    values: dict[str, Any] = {
        "date": "20261124-044237",
        "backend": "openai",
        "endpoint_type": "openai-comp" if form == "0.8" else "openai",
        "label": None,
        "model_id": MODEL,
        "tokenizer_id": MODEL,
        "best_of": 1,
        "num_prompts": point.num_prompts,
        "request_rate": point.request_rate,
        "burstiness": float(point.burstiness),
        "max_concurrency": point.max_concurrency,
        "duration": duration,
        "completed": len(known),
        "failed": len(streams) - len(known),
        "total_input_tokens": input_tokens,
        "total_output_tokens": output_tokens,
        "request_throughput": len(known) / duration,
        "request_goodput": None,
        "request_goodput:": None,
        "output_throughput": output_tokens / duration,
        "total_token_throughput": (input_tokens + output_tokens) / duration,
        "input_lens": inputs,
        "output_lens": [0 if stream is None else stream.tokens for stream in streams],
        "ttfts": [0.0 if stream is None else stream.ttft for stream in streams],
        "itls": "@itls@",
        "latencies": [0.0 if stream is None else stream.latency for stream in streams],
        "start_times": [EPOCH_S + item.started for item in played.sent],
        "queue_times": [item.started - item.made for item in played.sent],
        "generated_texts": _texts(played, streams),
        "errors": ["" if stream is not None else "ServerDisconnectedError: Server disconnected" for stream in streams],
        "max_output_tokens_per_s": _most_chunks(played),
        "max_concurrent_requests": _most_at_once(played, streams),
        "rtfx": 0.0,
    }
    if point.ramp_up is not None:
        values |= {
            "ramp_up_strategy": point.ramp_up.strategy,
            "ramp_up_start_rps": point.ramp_up.start,
            "ramp_up_end_rps": point.ramp_up.end,
        }
    if played.setup.server.draft_tokens:
        values |= _speculation(played)
    tpots = [(stream.latency - stream.ttft) / (stream.tokens - 1) for stream in known if stream.tokens > 1]
    latencies = {
        "ttft": once([stream.ttft for stream in known]),
        "tpot": once(tpots),
        "itl": itls.weighted(),
        "e2el": once([stream.latency for stream in known]),
    }
    result = {key: values[key] for key in FORMS[form] if key in values}
    for name, weighted in latencies.items():
        result |= {f"{statistic}_{name}_ms": value for statistic, value in statistics_ms(weighted).items()}
    return result


def _input_len(played: Played, item: Sent) -> int:
    if played.setup.client.corrects_prompts and item.request is not None:
        return item.request.prompt
    return item.input_len


def _texts(played: Played, streams: list[Stream | None]) -> list[str]:
    """Return answers of as many words as tokens, cut from one text, each beginning elsewhere."""
    said = played.trouble.text
    longest = max((stream.tokens for stream in streams if stream is not None), default=0)
    if said:
        return ["" if stream is None else said * stream.tokens for stream in streams]
    words = random.Random(longest).choices(WORDS, k=longest + len(streams))
    return [
        "" if stream is None else " " + " ".join(words[index : index + stream.tokens])
        for index, stream in enumerate(streams)
    ]


def _most_chunks(played: Played) -> float:
    """Return the most chunks in a second, as the client counts "tokens"."""
    seconds: Counter[int] = Counter()
    for time, batch in zip(played.engine.seen, played.engine.batch, strict=True):
        seconds[int(time)] += batch
    return float(max(seconds.values(), default=0))


def _most_at_once(played: Played, streams: list[Stream | None]) -> int:
    """Return the most requests that were in flight in any second, as the client counts them."""
    seconds: Counter[int] = Counter()
    for item, stream in zip(played.sent, streams, strict=True):
        if stream is not None:
            seconds.update(range(int(item.started), int(item.started + stream.latency) + 1))
    return max(seconds.values(), default=0)


def _speculation(played: Played) -> dict[str, Any]:
    """Return what the client makes of the server's counters."""
    drafts = sum(done(played, item.request.decoded) for item in played.sent if item.request is not None)
    made = sum(
        done(played, item.request.decoded) * item.request.per_step for item in played.sent if item.request is not None
    )
    drafted = drafts * played.setup.server.draft_tokens
    accepted = round(made) - drafts
    return {
        "spec_decode_acceptance_rate": 100.0 * accepted / max(drafted, 1),
        "spec_decode_acceptance_length": 1.0 + accepted / max(drafts, 1),
        "spec_decode_num_drafts": drafts,
        "spec_decode_draft_tokens": drafted,
        "spec_decode_accepted_tokens": accepted,
        "spec_decode_per_position_acceptance_rates": [
            played.setup.server.acceptance ** (position + 1) for position in range(played.setup.server.draft_tokens)
        ],
    }

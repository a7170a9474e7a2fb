"""The client's result file, in the keys and the order in which each version writes them.

The gaps between chunks are those between the steps of the engine, and many requests share them. So each gap is written
once as text, and percentiles are taken over gaps with their weights: the same bytes and figures as from one list, in a
hundredth of the time.
"""

from __future__ import annotations

import bisect
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from simulation.client import Played, Sent, last_seen

from orchestrator.metrics.values import PERCENTILES

EPOCH_S = 81_234.5
"""What the client's clock shows when a measurement begins."""
APART_S = 2e-6
"""Between two chunks that were read together."""
WORDS = ("river", "stone", "of", "under", "light", "seven", "walks", "paper", "green", "into", "early", "north", "song")
MODEL = "/models/simulated"


@dataclass(frozen=True)
class Stream:
    """One answer as the client sees it."""

    ttft: float
    latency: float
    first_gap: float | None
    """From the first token to the next step; None where the gaps are listed."""
    steps: tuple[int, int]
    """Steps whose gaps follow."""
    gaps: tuple[float, ...]
    """All gaps, where they are not those of steps."""
    tokens: int


def result_bytes(played: Played) -> bytes:
    """Return the result file of a measurement."""
    streams = [_stream(played, item) for item in played.sent]
    itls = _Gaps(played)
    chunks = ["[]" if stream is None else itls.text(stream) for stream in streams]
    data = _result(played, streams, itls)
    text = json.dumps(data)
    return text.replace('"@itls@"', "[" + ", ".join(chunks) + "]").encode()


def _stream(played: Played, item: Sent) -> Stream | None:
    request = item.request
    if request is None or request.first is None or item.failed:
        return None
    engine, trouble, every = played.engine, played.trouble, played.setup.server.stream_interval
    end, ttft = last_seen(engine, request), request.first_seen - item.started
    latency = end - item.started
    held = trouble.buffered_tokens
    if held != 1 and trouble.buffered_part < 1.0:
        held = held if item.index * 37 % 100 < 100 * trouble.buffered_part else 1
    tokens = 1 + round(min(request.steps, _done(played, request.decoded)) * request.per_step)
    whole = [(begin, min(stop, len(engine.seen))) for begin, stop in request.decoded if begin < len(engine.seen)]
    if held == 1 and every == 1 and len(whole) <= 1:
        if not whole:
            return Stream(ttft, latency, None, (0, 0), (), tokens)
        begin, stop = whole[0]
        return Stream(ttft, latency, engine.seen[begin] - request.first_seen, (begin + 1, stop), (), tokens)
    times = [request.first_seen, *(engine.seen[step] for begin, stop in whole for step in range(begin, stop))]
    if every > 1:
        times = [times[0], *times[every:-1:every], times[-1]] if len(times) > 1 else times
    if held != 1:
        times = _held_back(times, held)
        ttft = times[0] - item.started
    gaps = tuple(later - earlier for earlier, later in pairwise(times))
    return Stream(ttft, times[-1] - item.started, None, (0, 0), gaps, tokens)


def _done(played: Played, decoded: list[tuple[int, int]]) -> int:
    return sum(max(min(end, len(played.engine.seen)) - begin, 0) for begin, end in decoded)


def _held_back(times: list[float], held: int) -> list[float]:
    """Return when chunks arrive if they are passed on only once so many are there; 0 is all of them."""
    size = held or len(times)
    found = []
    for begin in range(0, len(times), size):
        group = times[begin : begin + size]
        found += [group[-1] + APART_S * number for number in range(len(group))]
    return found


class _Gaps:
    """All gaps of a measurement: as text, and as values with their weights."""

    def __init__(self, played: Played) -> None:
        seen = played.engine.seen
        self._between = [0.0, *(later - earlier for earlier, later in pairwise(seen))]
        self._texts = [repr(gap) for gap in self._between]
        self._edges = [0] * (len(seen) + 1)
        self._single: list[float] = []

    def text(self, stream: Stream) -> str:
        """Write the gaps of a stream, and count them."""
        if stream.first_gap is None:
            self._single += stream.gaps
            return json.dumps(stream.gaps)
        begin, end = stream.steps
        self._single.append(stream.first_gap)
        self._edges[begin] += 1
        self._edges[end] -= 1
        return "[" + ", ".join([repr(stream.first_gap), *self._texts[begin:end]]) + "]"

    def weighted(self) -> list[tuple[float, int]]:
        """Return each gap, in order of its size, and how often it was."""
        weights = accumulate(self._edges)
        shared = [(gap, weight) for gap, weight in zip(self._between, weights, strict=False) if weight]
        return sorted(shared + [(gap, 1) for gap in self._single])


def statistics_ms(weighted: Sequence[tuple[float, int]]) -> dict[str, float]:
    """Return the client's statistics of values in seconds that come so often each; percentiles as numpy takes them."""
    if not weighted:
        weighted = [(0.0, 1)]
    ranks = list(accumulate(weight for _, weight in weighted))
    count = ranks[-1]
    mean = math.fsum(value * weight for value, weight in weighted) / count
    deviation = math.sqrt(math.fsum(weight * (value - mean) ** 2 for value, weight in weighted) / count)

    def at(part: float) -> float:
        place = (count - 1) * part
        low = weighted[bisect.bisect_right(ranks, math.floor(place))][0]
        high = weighted[bisect.bisect_right(ranks, math.ceil(place))][0]
        return low + (high - low) * (place - math.floor(place))

    found = {"mean": mean, "median": at(0.5), "std": deviation}
    found.update({f"p{percentile}": at(percentile / 100.0) for percentile in PERCENTILES})
    return {name: 1000.0 * value for name, value in found.items()}


def _once(values: Sequence[float]) -> list[tuple[float, int]]:
    return [(value, 1) for value in sorted(values)]


def _result(played: Played, streams: list[Stream | None], itls: _Gaps) -> dict[str, Any]:
    point, new = played.point, played.setup.client.reports_starts
    known = [stream for stream in streams if stream is not None]
    duration, rate = played.duration_s, point.request_rate
    inputs = [_input_len(played, item) for item in played.sent]
    input_tokens = sum(length for length, stream in zip(inputs, streams, strict=True) if stream is not None)
    output_tokens = sum(stream.tokens for stream in known)
    head = {"backend": "openai"} if new else {}
    result: dict[str, Any] = {
        "date": "20261124-044237",
        "endpoint_type": "openai" if new else "openai-comp",
        **head,
        "label": None,
        "model_id": MODEL,
        "tokenizer_id": MODEL,
        **({} if new else {"best_of": 1}),
        "num_prompts": point.num_prompts,
        "request_rate": rate,
        "burstiness": float(point.burstiness),
        "max_concurrency": point.max_concurrency,
    }
    if point.ramp_up is not None:
        ramp = point.ramp_up
        result |= {
            "ramp_up_strategy": ramp.strategy,
            "ramp_up_start_rps": ramp.start,
            "ramp_up_end_rps": ramp.end,
        }
    result |= {"duration": duration, "completed": len(known)}
    if new:
        result["failed"] = len(streams) - len(known)
    result |= {
        "total_input_tokens": input_tokens,
        "total_output_tokens": output_tokens,
        "request_throughput": len(known) / duration,
        "request_goodput" if new else "request_goodput:": None,
        "output_throughput": output_tokens / duration,
        "total_token_throughput": (input_tokens + output_tokens) / duration,
        "input_lens": inputs,
        "output_lens": [0 if stream is None else stream.tokens for stream in streams],
        "ttfts": [0.0 if stream is None else stream.ttft for stream in streams],
        "itls": "@itls@",
    }
    texts = _texts(played, streams)
    errors = ["" if stream is not None else "ServerDisconnectedError: Server disconnected" for stream in streams]
    if new:
        result |= {
            "latencies": [0.0 if stream is None else stream.latency for stream in streams],
            "start_times": [EPOCH_S + item.started for item in played.sent],
            "queue_times": [item.started - item.planned for item in played.sent],
            "generated_texts": texts,
            "errors": errors,
            "max_output_tokens_per_s": _most_chunks(played),
            "max_concurrent_requests": _most_at_once(played, streams),
            "rtfx": 0.0,
        }
        if played.setup.server.draft_tokens:
            result |= _speculation(played)
    else:
        result |= {"generated_texts": texts, "errors": errors}
    tpots = [(stream.latency - stream.ttft) / (stream.tokens - 1) for stream in known if stream.tokens > 1]
    latencies: dict[str, list[tuple[float, int]]] = {
        "ttft": _once([stream.ttft for stream in known]),
        "tpot": _once(tpots),
        "itl": itls.weighted(),
        "e2el": _once([stream.latency for stream in known]),
    }
    for name, values in latencies.items():
        result |= {f"{statistic}_{name}_ms": value for statistic, value in statistics_ms(values).items()}
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
    drafts = sum(_done(played, item.request.decoded) for item in played.sent if item.request is not None)
    made = sum(
        _done(played, item.request.decoded) * item.request.per_step for item in played.sent if item.request is not None
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

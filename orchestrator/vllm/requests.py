"""What the single requests of a measurement say beyond the client's own figures; kept in the measurement's record.

The client's result stays as it is. These figures are for judging it: whether it was as asked, and whether the server
kept its pace.
"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from orchestrator.vllm.timeline import Stream, read_streams
from orchestrator.workload.point import Point, lengths_vary, range_ratio

OFF, OFF_TOKENS = 0.10, 8
"""How far a prompt may be from the length asked for, and how many tokens in any case: its text is tokenised anew."""
FULL = 0.95
"""Part of the load at which all of it counts as in flight."""
FEWEST_GAPS = 50
"""Gaps in each part of a measurement whose pace is compared with another's."""
SHORTEST_PART_S = 1.0
"""Seconds of each of these parts at least; what a machine does beside would weigh too much in a shorter one."""
FEWEST_STEPS = 20
"""Steps of the server in each of these parts: gaps of requests that are served together are no independent ones."""
MOST_PARTS = 8
"""Parts of equal time whose pace is compared; fewer where there are too few gaps for so many."""
PURE = 0.5
"""Part of the gaps that must be without reading prompts for these alone to be compared."""
SAME_STEP_S = 0.001
"""Chunks of one step reach the client within this time."""
MOST_GAPS = 200_000
"""Where there are more gaps, those of every second, third … request are looked at."""
STEADIEST = 0.10
"""How far the requests in flight may differ between parts whose pace is compared."""
STALL_S = 1.0
"""A shorter silence of a busy server is no stall."""
STEP_TOKENS = 16384
"""Most prompt tokens that one step takes unless told otherwise (`max-num-batched-tokens`: 2048 to 16384 by version and
device, `vllm/engine/arg_utils.py`)."""
MOST_CHUNKS = 3_000_000
"""Where a measurement has more, its pace and stalls are not looked for: that would take longer than it is worth."""


class RequestFigures(BaseModel):
    """Figures over the single requests; null for what the client's version does not say, or what does not apply."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    gaps: int = 0
    """Gaps between chunks, over which the client's ITL is taken."""
    tokens_per_chunk: float | None = None
    """Output tokens after the first of a request, over chunks after the first."""
    full_share: float | None = None
    """Part of the duration in which at least 95 % of the load was in flight; null where a rate decides."""
    inputs: tuple[int, int] | None = None
    """The shortest and the longest prompt, in tokens."""
    inputs_off: float | None = None
    """Part of the prompts that are further than 10 %, and 8 tokens, from what was asked; null where no length was."""
    outputs_off: int | None = None
    """Answers that are longer or shorter than asked for; null where no length was."""
    first_output: int | None = None
    """Output tokens of the first request, which the test request of a client repeats."""
    client_queue_ms: float | None = None
    """Mean time for which requests waited in the client before they were sent; since 0.30."""
    at_limit: float | None = None
    """Part of the requests that were sent when as many as allowed were in flight with them."""
    pace_ms: tuple[float, ...] = ()
    """Time per output token in parts of equal time, while all of the load was being decoded, in order."""
    context: tuple[float, ...] = ()
    """Mean tokens before the one that was decoded, in each of these parts."""
    stalled_s: float | None = None
    """For how long no token came though requests were being served, beyond what reading prompts explains."""
    probes: int | None = None
    """Requests of one token that the client was told to send besides."""


def read_requests(data: Mapping[str, Any], point: Point) -> RequestFigures | None:
    """Return what the single requests of a result say; None where it has no details.

    Raises:
        TypeError, ValueError, KeyError: The result says it in a way that no client does.
    """
    inputs, outputs, itls = (data.get(name) or [] for name in ("input_lens", "output_lens", "itls"))
    if not inputs and not outputs and not itls:
        return None
    queued = data.get("queue_times") or []
    chunks = sum(map(len, itls))
    streams = read_streams(data, point) if chunks <= MOST_CHUNKS else ()
    whole = [stream for stream in streams if stream.tokens]
    probes = [data[name] for name in ("probe_completed", "probe_failed") if name in data]
    pace, context = _pace(whole, point)
    return RequestFigures(
        gaps=chunks,
        tokens_per_chunk=sum(max(made - 1, 0) for made in outputs) / chunks if chunks and outputs else None,
        full_share=_full_share(whole, point),
        inputs=(min(inputs), max(inputs)) if inputs else None,
        inputs_off=_inputs_off(inputs, point),
        outputs_off=_outputs_off(outputs, point),
        first_output=outputs[0] if outputs else None,
        client_queue_ms=1000.0 * statistics.fmean(queued) if queued else None,
        at_limit=_at_limit(whole, point),
        pace_ms=pace,
        context=context,
        stalled_s=_stalled_s(whole, point),
        probes=sum(probes) if probes else None,
    )


def allowed_lengths(asked: int, point: Point, side: str) -> tuple[int, int] | None:
    """Return the shortest and the longest length that a client may draw; None where its own flag decides.

    Args:
        asked: The length that was asked for.
        point: The point.
        side: `input` or `output`.
    """
    parameters = point.parameters()
    ratio = range_ratio(parameters.get("dataset_options", {}), side)
    if ratio == 0.0 and lengths_vary(parameters, side):
        return None
    return max(math.floor(asked * (1.0 - ratio)), 1), math.ceil(asked * (1.0 + ratio))


def _inputs_off(inputs: Sequence[int], point: Point) -> float | None:
    asked = point.prompt_tokens
    allowed = None if asked is None else allowed_lengths(asked[0], point, "input")
    if asked is None or allowed is None or not inputs:
        return None
    shortest, longest = allowed[0] + asked[1], allowed[1] + asked[1]
    least, most = shortest - max(OFF * shortest, OFF_TOKENS), longest + max(OFF * longest, OFF_TOKENS)
    return sum(not least <= length <= most for length in inputs) / len(inputs)


def _outputs_off(outputs: Sequence[int], point: Point) -> int | None:
    allowed = None if point.output_len is None else allowed_lengths(point.output_len, point, "output")
    if allowed is None or not outputs or not point.generates:
        return None
    least = allowed[0] if point.ignores_eos else 0
    return sum(not least <= length <= allowed[1] for length in outputs)


def _load(streams: Sequence[Stream], point: Point) -> int | None:
    """Return how many requests are kept in flight; None where a rate decides."""
    if point.request_rate != "inf" or point.ramp_up is not None or not streams:
        return None
    return min(point.max_concurrency or len(streams), len(streams))


def _full_share(streams: Sequence[Stream], point: Point) -> float | None:
    load = _load(streams, point)
    if load is None:
        return None
    changes = sorted([(stream.start, 1) for stream in streams] + [(stream.end, -1) for stream in streams])
    full, flying = 0.0, 0
    for (now, change), (later, _) in itertools.pairwise(changes):
        flying += change
        full += (later - now) if flying >= FULL * load else 0.0
    return full / changes[-1][0] if changes[-1][0] else None


def _at_limit(streams: Sequence[Stream], point: Point) -> float | None:
    """Return how often a request was sent into the last free place of a limit, where a rate paces requests too."""
    if point.max_concurrency is None or point.request_rate == "inf" or not streams:
        return None
    starts, ends = sorted(stream.start for stream in streams), sorted(stream.end for stream in streams)
    taken = [
        number - bisect.bisect_right(ends, start) >= point.max_concurrency for number, start in enumerate(starts, 1)
    ]
    return sum(taken) / len(taken)


def _pace(streams: Sequence[Stream], point: Point) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the time per output token, in milliseconds, and the context, in parts of the time under full load.

    Steps that read prompts take longer and come in clusters. Where enough steps read none, these alone are compared,
    from the first wave on; else parts so long that each holds whole requests, from the first request's end on.
    """
    if point.ramp_up is not None or not streams:
        return (), ()
    sample = streams[:: sum(len(stream.chunks) for stream in streams) // MOST_GAPS + 1]
    load = _load(streams, point)
    ends, last = sorted(stream.end for stream in streams), max(stream.start for stream in streams)
    if load is not None:
        wave = sorted(streams, key=lambda stream: stream.start)[:load]
        decoding = max(stream.chunks[0] for stream in wave)
        ended = max(last, ends[int((1.0 - FULL) * load)])
        gaps = _gaps_within(sample, decoding, ended)
        pure = _without_prompts(gaps, streams)
        if len(pure) >= PURE * len(gaps):
            return _parts(pure, streams, load, MOST_PARTS)
    whole = statistics.fmean(stream.end - stream.start for stream in streams)
    most = int((last - ends[0]) / whole) if whole else 0
    return _parts(_gaps_within(sample, ends[0], last), streams, load or 1, min(most, MOST_PARTS))


def _parts(
    gaps: Sequence[Gap], streams: Sequence[Stream], load: int, most: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return pace and context in as many parts of equal time as the gaps suffice for; nothing for fewer than two."""
    if not gaps:
        return (), ()
    begun, ended = min(gap.ended for gap in gaps), max(gap.ended for gap in gaps)
    fewest = max(FEWEST_GAPS, FEWEST_STEPS * load)
    for parts in range(min(most, int((ended - begun) / SHORTEST_PART_S)), 1, -1):
        width = (ended - begun) / parts or 1.0
        held: list[list[Gap]] = [[] for _ in range(parts)]
        for gap in gaps:
            held[min(int((gap.ended - begun) / width), parts - 1)].append(gap)
        if min(map(len, held)) >= fewest and _same_load(streams, begun, width, parts):
            context = tuple(statistics.fmean(gap.context for gap in part) for part in held)
            return min((_by(statistics.median, held), _by(statistics.fmean, held)), key=_unevenness), context
    return (), ()


def _by(middle: Callable[[Iterable[float]], float], held: Sequence[Sequence[Gap]]) -> tuple[float, ...]:
    """Return the middle time per token of each part, in milliseconds."""
    return tuple(1000.0 * middle(gap.token_s for gap in part) for part in held)


def _unevenness(pace: tuple[float, ...]) -> float:
    """Return by how much parts differ.

    A median jumps where half of the steps read prompts, and a mean follows how many waves fall into a part; a server
    that slows down moves both.
    """
    return max(pace) / min(pace) if min(pace) > 0.0 else math.inf


class Gap(NamedTuple):
    """The time between two chunks of an answer."""

    began: float
    ended: float
    token_s: float
    """Seconds for each token of the later chunk."""
    context: float
    """Tokens before them."""


def _gaps_within(streams: Sequence[Stream], begun: float, ended: float) -> list[Gap]:
    """Return the gaps that lie within a time."""
    found = []
    for stream in streams:
        each = stream.tokens_per_chunk
        first = bisect.bisect_left(stream.chunks, begun)
        for index in range(first, len(stream.chunks) - 1):
            before, after = stream.chunks[index], stream.chunks[index + 1]
            if after > ended:
                break
            found.append(Gap(before, after, (after - before) / each, stream.prompt + (index + 1) * each))
    return found


def _without_prompts(gaps: Sequence[Gap], streams: Sequence[Stream]) -> list[Gap]:
    """Return the gaps in which no request waited for its first token or got it."""
    starts, firsts = sorted(stream.start for stream in streams), sorted(stream.chunks[0] for stream in streams)
    return [
        gap
        for gap in gaps
        if bisect.bisect_right(starts, gap.began) == bisect.bisect_right(firsts, gap.ended - SAME_STEP_S)
    ]


def _same_load(streams: Sequence[Stream], begun: float, width: float, parts: int) -> bool:
    """Say whether as many requests were in flight in each part; a rate leaves that to chance."""
    means = [
        sum(
            max(min(stream.end, begun + (part + 1) * width) - max(stream.start, begun + part * width), 0.0)
            for stream in streams
        )
        / width
        for part in range(parts)
    ]
    return max(means) - min(means) <= STEADIEST * max(means)


def _stalled_s(streams: Sequence[Stream], point: Point) -> float | None:
    """Return for how long no token came at all, beyond what one step that reads prompts can take.

    A silence in which some request waits for its first token may be that step: it takes at most as long as reading so
    many prompts one by one, and the usual time to a first token is more than reading one takes.
    """
    if not streams:
        return None
    events = sorted({at for stream in streams for at in stream.chunks} | {stream.start for stream in streams})
    starts, firsts = sorted(stream.start for stream in streams), sorted(stream.chunks[0] for stream in streams)
    ends = sorted(stream.end for stream in streams)
    prompt = max(statistics.fmean(stream.prompt for stream in streams), 1.0)
    usual = statistics.median(stream.chunks[0] - stream.start for stream in streams)
    reading_s = max(STEP_TOKENS / prompt, 1.0) * usual
    stalled = 0.0
    for before, after in itertools.pairwise(events):
        if after - before < STALL_S:
            continue
        began = bisect.bisect_right(starts, before)
        if began == bisect.bisect_right(ends, before):
            continue  # nobody was being served
        awaiting = began - bisect.bisect_right(firsts, before)
        excess = after - before - (min(reading_s, awaiting * usual) if awaiting else 0.0)
        stalled += excess if excess >= STALL_S else 0.0
    return stalled if point.generates else None

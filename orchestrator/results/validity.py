"""How far a measurement can be trusted: VALID, SUSPECT or INVALID, with every reason.

A measurement is INVALID if it is not what was asked for, and SUSPECT if its figures may mislead. Nothing is repaired
and nothing is hidden: figures stay, with the reasons beside them.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.metrics.values import Metrics
from orchestrator.runs.format.outcome import Failed, Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.text import Text
from orchestrator.vllm.client import is_rust
from orchestrator.workload.arrival import POISSON
from orchestrator.workload.backend import COMPLETIONS, Backend, backend_of
from orchestrator.workload.point import lengths_vary, prompts_share

RULES = 1
"""Version of the rules by which verdicts are given: raised with every rule that judges other than before."""
SHORTEST_S = 1.0
"""A shorter measurement is mostly ramp-up and tail."""
SPREAD = 0.10
"""Spread of the output throughput over repetitions, (largest - smallest) / median."""
FIRST_SLOW = 0.10
"""How much slower the first repetition may be than the median of the others."""
CLIENT_BUSY = 0.80
"""Part of the measurement for which the load client, one thread, may run or wait for a processor."""
BUFFERED = 0.90
"""TTFT / E2EL of a stream whose tokens came all at once at the end."""
BUFFERED_OUTPUT = 8
"""Output tokens that a request must have before its stream counts as buffered."""
BUFFERED_TPOT_MS = 1.0
"""Time per output token of a stream that came at once: what the client takes to read a chunk, tenths of a millisecond.

A step of a model takes longer, so that a long prompt or a long queue alone, and a short output, are no buffering."""
CACHED = 0.05
"""Part of the prompt tokens that may be found in the prefix cache."""
PROMPT_LENGTH = 0.10
"""How far the prompts' real length may be from the length asked for, or else from the client's count."""
RATE = 0.10
"""How far the rate at which requests were sent may stay behind the one asked for."""
CHANCE = 3.0
"""Standard deviations that chance may make requests late by, or a queue longer."""
GROWTH = 0.05
"""Seconds that the TTFT may grow by in each second in which requests are sent at a rate."""
GROWN = 2.0
"""How many times larger the TTFT must have become besides."""
CUT_OFF = 0.10
"""Part of the server's tokens that the client may have missed: without `usage` it counts them by its tokenizer."""
CONCURRENCY = 0.50
"""Part of the concurrency asked for that must have been reached on average."""
CLIENT_TTFT = 0.25
"""How far the client's TTFT may be above the server's own."""
CLIENT_TTFT_MS = 20.0
"""Milliseconds that the client's TTFT may be above the server's in any case."""
TREND = 0.20
"""How far the time per output token may rise within a measurement."""
SAMPLES_FOR = {"p90": 64, "p95": 130, "p99": 662}
"""Requests that a percentile needs to be bounded by a sample from above with 99 % confidence."""
SURE = 0.99
"""How surely a sample of so many has two values above the percentile."""


class Verdict(str, enum.Enum):
    """How far figures can be trusted."""

    VALID = "VALID"
    SUSPECT = "SUSPECT"
    INVALID = "INVALID"


@dataclass(frozen=True)
class Reason:
    """Why figures cannot be trusted."""

    id: str
    """Such as `too-short`; docs/metrics.md explains each."""
    text: str


@dataclass(frozen=True)
class Note:
    """What is to be known of figures, and is no doubt about them."""

    id: str
    text: str


@dataclass(frozen=True)
class Assessment:
    """What is to be thought of a measurement."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    thin: tuple[str, ...]
    """Percentiles for which there are too few requests, such as `p99`."""
    notes: tuple[Note, ...] = ()


def assess(records: Iterable[MeasurementRecord]) -> dict[tuple[str, int], Assessment]:
    """Return the assessment of each measurement that has ended, by point and repetition.

    Repetitions of a point are compared: a disagreement is a reason for all of them.
    """
    by_point: dict[str, list[MeasurementRecord]] = defaultdict(list)
    for record in records:
        if isinstance(record.outcome, Measured | Failed):
            by_point[record.point].append(record)
    found = {}
    for repetitions in by_point.values():
        shared = _over_repetitions([record for record in repetitions if isinstance(record.outcome, Measured)])
        for record in repetitions:
            found[record.point, record.repetition] = _assessment(record, shared)
    return found


def thin_percentiles(requests: int, metrics: Metrics | None = None) -> tuple[str, ...]:
    """Return the percentiles that need more requests than these, among the usual ones and those of the metrics."""
    further = {} if metrics is None else metrics.e2el_ms.further
    return tuple(name for name in (*SAMPLES_FOR, *further) if requests < samples_for(name))


def samples_for(name: str) -> int:
    """Return the requests that a percentile such as `p99.9` needs: so many that two lie above it, almost surely."""
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
    """Return the probability that at least two of so many requests lie above the quantile of a part."""
    return 1.0 - below**requests - requests * (1.0 - below) * below ** (requests - 1)


def _assessment(record: MeasurementRecord, shared: tuple[Reason, ...]) -> Assessment:
    if not isinstance(record.outcome, Measured):
        invalid = tuple(Reason("incomplete", text) for text in record.reasons)
        return Assessment(Verdict.INVALID, invalid, ("p90", "p95", "p99"))
    metrics = record.outcome.metrics
    own = tuple(reason for look in LOOKS if (reason := look(record, metrics)) is not None)
    reasons = own + shared
    verdict = Verdict.SUSPECT if reasons else Verdict.VALID
    notes = tuple(note for look in NOTES if (note := look(record, metrics)) is not None)
    return Assessment(verdict, reasons, thin_percentiles(metrics.completed, metrics), notes)


def _over_repetitions(done: Sequence[MeasurementRecord]) -> tuple[Reason, ...]:
    measured = [record.metrics for record in sorted(done, key=_repetition) if record.metrics]
    name = "output" if all(metrics.output_throughput is not None for metrics in measured) else "request"
    values = [getattr(metrics, f"{name}_throughput") for metrics in measured]
    if len(values) < 2:  # noqa: PLR2004 - nothing to compare
        return ()
    reasons = []
    spread = (max(values) - min(values)) / statistics.median(values)
    if spread >= SPREAD:
        reasons.append(
            Reason(
                "spread",
                Text(
                    "{name} throughput differs by {spread:.0%} over {count} repetitions",
                    name=name,
                    spread=spread,
                    count=len(values),
                ),
            )
        )
    rest = values[1:]
    if len(rest) > 1 and done and min(record.repetition for record in done) == 1:
        behind = 1.0 - values[0] / statistics.median(rest)
        if behind >= FIRST_SLOW:
            reasons.append(
                Reason("first-slow", Text("the first repetition is {behind:.0%} slower than the others", behind=behind))
            )
    return tuple(reasons)


def _repetition(record: MeasurementRecord) -> int:
    return record.repetition


def _too_short(_record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    if metrics.duration_s >= SHORTEST_S:
        return None
    return Reason(
        "too-short",
        Text(
            "measured for {duration_s:.2f} s; ramp-up and tail weigh too much under 1 s", duration_s=metrics.duration_s
        ),
    )


def _client_saturated(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if record.argv and is_rust(record.argv[0]):  # it uses as many processors as it needs
        return None
    if record.client_busy is None or record.client_busy < CLIENT_BUSY:
        return None
    return Reason(
        "client-saturated",
        Text(
            "the load client, one thread, ran or waited for a processor {client_busy:.0%} of the time",
            client_busy=record.client_busy,
        ),
    )


def _buffered(_record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    ttft, e2el, tpot = metrics.ttft_ms.mean, metrics.e2el_ms.mean, metrics.tpot_ms.mean
    tokens = metrics.total_output_tokens or 0
    if not ttft or not e2el or tpot is None or tokens <= BUFFERED_OUTPUT * metrics.completed:
        return None
    if ttft / e2el <= BUFFERED or tpot > BUFFERED_TPOT_MS:
        return None
    text = Text("TTFT is {ttft:.0%} of E2EL and TPOT {tpot:.2f} ms", ttft=ttft / e2el, tpot=tpot)
    return Reason("buffered", Text("{text}: the stream came in one piece, TPOT and ITL say nothing", text=text))


def _prefix_cache(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    served = record.served
    if served is None or prompts_share(record.parameters):
        return None
    if served.prefix_cache_hits is None or not served.prefix_cache_queries:
        return None
    cached = served.prefix_cache_hits / served.prefix_cache_queries  # of tokens or of blocks, as the version counts
    if cached <= CACHED + _templated_part(record):
        return None
    return Reason("prefix-cache", Text("{cached:.0%} of the prompt tokens came from the prefix cache", cached=cached))


def _backend(record: MeasurementRecord) -> Backend:
    return backend_of(record.parameters.get("backend", COMPLETIONS))


def _templated_part(record: MeasurementRecord) -> float:
    """Return the part of the prompt tokens that a chat template may have put around all prompts alike."""
    asked, served = _asked_prompt(record.parameters), record.served
    if not asked or served is None or record.metrics is None or not _backend(record).templated:
        return 0.0
    real = served.prompt_tokens / max(record.metrics.completed, served.requests)
    return max(1.0 - asked / real, 0.0) if real else 0.0


def _prompt_length(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    served = record.served
    if served is None or not metrics.completed or not served.prompt_tokens:
        return None
    asked = _asked_prompt(record.parameters)
    expected = asked or metrics.total_input_tokens / metrics.completed
    # What the server counts beside the client's requests may have had prompts as long as theirs, or next to none.
    lengths = [served.prompt_tokens / count for count in (metrics.completed, max(metrics.completed, served.requests))]
    real = min(lengths, key=lambda length: abs(length - expected))
    if not expected or abs(real / expected - 1.0) <= PROMPT_LENGTH:
        return None
    if asked and real > expected and _backend(record).templated:  # how long a template is nobody has said
        return None
    said = (
        Text("{asked} were asked for", asked=asked)
        if asked
        else Text("the client counted {expected:.0f}", expected=expected)
    )
    return Reason("prompt-length", Text("prompts had {real:.0f} tokens on average, {said}", real=real, said=said))


def _asked_prompt(parameters: dict[str, Any]) -> int | None:
    """Return the tokens of a request; None where the dataset decides, lengths vary, or an input length is a limit."""
    length, options = parameters["input_len"], parameters.get("dataset_options", {})
    if not length or parameters["dataset"] == "sonnet" or lengths_vary(parameters, "input") or "reranker" in options:
        return None
    prefix = options.get("prefix_len", 0) if parameters["dataset"].startswith("random") else 0
    return int(length + prefix) * int(options.get("batch_size", 1))


def _preempted(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if record.served is None or not record.served.preemptions:
        return None
    return Reason(
        "preempted",
        Text(
            "{preemptions:.0f} requests were preempted: the KV cache was too small",
            preemptions=record.served.preemptions,
        ),
    )


def _rate_missed(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    asked, gaps = record.parameters["request_rate"], metrics.completed - 1
    if isinstance(asked, str) or gaps < 1 or not record.sending_s:
        return None
    sent = gaps / record.sending_s
    by_chance = 1.0 / _longest_by_chance(gaps * record.parameters.get("burstiness", POISSON))
    if sent >= asked * min(1.0 - RATE, by_chance):
        return None
    return Reason(
        "rate-missed",
        Text("{sent:.2f} requests per second were sent of the {asked:g} asked for", sent=sent, asked=asked),
    )


def _longest_by_chance(shape: float) -> float:
    """Return how many times its mean a gamma distributed time can be by chance (Wilson and Hilferty, 1931).

    Gaps between requests are gamma distributed with the burstiness for shape (exponential for a Poisson process), and
    the shape of their sum is the sum of theirs.
    """
    return (1.0 - 1.0 / (9.0 * shape) + CHANCE / (3.0 * math.sqrt(shape))) ** 3


def _concurrency_missed(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    """Judge the mean concurrency, by Little's law the request rate times the mean E2EL."""
    asked, e2el = record.parameters["max_concurrency"], metrics.e2el_ms.mean
    if not asked or not e2el or record.parameters["request_rate"] != "inf":
        return None
    if "ramp_up" in record.parameters:
        return None
    reached = metrics.request_throughput * e2el / 1000.0
    if reached >= CONCURRENCY * asked:
        return None
    return Reason(
        "concurrency-missed",
        Text("{reached:.1f} requests in flight on average of the {asked} asked for", reached=reached, asked=asked),
    )


def _client_slow(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    """Compare the client's mean TTFT with the server's; only a client above the server's upper bound is suspicious.

    Requests that are not the client's count as if they took no time, so the server's mean is an upper bound. The test
    request of older clients is such a request: it comes to an idle server.
    """
    served, ttft = record.served, metrics.ttft_ms.mean
    if served is None or not served.ttft_count or not metrics.completed or ttft is None:
        return None
    seen = 1000.0 * served.ttft_sum_s / min(served.ttft_count, metrics.completed)
    if ttft - seen <= max(CLIENT_TTFT_MS, CLIENT_TTFT * seen):
        return None
    most = "of at most" if served.ttft_count > metrics.completed else "one of"
    return Reason(
        "client-ttft",
        Text(
            "the client saw a TTFT of {ttft:.0f} ms, the server {most} {seen:.0f} ms", ttft=ttft, most=most, seen=seen
        ),
    )


def _not_steady(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if record.tpot_trend is None or record.tpot_trend <= 1.0 + TREND:
        return None
    return Reason(
        "not-steady",
        Text(
            "the time per output token rose by {rise:.0%} within the measurement",
            rise=record.tpot_trend - 1,
        ),
    )


def _queue_grows(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    """Judge whether TTFT rises throughout: an overloaded server falls behind by the same time in each second.

    Bursts of requests make a queue too, by chance, and its usual length grows with the number of requests. TTFT grows
    by construction if requests are sent without a rate or at a rising one.
    """
    asked, thirds = record.parameters["request_rate"], record.ttft_thirds_ms
    if isinstance(asked, str) or thirds is None:
        return None
    first, middle, last = thirds
    between = (metrics.completed - 1) * 2.0 / 3.0  # requests from the middle of the first third to that of the last
    by_chance = CHANCE / math.sqrt(between * record.parameters.get("burstiness", POISSON))
    most = 1000.0 * between / asked * max(GROWTH, by_chance)
    if not first < middle < last or last < GROWN * first or last - first <= most:
        return None
    text = Text(
        "TTFT rose from {first:.0f} over {middle:.0f} to {last:.0f} ms while requests were sent",
        first=first,
        middle=middle,
        last=last,
    )
    return Reason("queue-grows", Text("{text}: the server does not keep up with the request rate", text=text))


def _not_idle(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if record.idle_before is not False:
        return None
    return Reason("not-idle", "the server still had requests of somebody else when the measurement began")


def _not_warm(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if record.warm_before is not False:
        return None
    return Reason("not-warm", "the warm-up before it failed; what a server does only once may have been measured")


def _is_split(record: MeasurementRecord) -> bool:
    """Say whether the server may count several requests for one of the client's."""
    parameters = record.parameters
    several = "batch_size" in parameters.get("dataset_options", {})
    return several or parameters.get("backend") in SPLIT


SPLIT = frozenset({"vllm-rerank", "openai-audio"})
"""Backends whose requests the server may serve in several pieces: documents, or parts of a long recording."""


def _foreign_requests(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    served = record.served
    if served is None or not served.requests or _is_split(record):
        return None
    foreign = served.requests - metrics.completed - EXTRA_REQUESTS
    if foreign <= 0:
        return None
    return Reason(
        "foreign-requests",
        Text("the server finished {foreign:.0f} requests that were not the client's", foreign=foreign),
    )


def _counters_lost(record: MeasurementRecord, _metrics: Metrics) -> Reason | None:
    if not record.served_lost:
        return None
    return Reason("counters-lost", "the server's counters could be read before the measurement but not after it")


def _cut_off(record: MeasurementRecord, metrics: Metrics) -> Reason | None:
    """Compare the client's completed requests and tokens with the server's.

    A stream that ends in an error is complete for the client, but the server does not count it as finished. Tokens are
    compared only if no other request can have made any.
    """
    served = record.served
    if served is None or not (served.requests or served.counts_requests):
        return None
    finished = served.requests - served.cut_off
    if metrics.total_output_tokens is None and served.requests == 0.0:
        return None  # a server that does not count what generates nothing
    received, made = metrics.total_output_tokens, served.generation_tokens
    if finished < metrics.completed:
        text = Text(
            "the server finished {finished:.0f} of the {completed} requests that are complete for the client",
            finished=finished,
            completed=metrics.completed,
        )
    elif finished == metrics.completed and received is not None and received < (1.0 - CUT_OFF) * made:
        text = Text(
            "the client received {received} of the {made:.0f} tokens that the server made", received=received, made=made
        )
    else:
        return None
    return Reason("cut-off", text)


def _shorter(record: MeasurementRecord, metrics: Metrics) -> Note | None:
    """Note answers that ended by themselves, because nothing forced a length: throughputs depend on their lengths."""
    parameters, tokens = record.parameters, metrics.total_output_tokens
    asked = parameters["output_len"]
    if parameters.get("ignore_eos") is not False or not asked or tokens is None or lengths_vary(parameters, "output"):
        return None
    reached = tokens / metrics.completed
    text = Text(
        "answers had {reached:.1f} of at most {asked} output tokens on average; their ends were heeded",
        reached=reached,
        asked=asked,
    )
    return Note("shorter", text) if reached < asked else None


NOTES: tuple[Callable[[MeasurementRecord, Metrics], Note | None], ...] = (_shorter,)
"""Each looks at one measurement and returns a note, or None."""
EXTRA_REQUESTS = 2
"""Requests that a client sends beside those it counts: the initial test of older versions, a probe of newer ones."""
LOOKS: tuple[Callable[[MeasurementRecord, Metrics], Reason | None], ...] = (
    _too_short, _client_saturated, _client_slow, _buffered, _prefix_cache, _prompt_length, _preempted, _rate_missed,
    _concurrency_missed, _not_steady, _queue_grows, _not_idle, _not_warm, _foreign_requests, _counters_lost, _cut_off,
)  # fmt: skip
"""Each looks at one measurement and returns a reason, or None."""

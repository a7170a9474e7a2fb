"""Rules on the client: whether it sent what it was to send, and whether it saw answers when they came."""

from __future__ import annotations

import math

from orchestrator.results.validity.values import Findings, Reason, Seen, Unchecked
from orchestrator.text import Text
from orchestrator.vllm.client import is_rust
from orchestrator.vllm.sent import rescales
from orchestrator.workload.arrival import POISSON

SHORTEST_S = 1.0
"""A shorter measurement is mostly ramp-up and tail."""
CLIENT_BUSY = 0.80
"""Part of the measurement for which the load client, one thread, may run or wait for a processor."""
BUFFERED = 0.90
"""TTFT / E2EL of a stream whose tokens came all at once at the end."""
BUFFERED_OUTPUT = 8
"""Output tokens that a request must have before its stream counts as buffered."""
BUFFERED_TPOT_MS = 1.0
"""Time per output token of a stream that came at once: what the client takes to read a chunk, tenths of a millisecond.

A step of a model takes longer, so that a long prompt or a long queue alone, and a short output, are no buffering."""
CHUNKED = 1.5
"""Tokens that a chunk may hold where none are drafted. A busy API server joins a few chunks, so that 1.0 is rare."""
RATE = 0.10
"""How far the rate at which requests were sent may stay behind the one asked for."""
CHANCE = 3.0
"""Standard deviations that chance may make requests late by."""
CONCURRENCY = 0.50
"""Part of the concurrency asked for that must have been reached on average."""
LATER = 0.25
"""How far the client's TTFT may be above the server's own, or the wait in the client add to it."""
LATER_MS = 20.0
"""Milliseconds that it may be above, or add, in any case."""
HELD_BACK = 0.50
"""Part of the requests that a limit of requests in flight may hold back where a rate paces them."""


def too_short(seen: Seen) -> Findings:
    """Judge the duration."""
    if seen.metrics.duration_s < SHORTEST_S:
        yield Reason(
            "too-short",
            Text(
                "measured for {duration_s:.2f} s; ramp-up and tail weigh too much under 1 s",
                duration_s=seen.metrics.duration_s,
            ),
        )


def client_saturated(seen: Seen) -> Findings:
    """Judge how busy the client was; one that uses as many processors as it needs is not judged."""
    record = seen.record
    if record.argv and is_rust(record.argv[0]):
        return
    if record.client_busy is None:
        yield Unchecked("client-busy", "how busy the client was is not known")
    elif record.client_busy >= CLIENT_BUSY:
        yield Reason(
            "client-saturated",
            Text(
                "the load client, one thread, ran or waited for a processor {client_busy:.0%} of the time",
                client_busy=record.client_busy,
            ),
        )


def details(seen: Seen) -> Findings:
    """Say that the client wrote nothing about single requests."""
    record = seen.record
    if record.requests is None and record.tpot_trend is None and record.sending_s is None:
        yield Unchecked(
            "details",
            "the client wrote nothing about single requests: neither their lengths, their pace nor stalls were checked",
        )


def buffered(seen: Seen) -> Findings:
    """Judge whether answers came token by token."""
    metrics = seen.metrics
    ttft, e2el, tpot = metrics.ttft_ms.mean, metrics.e2el_ms.mean, metrics.tpot_ms.mean
    tokens = metrics.total_output_tokens or 0
    if not ttft or not e2el or tpot is None or tokens <= BUFFERED_OUTPUT * metrics.completed:
        return
    if ttft / e2el > BUFFERED and tpot <= BUFFERED_TPOT_MS:
        text = Text("TTFT is {ttft:.0%} of E2EL and TPOT {tpot:.2f} ms", ttft=ttft / e2el, tpot=tpot)
        yield Reason("buffered", Text("{text}: the stream came in one piece, TPOT and ITL say nothing", text=text))
        return
    requests, served = seen.record.requests, seen.record.served
    if requests is None or served is None or requests.tokens_per_chunk is None:
        return  # whether tokens are drafted is not known
    if served.speculates is False and requests.tokens_per_chunk >= CHUNKED:
        yield Reason(
            "chunked",
            Text(
                "a chunk of the stream held {tokens:.1f} tokens on average, though none are drafted: ITL is the "
                "time between "
                "chunks, and the first one may have waited for several tokens",
                tokens=requests.tokens_per_chunk,
            ),
        )


def rate_missed(seen: Seen) -> Findings:
    """Judge whether requests were sent at the rate asked for.

    Newer clients plan the last request for exactly requests / rate seconds after the begin, whatever gaps they draw;
    what is later than that is late. With older ones chance makes requests late, too.
    """
    record, asked, gaps = seen.record, seen.rate, seen.metrics.completed - 1
    if asked is None or gaps < 1 or not record.sending_s:
        return
    sent = gaps / record.sending_s
    if rescales(record.argv, record.client_version):
        missed = (gaps + 1) / record.sending_s < asked * (1.0 - RATE)
    else:
        by_chance = 1.0 / _longest_by_chance(gaps * record.parameters.get("burstiness", POISSON))
        missed = sent < asked * min(1.0 - RATE, by_chance)
    if missed:
        yield Reason(
            "rate-missed",
            Text("{sent:.2f} requests per second were sent of the {asked:g} asked for", sent=sent, asked=asked),
        )


def _longest_by_chance(shape: float) -> float:
    """Return how many times its mean a gamma distributed time can be by chance (Wilson and Hilferty, 1931).

    Gaps between requests are gamma distributed with the burstiness for shape (exponential for a Poisson process), and
    the shape of their sum is the sum of theirs.
    """
    return (1.0 - 1.0 / (9.0 * shape) + CHANCE / (3.0 * math.sqrt(shape))) ** 3


def client_queue(seen: Seen) -> Findings:
    """Judge whether a limit of requests in flight made requests wait in the client, which TTFT and E2EL leave out."""
    record, metrics = seen.record, seen.metrics
    limit = record.parameters["max_concurrency"]
    if not limit or (seen.rate is None and "ramp_up" not in record.parameters):
        return
    waited = None if record.requests is None else record.requests.client_queue_ms
    held = None if record.requests is None else record.requests.at_limit
    if waited is not None:
        if waited > max(LATER_MS, LATER * (metrics.ttft_ms.mean or metrics.e2el_ms.mean or 0.0)):
            yield Reason(
                "client-queue",
                Text(
                    "requests waited {waited:.0f} ms in the client on average, for its limit of {limit} in "
                    "flight; TTFT and "
                    "E2EL leave that out",
                    waited=waited,
                    limit=limit,
                ),
            )
    elif held is None:
        yield Unchecked("client-queue", "the client does not say whether its limit of requests in flight held any back")
    elif held >= HELD_BACK:
        yield Reason(
            "client-queue",
            Text(
                "{held:.0%} of the requests were sent only when another one had ended, for the client's limit of "
                "{limit} in "
                "flight; TTFT and E2EL leave the wait out",
                held=held,
                limit=limit,
            ),
        )


def concurrency_missed(seen: Seen) -> Findings:
    """Judge the mean concurrency, by Little's law the request rate times the mean E2EL."""
    parameters, metrics = seen.record.parameters, seen.metrics
    asked, e2el = parameters["max_concurrency"], metrics.e2el_ms.mean
    if not asked or not e2el or seen.closed_load is None:
        return
    reached = metrics.request_throughput * e2el / 1000.0
    if reached < CONCURRENCY * asked:
        yield Reason(
            "concurrency-missed",
            Text("{reached:.1f} requests in flight on average of the {asked} asked for", reached=reached, asked=asked),
        )


def client_ttft(seen: Seen) -> Findings:
    """Compare the client's TTFT with the server's, on average and where it is slowest.

    Requests that are not the client's count as if they took no time, so the server's mean is an upper bound. The test
    request of older clients is such a request: it comes to an idle server. The server's clock begins when the engine
    takes a request, after HTTP and, in older versions, after tokenising.
    """
    served, metrics = seen.record.served, seen.metrics
    if served is None or not served.ttft_count or not metrics.completed or metrics.ttft_ms.mean is None:
        return
    mean = 1000.0 * served.ttft_sum_s / min(served.ttft_count, metrics.completed)
    most = "of at most" if served.ttft_count > metrics.completed else "one of"
    found = _later("TTFT", metrics.ttft_ms.mean, mean, most)
    for name, part in (("P90", 0.90), ("P99", 0.99)):
        client, bound = metrics.ttft_ms.value(name.lower()), served.ttft_bound_ms(part, metrics.completed)
        if found is None and client is not None and bound is not None:
            found = _later(f"{name} TTFT", client, bound, "of at most")
    if found is None:
        return
    busy = seen.record.client_busy
    if busy is not None and busy >= CLIENT_BUSY:
        yield Reason("client-ttft", Text("{found}: the client was busy", found=found))
    else:
        yield Reason(
            "client-ttft",
            Text("{found}: the rest passed between client and engine, in the API server or in the client", found=found),
        )


def _later(name: str, client: float, server: float, most: str) -> Text | None:
    if client - server <= max(LATER_MS, LATER * server):
        return None
    return Text(
        "the client saw a {name} of {client:.0f} ms, the server {most} {server:.0f} ms",
        name=name,
        client=client,
        most=most,
        server=server,
    )


RULES = (*(too_short, details, client_saturated, client_ttft, buffered, rate_missed, client_queue, concurrency_missed),)

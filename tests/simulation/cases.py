"""Faults with a known cause, each at a strength that is its own: what the rules have to say of each, and nothing else.

This table is the one place that says which id belongs to which fault. A strength of 1 is the one that the fault's name
tells; the same fault is tried at half of it and at double.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulation.faults import (
    NEW,
    OLD_V0,
    OLD_V1,
    PREFIX,
    RANGE,
    SPECULATING,
    Trial,
    batch,
    busy_client,
    disturbed,
    easy_ramp,
    easy_rate,
    foreign,
    late_tail,
    one_of,
    overloaded,
    point,
    queued_at_client,
    sent_late,
    small_cache,
)
from simulation.server import Slow, Trouble, setup

DOUBT, NOTE, UNCHECKED, NOTHING = "doubt", "note", "unchecked", "nothing"
"""What is due: a reason against the figures, a note that is no doubt, or that something could not be looked at."""


@dataclass(frozen=True)
class Case:
    """A fault, and what is due."""

    name: str
    kind: str
    """One of the four above."""
    ids: tuple[str, ...]
    """Any of these is right; of what is unchecked, any at all."""
    trial: Callable[[float], Trial]
    """Returns the trial at a strength."""
    graded: bool = True
    """It has a strength."""
    beside: tuple[str, ...] = ()
    """Doubts that are true as well."""

    @property
    def strengths(self) -> tuple[float, ...]:
        """Half, as named, double."""
        return (0.5, 1.0, 2.0) if self.graded else (1.0,)


CASES = (
    # Requests of somebody else
    Case("2 foreign requests beside a batch of 2", DOUBT, ("foreign-requests",), lambda s: foreign(2, 2 * s)),
    Case(
        "2 foreign requests beside a batch of 2, 0.8.5 V0",
        DOUBT,
        ("foreign-requests",),
        lambda s: foreign(2, 2 * s, OLD_V0),
    ),
    Case(
        "an endless foreign request beside 10 (+10 % tokens)",
        DOUBT,
        ("foreign-requests",),
        lambda s: foreign(10, s, endless=True),
    ),
    Case(
        "an endless foreign request beside 10, 0.8.5 V0",
        DOUBT,
        ("foreign-requests",),
        lambda s: foreign(10, s, OLD_V0, endless=True),
    ),
    Case(
        "5 endless foreign requests beside 10 (+50 %)",
        DOUBT,
        ("foreign-requests",),
        lambda s: foreign(10, 5 * s, endless=True),
    ),
    # Prompts and answers
    Case(
        "10 % of answers end at half their length, range_ratio",
        DOUBT,
        ("incomplete",),
        lambda s: disturbed(point(options=RANGE), short_answers=0.1 * s),
    ),
    Case(
        "10 % of answers go on for half as long again, range_ratio",
        DOUBT,
        ("incomplete",),
        lambda s: disturbed(point(options=RANGE), long_answers=0.1 * s),
    ),
    Case(
        "half of the prompts cached whole, prefix_len",
        DOUBT,
        ("prefix-cache",),
        lambda s: disturbed(point(options=PREFIX), known_prompts=0.5 * s),
    ),
    Case(
        "half of the prompts cached whole",
        DOUBT,
        ("prefix-cache",),
        lambda s: disturbed(point(), known_prompts=0.5 * s),
    ),
    Case(
        "30 % of prompt tokens from an external cache",
        DOUBT,
        ("prefix-cache",),
        lambda s: disturbed(point(), external_hits=0.3 * s),
    ),
    Case(
        "prompts ±30 %, their mean as asked",
        DOUBT,
        ("prompt-length",),
        lambda s: disturbed(point(), prompt_spread=0.3 * s),
    ),
    Case(
        "prompts 20 % longer than asked",
        DOUBT,
        ("prompt-length",),
        lambda s: Trial(setup("0.8.5", prompt_growth=0.2 * s), point()),
    ),
    # Steadiness within a measurement
    Case(
        "one burst slows by 40 % halfway",
        DOUBT,
        ("not-steady",),
        lambda s: disturbed(batch(32), slow=(Slow(1.0 + 0.4 * s, 0.5),)),
    ),
    Case(
        "three times too slow at first (TPOT falls)",
        DOUBT,
        ("not-steady",),
        lambda s: disturbed(point(), slow=(Slow(1.0 + 2.0 * s, 0.0, 0.4),)),
    ),
    Case(
        "steps drift by 50 % over the measurement", DOUBT, ("not-steady",), lambda s: disturbed(point(), drift=0.5 * s)
    ),
    Case(
        "another tenant, 1.5 times slower from 30 to 70 %",
        DOUBT,
        ("not-steady",),
        lambda s: disturbed(point(), slow=(Slow(1.0 + 0.5 * s, 0.3, 0.7),)),
    ),
    Case(
        "compiling 6 batch sizes, 1 s each",
        DOUBT,
        ("stalled", "not-steady"),
        lambda s: disturbed(point(options=RANGE), compile_s=s, compile_sizes=6),
    ),
    # Repetitions
    Case("1 of 5 repetitions 20 % slower", DOUBT, ("outlier", "spread"), lambda s: one_of(5, 3, 1.0 / (1.0 - 0.2 * s))),
    Case(
        "the first of 5 repetitions 20 % slower",
        DOUBT,
        ("first-slow",),
        lambda s: one_of(5, 1, 1.0 / (1.0 - 0.2 * s)),
    ),
    Case(
        "the first of 5 repetitions 20 % faster",
        DOUBT,
        ("first-fast",),
        lambda s: one_of(5, 1, 1.0 / (1.0 + 0.2 * s)),
    ),
    # The node
    Case(
        "half of the node's processors taken",
        DOUBT,
        ("node-busy",),
        lambda s: disturbed(point(), node_load=min(0.5 * s, 0.95)),
        beside=("not-steady", "stalled"),
    ),
    Case(
        "devices in use by others for 40 % of the time",
        DOUBT,
        ("node-busy",),
        lambda s: disturbed(point(), device_use=min(0.4 * s, 0.9)),
    ),
    # Sending
    Case(
        "twice the rate that the concurrency limit lets through",
        DOUBT,
        ("client-queue",),
        queued_at_client,
        beside=("rate-missed",),
    ),
    Case(
        "sent 25 % slower than the rate asked for",
        DOUBT,
        ("rate-missed",),
        sent_late,
        beside=("client-saturated", "client-ttft"),
    ),
    Case(
        "sent 25 % slower, 24 prompts",
        DOUBT,
        ("rate-missed",),
        lambda s: sent_late(s, 24),
        beside=("client-saturated", "client-ttft", "too-short"),
    ),
    Case("1.5 times the rate that the server can take", DOUBT, ("queue-grows",), overloaded),
    # Between client and engine
    Case("150 ms between client and engine", DOUBT, ("client-ttft",), lambda s: disturbed(batch(2), api_s=0.15 * s)),
    Case(
        "1 s between client and engine for 5 % of requests",
        DOUBT,
        ("client-ttft",),
        late_tail,
    ),
    Case("a client that needs all of its thread", DOUBT, ("client-saturated",), busy_client, beside=("client-ttft",)),
    Case(
        "streams in one piece",
        DOUBT,
        ("buffered",),
        lambda _: disturbed(point(), buffered_tokens=0),
        graded=False,
        beside=("client-ttft",),
    ),
    Case(
        "8 chunks at a time",
        DOUBT,
        ("buffered", "chunked"),
        lambda s: disturbed(point(), buffered_tokens=round(8 * s)),
        beside=("client-ttft",),
    ),
    Case(
        "4 tokens a chunk (stream-interval)",
        DOUBT,
        ("chunked",),
        lambda s: Trial(setup("0.32.0", stream_interval=round(4 * s)), point()),
    ),
    # The server
    Case("a KV cache for 3/4 of the load", DOUBT, ("preempted",), lambda s: small_cache(1.0 - 0.25 * min(s, 3.0))),
    Case("dies halfway", DOUBT, ("incomplete",), lambda _: disturbed(point(), dies_at=0.5), graded=False),
    Case(
        "streams end in errors halfway",
        DOUBT,
        ("incomplete", "cut-off"),
        lambda _: disturbed(point(), errs_at=0.5),
        graded=False,
    ),
    Case(
        "/metrics silent after it",
        DOUBT,
        ("counters-lost",),
        lambda _: disturbed(point(), metrics_silent=True),
        graded=False,
    ),
    Case(
        "--disable-log-stats", UNCHECKED, (), lambda _: Trial(setup("0.32.0", log_stats=False), point()), graded=False
    ),
    Case("prefix cache of 0.8.5 V0", UNCHECKED, (), lambda _: Trial(OLD_V0, point()), graded=False),
    Case(
        "64 at once on 16 slots (max-num-seqs)",
        NOTE,
        ("queued",),
        lambda s: Trial(setup("0.32.0", max_num_seqs=round(16 / s)), point(max_concurrency=64, num_prompts=128)),
    ),
    # What is to be known
    Case("one wave: as many prompts as at once", NOTE, ("one-wave",), lambda _: Trial(NEW, batch(16)), graded=False),
    Case(
        "speculation on random prompts",
        NOTE,
        ("speculation-random",),
        lambda _: Trial(SPECULATING, point()),
        graded=False,
    ),
    Case(
        "prompts 2.4 % longer than asked",
        NOTE,
        ("prompts-off",),
        lambda _: Trial(OLD_V1, point()),
        graded=False,
    ),
    # Nothing at all; more of this is in WORKLOADS
    Case("concurrency 1, 0.8.5 V1 with its test request", NOTHING, (), lambda _: Trial(OLD_V1, batch(1)), graded=False),
    Case("range_ratio 0.5", NOTHING, (), lambda _: Trial(NEW, point(options={"range_ratio": 0.5})), graded=False),
    Case("prefix_len shared as asked", NOTHING, (), lambda _: Trial(NEW, point(options=PREFIX)), graded=False),
    Case("60 % of capacity at a Poisson rate", NOTHING, (), lambda _: easy_rate(NEW), graded=False),
    Case("60 % of capacity at a Poisson rate, 0.8.5", NOTHING, (), lambda _: easy_rate(OLD_V0), graded=False),
    Case("60 % of capacity, 16 prompts, 0.8.5", NOTHING, (), lambda _: easy_rate(OLD_V0, 16), graded=False),
    Case("a ramp from 10 to 60 % of capacity", NOTHING, (), lambda _: easy_ramp(), graded=False),
    Case(
        "speculation, 5 repetitions",
        NOTHING,
        (),
        lambda _: Trial(SPECULATING, point(num_prompts=32), repetitions=5),
        graded=False,
    ),
    Case(
        "1 preemption in 500 requests",
        NOTHING,
        (),
        lambda _: Trial(NEW, point(num_prompts=500), lambda _: Trouble(preempted_once=True)),
        graded=False,
    ),
    Case(
        "10 repetitions, scatter 5 %",
        NOTHING,
        (),
        lambda _: Trial(NEW, point(num_prompts=32), repetitions=10, scatter=0.05),
        graded=False,
    ),
)

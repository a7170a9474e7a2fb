"""Rules on what a sweep can never tell, however well it is measured: each yields the key that it is about and why."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.plan.sweep import points
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.tree import show_keys
from orchestrator.text import Text
from orchestrator.vllm.client import LATEST, dialect_of, is_rust
from orchestrator.vllm.flags import lookup, written_as
from orchestrator.vllm.sent import caches_unasked
from orchestrator.vllm.versions import version_in_image
from orchestrator.workload.point import Point

Remarks = Iterator[tuple[str, str]]

FEW = 20
"""Requests from which on the one that a client's test request repeats is less than 5 % of them."""


def one_wave(profile: Profile) -> Remarks:
    """Points that send all of their requests at once, so that throughput holds ramp-up and tail."""
    found = [point for point in _points(profile) if point.request_rate == "inf" and point.ramp_up is None]
    waves = [point for point in found if 1 < point.requests <= point.batch]
    if not waves or profile.bench is None:
        return
    key = "num_prompts" if profile.bench.num_prompts is not None else "prompts_per_concurrency"
    yield (
        f"bench.{key}",
        Text(
            "{waves} of {points} points send all requests at once and none after them: throughput holds ramp-up "
            "and tail; "
            "with bench.concurrency and prompts_per_concurrency: 8 it says what the load sustains",
            waves=len(waves),
            points=len(_points(profile)),
        ),
    )


def speculation_on_random_prompts(profile: Profile) -> Remarks:
    """Drafts whose acceptance says nothing."""
    drafts = lookup(profile.server.flags, "speculative-config", "speculative-model", "num-speculative-tokens")
    if drafts not in (None, False) and any(point.dataset.startswith("random") for point in _points(profile)):
        yield (
            "bench.dataset",
            (
                "the server drafts tokens, and random prompts do not say how many of them real ones would have "
                "accepted: the "
                "speed is that of these prompts alone"
            ),
        )


def no_statistics(profile: Profile) -> Remarks:
    """A server that counts nothing."""
    if profile.bench is not None and lookup(profile.server.flags, "disable-log-stats") is True:
        yield (
            show_keys(("server", "flags", written_as(profile.server.flags, "disable-log-stats"))),
            (
                "the server then reports no counters: the prefix cache, preemptions, others' requests and lost "
                "answers are not "
                "checked"
            ),
        )


def cached_test_request(profile: Profile) -> Remarks:
    """A prompt that the client itself has put into the prefix cache."""
    bench = profile.bench
    if bench is None or is_rust(bench.client):
        return
    named = version_in_image(profile.container.image)
    asked = lookup(profile.server.flags, "enable-prefix-caching")
    caches = asked is True or (asked is None and caches_unasked(named))
    fewest = min((point.requests for point in _points(profile)), default=FEW)
    if not caches or fewest >= FEW or dialect_of(bench.client, named or LATEST).quiet:
        return
    yield (
        "server.flags.enable-prefix-caching",
        Text(
            "the client first sends its first request as a test, so that one of {fewest} prompts is found in the "
            "prefix cache; "
            "false, or more prompts, keeps TTFT what it is",
            fewest=fewest,
        ),
    )


def _points(profile: Profile) -> tuple[Point, ...]:
    return () if profile.bench is None else points(profile.bench)


RULES = (one_wave, speculation_on_random_prompts, no_statistics, cached_test_request)

"""Rules on what the server counted: the prefix cache, preemptions, other requests than the client's, lost answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.results.validity.lengths import asked_prompt, backend
from orchestrator.results.validity.values import Findings, Note, Reason, Seen, Unchecked
from orchestrator.text import Text
from orchestrator.vllm.sent import extra_requests, sends_test_request

CACHED = 0.05
"""Part of the prompt tokens that may be found in the prefix cache beside those that are meant to be."""
PREEMPTED = 0.01
"""Part of the requests that may be preempted; fewer change neither means nor P90."""
TOKENS = 0.01
"""Part of the client's tokens that the server may have made besides. On a clean run both agree exactly; a stream of
somebody else that makes less than this takes less than this."""
DRAFTED = 0.05
"""The same where the server drafts tokens: some versions count drafts that the end of an answer cuts off."""
SPLIT = frozenset({"vllm-rerank", "openai-audio"})
"""Backends whose requests the server may serve in several pieces: documents, or parts of a long recording."""
OPEN_ENDED = frozenset({"sonnet", "random-rerank"})
"""Datasets whose prompts begin alike by a part that only the dataset knows."""


def silent(seen: Seen) -> Findings:
    """Say what the server did not report, so that nothing that rests on it was checked."""
    record = seen.record
    if record.served_lost:
        yield Reason("counters-lost", "the server's counters could be read before the measurement but not after it")
    elif record.served is None:
        yield Unchecked(
            "counters",
            "the server reports no counters: neither the prefix cache, preemptions, other requests nor lost "
            "answers were "
            "checked",
        )


def prefix_cache(seen: Seen) -> Findings:
    """Compare what was found in the prefix cache, the server's own or one beside it, with what is meant to be."""
    served, parameters = seen.record.served, seen.record.parameters
    expected = shared_part(parameters)
    if served is None or expected is None:
        return
    if served.prefix_cache_hits is None:
        yield Unchecked("prefix-cache", "a V0 engine does not count what it finds in the prefix cache")
        return
    if not served.prefix_cache_queries:
        return
    hits = served.prefix_cache_hits + (served.external_cache_hits or 0.0)
    cached = hits / served.prefix_cache_queries  # of tokens or of blocks, as the version counts
    allowed = CACHED + max(expected, _templated_part(seen)) + _test_part(seen)
    if cached > allowed:
        text = Text("{cached:.0%} of the prompt tokens came from the prefix cache", cached=cached)
        if expected:
            text = Text("{text}, and {expected:.0%} are meant to", text=text, expected=expected)
        yield Reason("prefix-cache", text)


def shared_part(parameters: Mapping[str, Any]) -> float | None:
    """Return the part of a prompt that is the same in many; None where only the dataset knows."""
    if parameters["dataset"] in OPEN_ENDED:
        return None
    options, length = parameters.get("dataset_options", {}), parameters["input_len"]
    prefix = float(options.get("prefix_len", 0))
    if not prefix or not length:
        return 0.0
    return prefix / (float(length) if parameters["dataset"] == "prefix_repetition" else length + prefix)


def _test_part(seen: Seen) -> float:
    """Return the part of the prompt tokens that the client itself has sent before, as its test request."""
    return 1.0 / (seen.metrics.completed + 1) if sends_test_request(seen.record.argv) else 0.0


def _templated_part(seen: Seen) -> float:
    """Return the part of the prompt tokens that a chat template may have put around all prompts alike."""
    parameters, served = seen.record.parameters, seen.record.served
    asked = asked_prompt(parameters)
    if not asked or served is None or not backend(parameters).templated:
        return 0.0
    real = served.prompt_tokens / max(seen.metrics.completed, served.requests)
    return max(1.0 - asked / real, 0.0) if real else 0.0


def preempted(seen: Seen) -> Findings:
    """Judge which part of the requests had to be computed twice."""
    served = seen.record.served
    if served is not None and served.preemptions is None:
        yield Unchecked("preempted", "the server does not count preemptions")
    if served is None or not served.preemptions:
        return
    part = served.preemptions / max(seen.metrics.completed, 1)
    if part >= PREEMPTED:
        yield Reason(
            "preempted",
            Text(
                "{preemptions:.0f} preemptions for {completed} requests: the KV cache was too small",
                preemptions=served.preemptions,
                completed=seen.metrics.completed,
            ),
        )


def foreign_requests(seen: Seen) -> Findings:
    """Compare requests and tokens with the server's: somebody else's requests may end, or only take a share."""
    served, metrics = seen.record.served, seen.metrics
    if served is None or is_split(seen):
        return
    if not served.requests:
        if not served.counts_requests:
            yield Unchecked("foreign-requests", "the server does not count requests: others' were not looked for")
        return
    probes = None if seen.record.requests is None else seen.record.requests.probes
    extra = extra_requests(seen.record.argv, probes)
    if extra is None:
        yield Unchecked("foreign-requests", "the client sent probes and does not say how many")
        return
    foreign = served.requests - metrics.completed - sum(extra)
    if foreign > 0:
        yield Reason(
            "foreign-requests",
            Text("the server finished {foreign:.0f} requests that were not the client's", foreign=foreign),
        )
        return
    finished, received = served.requests - served.cut_off, metrics.total_output_tokens
    if received is None or finished < metrics.completed:
        return
    known = received + extra[0] * _first_output(seen) + extra[1]
    slack = (DRAFTED if seen.speculates else TOKENS) * received
    if served.generation_tokens - known > slack:
        yield Reason(
            "foreign-requests",
            Text(
                "the server made {made:.0f} tokens, {more:.0f} more than the client's requests, of which none is "
                "missing: "
                "somebody else's are under way",
                made=served.generation_tokens,
                more=served.generation_tokens - known,
            ),
        )


def _first_output(seen: Seen) -> float:
    """Return the output tokens of the client's first request, or as many as one may have."""
    requests = seen.record.requests
    if requests is not None and requests.first_output is not None:
        return requests.first_output
    asked, received = seen.record.parameters["output_len"], seen.metrics.total_output_tokens or 0
    return float(max(asked or 0, received / max(seen.metrics.completed, 1)))


def is_split(seen: Seen) -> bool:
    """Say whether the server may count several requests for one of the client's."""
    parameters = seen.record.parameters
    several = "batch_size" in parameters.get("dataset_options", {})
    return several or parameters.get("backend") in SPLIT


def cut_off(seen: Seen) -> Findings:
    """Compare the client's completed requests with the server's.

    A stream that ends in an error is complete for the client, but the server does not count it as finished.
    """
    served, metrics = seen.record.served, seen.metrics
    if served is None or not (served.requests or served.counts_requests):
        return
    finished = served.requests - served.cut_off
    if metrics.total_output_tokens is None and served.requests == 0.0:
        return  # a server that does not count what generates nothing
    if finished < metrics.completed:
        yield Reason(
            "cut-off",
            Text(
                "the server finished {finished:.0f} of the {completed} requests that are complete for the client",
                finished=finished,
                completed=metrics.completed,
            ),
        )


def speculation(seen: Seen) -> Findings:
    """Note drafts on random prompts: how many of them are accepted then says nothing about real text."""
    if not seen.speculates or not seen.record.parameters["dataset"].startswith("random"):
        return
    served = seen.record.served
    length = None if served is None else served.acceptance_length
    text: str = (
        "tokens are drafted for random prompts: how many are accepted, and so the speed, says nothing about real ones"
    )
    if length is not None:
        text = Text("{text} ({length:.2f} tokens a step here)", text=text, length=length)
    yield Note("speculation-random", text)


RULES = (silent, prefix_cache, preempted, foreign_requests, cut_off, speculation)

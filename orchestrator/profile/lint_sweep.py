"""Rules on the sweep: each yields the key that it is about and what to know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.sweep import points
from orchestrator.validity import SAMPLES_FOR
from orchestrator.vllm.client import VLLM, dialect_of, longest_prompt, unsupported
from orchestrator.vllm.flags import lookup, whole_number
from orchestrator.vllm.versions import version_in_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.profile.schema import Profile
    from orchestrator.sweep import Point
    from orchestrator.vllm.parser import ImageParsers

    Remarks = Iterator[tuple[str, str]]


def context_length(profile: Profile) -> Remarks:
    """Requests that do not fit into the model's context."""
    limit = whole_number(lookup(profile.server.flags, "max-model-len"))
    lengths = [(point.longest - (point.output_len or 0), point.output_len or 0) for point in _points(profile)]
    prompt, output = max(lengths, key=sum, default=(0, 0))
    if limit is None:
        return
    grown = longest_prompt(prompt, version_in_image(profile.container.image))
    if prompt + output > limit:
        yield "server.flags.max-model-len", f"{limit} is less than {prompt} + {output} tokens of the sweep"
    elif grown + output > limit:
        yield (
            "server.flags.max-model-len",
            f"{limit} may be too small: vLLM 0.8 can turn a prompt of {prompt} tokens into {grown}",
        )


def queueing(profile: Profile) -> Remarks:
    """More requests in flight than the server runs at once."""
    limit = whole_number(lookup(profile.server.flags, "max-num-seqs"))
    most = max((point.batch for point in _points(profile)), default=0)
    if limit is not None and most > limit:
        yield (
            "server.flags.max-num-seqs",
            f"{limit} is less than the {most} requests in flight of the sweep; the rest wait, and TTFT shows it",
        )


def unreached_concurrency(profile: Profile) -> Remarks:
    """A concurrency that a point has too few requests to reach."""
    idle = [
        point
        for point in _points(profile)
        if point.max_concurrency is not None and point.num_prompts < point.max_concurrency
    ]
    if idle:
        yield "bench.concurrency", f"{idle[0].max_concurrency} is never reached with {idle[0].num_prompts} requests"


def solid_percentiles(profile: Profile) -> Remarks:
    """Percentiles from too few requests."""
    fewest = min((point.num_prompts for point in _points(profile)), default=max(SAMPLES_FOR.values()))
    weak = [f"{name.upper()} ({needed})" for name, needed in SAMPLES_FOR.items() if fewest < needed]
    if weak and profile.bench is not None:
        key = "num_prompts" if profile.bench.num_prompts is not None else "prompts_per_concurrency"
        yield f"bench.{key}", f"{fewest} requests are too few for {', '.join(weak)} to be solid"


def repetitions(profile: Profile) -> Remarks:
    """One measurement, which says nothing about its own noise."""
    if profile.bench is not None and profile.bench.repetitions == 1:
        yield "bench.repetitions", "1 shows no spread; a comparison then cannot tell a change from noise"


def cold_start(profile: Profile) -> Remarks:
    """A first point that pays for compilation."""
    if profile.bench is not None and profile.bench.warmup == 0:
        yield "bench.warmup", "0 makes the first point pay for compilation and cold caches"


def uncounted_goodput(profile: Profile) -> Remarks:
    """An objective on what the client counts only if it is told by which bounds."""
    if profile.bench is None or lookup(profile.bench.client_flags, "goodput") is not None:
        return
    if any("request_goodput" in objective for objective in profile.objectives):
        yield "objectives", "request_goodput is not reported, and so missed, without bench.client_flags.goodput"


def unmeasurable(profile: Profile, parsers: ImageParsers) -> Remarks:
    """Yield key and reason for what the sweep asks and the image's `vllm bench serve` cannot do."""
    if profile.bench is None or profile.bench.client != VLLM or parsers.bench.problem:
        return
    names = frozenset(parsers.bench.by_name)
    option = parsers.bench.option("dataset-name")
    datasets = frozenset(option.choices) if option is not None and option.choices else None
    dialect = dialect_of(VLLM, parsers.vllm, names)
    found = (line for point in points(profile.bench) for line in unsupported(point, dialect, names, datasets))
    for line in dict.fromkeys(found):
        key, _, text = line.partition(": ")
        yield key, f"vLLM {parsers.vllm} of the image cannot: {text}"


def _points(profile: Profile) -> tuple[Point, ...]:
    return () if profile.bench is None else points(profile.bench)


RULES = (
    *(context_length, queueing, unreached_concurrency, solid_percentiles),
    *(repetitions, cold_start, uncounted_goodput),
)

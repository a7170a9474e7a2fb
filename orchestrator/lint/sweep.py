"""Rules on the sweep: each yields the key that it is about and what to know about it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.plan.sweep import points
from orchestrator.profile.schema.profile import Profile
from orchestrator.results.validity import SAMPLES_FOR, samples_for
from orchestrator.text import Text
from orchestrator.vllm.backends import LACKED_UP_TO
from orchestrator.vllm.client import VLLM, Known, dialect_of, longest_prompt, unsupported
from orchestrator.vllm.flags import lookup, whole_number
from orchestrator.vllm.parser import ImageParsers
from orchestrator.vllm.versions import parse_version, version_in_image
from orchestrator.workload.backend import BACKENDS
from orchestrator.workload.point import Point

Remarks = Iterator[tuple[str, str]]


def context_length(profile: Profile) -> Remarks:
    """Requests that do not fit into the model's context."""
    limit = whole_number(lookup(profile.server.flags, "max-model-len"))
    lengths = [(point.longest - (point.output_len or 0), point.output_len or 0) for point in _points(profile)]
    prompt, output = max(lengths, key=sum, default=(0, 0))
    if limit is None or not all(point.generates for point in _points(profile)):  # longer texts are cut for those
        return
    grown = longest_prompt(prompt, version_in_image(profile.container.image))
    if prompt + output > limit:
        yield (
            "server.flags.max-model-len",
            Text(
                "{limit} is less than {prompt} + {output} tokens of the sweep",
                limit=limit,
                prompt=prompt,
                output=output,
            ),
        )
    elif grown + output > limit:
        yield (
            "server.flags.max-model-len",
            Text(
                "{limit} may be too small: vLLM 0.8 can turn a prompt of {prompt} tokens into {grown}",
                limit=limit,
                prompt=prompt,
                grown=grown,
            ),
        )


def queueing(profile: Profile) -> Remarks:
    """More requests in flight than the server runs at once."""
    limit = whole_number(lookup(profile.server.flags, "max-num-seqs"))
    most = max((point.batch for point in _points(profile)), default=0)
    if limit is not None and most > limit:
        yield (
            "server.flags.max-num-seqs",
            Text(
                "{limit} is less than the {most} requests in flight of the sweep; the rest wait, and TTFT shows it",
                limit=limit,
                most=most,
            ),
        )


def unreached_concurrency(profile: Profile) -> Remarks:
    """A concurrency that a point has too few requests to reach."""
    idle = [
        point
        for point in _points(profile)
        if point.max_concurrency is not None and point.requests < point.max_concurrency
    ]
    if idle:
        yield (
            "bench.concurrency",
            Text(
                "{max_concurrency} is never reached with {requests} requests",
                max_concurrency=idle[0].max_concurrency,
                requests=idle[0].requests,
            ),
        )


def solid_percentiles(profile: Profile) -> Remarks:
    """Percentiles from too few requests."""
    fewest = min((point.requests for point in _points(profile)), default=max(SAMPLES_FOR.values()))
    further = () if profile.bench is None else (f"p{each:g}" for each in profile.bench.percentiles)
    needs = {name: samples_for(name) for name in (*SAMPLES_FOR, *further)}
    weak = [f"{name.upper()} ({needed})" for name, needed in needs.items() if fewest < needed]
    if weak and profile.bench is not None:
        key = "num_prompts" if profile.bench.num_prompts is not None else "prompts_per_concurrency"
        yield (
            f"bench.{key}",
            Text("{fewest} requests are too few for {weak} to be solid", fewest=fewest, weak=", ".join(weak)),
        )


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
    dialect = dialect_of(VLLM, parsers.vllm, names)
    protocol = dialect.protocol[0].lstrip("-")
    known = Known(names, _choices(parsers, "dataset-name"), _choices(parsers, protocol))
    found = (line for point in points(profile.bench) for line in unsupported(point, dialect, known))
    for line in dict.fromkeys(found):
        key, _, text = line.partition(": ")
        if key.startswith("bench.client_flags."):  # those are remarked on as flags
            continue
        yield key, Text("vLLM {vllm} of the image cannot: {text}", vllm=parsers.vllm, text=text)


def _choices(parsers: ImageParsers, flag: str) -> frozenset[str] | None:
    option = parsers.bench.option(flag)
    return frozenset(option.choices) if option is not None and option.choices else None


def absent_backend(profile: Profile) -> Remarks:
    """An API that the client of the version that the image names is known to lack."""
    bench, version = profile.bench, parse_version(version_in_image(profile.container.image) or "")
    if bench is None or bench.client != VLLM or version is None:
        return
    newest = LACKED_UP_TO[bench.backend]
    if version <= newest:
        text = Text(
            "`vllm bench serve` of vLLM {version} has no {backend}",
            version=".".join(map(str, version)),
            backend=bench.backend,
        )
        yield (
            "bench.backend",
            Text("{text}; take a newer image, or bench.client: the path of a script that has it", text=text),
        )


def fetched_prompts(profile: Profile) -> Remarks:
    """Prompts that the client fetches from within the container."""
    dataset = None if profile.bench is None else profile.bench.dataset
    if dataset is None or dataset.client_path is None or dataset.container_path is not None:
        return
    text = Text(
        "the client fetches {client_path} from the hub: the container needs a way to it, or a cache",
        client_path=dataset.client_path,
    )
    yield "bench.dataset.path", Text("{text} that is mounted and named by HF_HOME in container.env", text=text)


def template_twice(profile: Profile) -> Remarks:
    """Prompts that get the chat template from the client, and from the server once more."""
    bench = profile.bench
    if bench is None or not BACKENDS[bench.backend].templated or bench.dataset.name != "custom":
        return
    if "skip_chat_template" not in bench.dataset.options():
        text = Text(
            "the client puts the chat template around prompts, and with {backend} the server does it again",
            backend=bench.backend,
        )
        yield "bench.dataset.skip_chat_template", Text("{text}; true leaves it to the server", text=text)


def _points(profile: Profile) -> tuple[Point, ...]:
    return () if profile.bench is None else points(profile.bench)


RULES = (
    *(context_length, queueing, unreached_concurrency, solid_percentiles),
    *(repetitions, cold_start, uncounted_goodput),
    *(absent_backend, fetched_prompts, template_twice),
)

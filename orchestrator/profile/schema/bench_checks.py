"""What does not fit together in the `bench` section: each check yields places and problems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationInfo

from orchestrator.profile.schema.bench_kinds import LengthProduct
from orchestrator.profile.schema.dataset.kinds import Dataset
from orchestrator.profile.schema.flag_names import ORCH
from orchestrator.profile.schema.problems import UP, Lacking, Place, Problem, given
from orchestrator.vllm.client import EXTRA_BODY, extra_body, is_rust
from orchestrator.vllm.dataset import owned_flags, said_of_dataset
from orchestrator.vllm.flags import lookup
from orchestrator.workload.arrival import POISSON
from orchestrator.workload.backend import BACKENDS, fits, fitting
from orchestrator.workload.point import RANGE_FLAG

OWN_FLAGS = (
    *("ready-check-timeout-sec", "percentile-metrics"),
    *("save-result", "save-detailed", "append-result", "result-dir", "result-filename"),
)
"""Flags of the client that decide what is measured with and what is left of it."""


OWN_BODY = {
    "ignore_eos": "bench.ignore_eos", "max_tokens": "bench.lengths", "max_completion_tokens": "bench.lengths",
    "max_output_tokens": "bench.lengths", "stream": ORCH, "stream_options": ORCH,
    "model": "server.model",
}  # fmt: skip
"""What the body of a request holds already, and the key of the profile that sets it."""
GOODPUT = re.compile(r"\w+:[0-9.eE+-]+")
"""One limit of what counts as good."""
KEY_FLAGS = {
    "max-concurrency": "bench.concurrency",
    "request-rate": "bench.request_rate",
    "num-prompts": "bench.num_prompts",
    "burstiness": "bench.burstiness",
    "ramp-up-strategy": "bench.ramp_up",
    "ramp-up-start-rps": "bench.ramp_up",
    "ramp-up-end-rps": "bench.ramp_up",
    "input-len": "bench.lengths",
    "output-len": "bench.lengths",
    "backend": "bench.backend",
    "endpoint-type": "bench.backend",
    "endpoint": "bench.endpoint",
    "metric-percentiles": "bench.percentiles",
    "ignore-eos": "bench.ignore_eos",
    "dataset-name": "bench.dataset.name",
    "dataset-path": "bench.dataset.path",
    "seed": "bench.seed",
    "num-warmups": "bench.warmup",
    "model": "server.model",
    "host": "server.host",
    "port": "server.port",
    "base-url": "server.host",
    "served-model-name": "server.flags.served-model-name",
}
"""Flags of the client that keys of the profile set, without dashes."""


def owned_by_keys(info: ValidationInfo) -> dict[str, str]:
    """Return every flag that must not stand among the further ones, without dashes, and what sets it."""
    owned = {**KEY_FLAGS, **owned_flags(), **dict.fromkeys(OWN_FLAGS, ORCH)}
    owned |= _said_by_the_dataset(info.data.get("dataset"))
    client = info.data.get("client")
    if isinstance(client, str) and client.startswith("/") and not is_rust(client):
        del owned[RANGE_FLAG]  # a script may mean something else by it, and is then told in its own words
    return owned


def arrival_problems(ramp_up: object, info: ValidationInfo) -> Iterator[Problem]:
    """Yield what does not go with a request rate, or with one that rises."""
    rated, bursty = info.data.get("request_rate") != ("inf",), info.data.get("burstiness") != POISSON
    if ramp_up is not None and rated:
        yield (), "ramp_up is a request rate that rises; give it or request_rate"
    if ramp_up is not None and bursty:
        yield (UP, "burstiness"), "burstiness goes with request_rate; with ramp_up leave it out"
    if ramp_up is None and bursty and not rated:
        text = "burstiness has no effect without a request_rate other than inf"
        yield (UP, "burstiness"), Lacking(text, "bench.request_rate")


def count_problems(factor: object, info: ValidationInfo) -> Iterator[Problem]:
    """Yield numbers of prompts that are said twice or not at all."""
    counted = given(info, "num_prompts")
    if counted and factor is not None:
        yield (), "give either num_prompts or prompts_per_concurrency"
    if not counted and factor is None:
        text = "give either num_prompts or prompts_per_concurrency"
        yield (), Lacking(text, "bench.num_prompts", "bench.prompts_per_concurrency")
    if factor is not None and not given(info, "concurrency"):
        yield (), Lacking("prompts_per_concurrency multiplies concurrency, which is not given", "bench.concurrency")


def length_problems(dataset: Dataset, info: ValidationInfo) -> Iterator[Problem]:
    """Yield lengths that the dataset does not take or lacks."""
    if dataset.has_lengths and info.data.get("lengths", ...) in (None, ()):
        text = f"the {dataset.name} dataset needs lengths, such as [[512, 512], [1024, 1024]]"
        yield (UP, "lengths"), Lacking(text, "bench.lengths", "bench.dataset")
    if not dataset.has_lengths and given(info, "lengths"):
        text = (
            f"lengths belong to the random and sonnet datasets; '{dataset.name}' says in its own keys how long "
            "requests are"
        )
        yield (UP, "lengths"), text


def backend_problems(dataset: Dataset, info: ValidationInfo) -> Iterator[Problem]:
    """Yield what the requests of a backend cannot hold, or lack."""
    backend, lengths = info.data.get("backend"), info.data.get("lengths")
    if backend is None:
        return
    if dataset.needs_backend and backend not in dataset.needs_backend:
        text = (
            f"the dataset '{dataset.name}' goes with {' or '.join(dataset.needs_backend)}, and the backend is {backend}"
        )
        yield (UP, "backend"), Lacking(text, "bench.backend")
    if backend == RERANK and dataset.name != "random-rerank":
        yield (), f"{RERANK} takes queries with documents: dataset: {{name: random-rerank}}"
    has_output = isinstance(lengths, tuple) or (isinstance(lengths, LengthProduct) and lengths.output is not None)
    if lengths and dataset.has_lengths and has_output != BACKENDS[backend].generates:
        wanted = "[[512, 128]], input and output" if has_output is False else "{input: [512]}, for it makes no output"
        yield (UP, "lengths"), f"with the backend {backend} write lengths as {wanted}"
    if not BACKENDS[backend].generates and "output_len" in dataset.model_fields_set:
        yield ("output_len",), f"requests of {backend} make no output; leave output_len out"
    if BACKENDS[backend].generates and getattr(dataset, "batch_size", 1) > 1:
        yield (
            ("batch_size",),
            f"{backend} sends one text a request; batch_size is for backends such as openai-embeddings",
        )


RERANK = "vllm-rerank"


def endpoint_problems(endpoint: str | None, info: ValidationInfo) -> Iterator[Problem]:
    """Yield a path that the backend's requests cannot be sent to."""
    backend = info.data.get("backend")
    if endpoint is None or backend is None or fits(backend, endpoint):
        return
    others = fitting(endpoint)
    known = BACKENDS[backend].endpoint
    ways = [f"set bench.backend to {' or '.join(others)}"] if others else []
    ways.append(f"take {known}")
    yield (), Lacking(f"{backend} does not speak to {endpoint}; {', or '.join(ways)}", "bench.backend")


def _said_by_the_dataset(dataset: Dataset | None) -> dict[str, str]:
    """Return the flags, without dashes, that keys of the dataset set, each with its key."""
    if dataset is None:
        return {}
    said = said_of_dataset(dataset.name, None, dataset.asked_output_len, dataset.options())
    return {name.removeprefix("--"): item.key for item in said for name in item.names}


def flag_problems(flags: object, info: ValidationInfo) -> Iterator[Problem]:
    """Yield the flags that say what a key says, or ask for what the backend does not have."""
    if not isinstance(flags, Mapping) or not all(isinstance(name, str) for name in flags):
        return
    given_names = {name.replace("_", "-"): name for name in flags}
    for field in extra_body(flags):
        if field in OWN_BODY:
            yield (given_names[EXTRA_BODY],), f"'{field}' of the body is set by {OWN_BODY[field]}"
    if info.data.get("greedy") is False and lookup(flags, "temperature") is not None:
        yield (UP, "greedy"), "the server's own temperature is asked for, and client_flags has one; give one of them"
    backend, goodput = info.data.get("backend"), lookup(flags, "goodput")
    if goodput is None or isinstance(goodput, dict):
        return
    if backend is not None and not BACKENDS[backend].generates:
        yield (given_names["goodput"],), f"goodput is not counted for {backend}, whose requests generate no tokens"
    limits = goodput if isinstance(goodput, list) else [goodput]
    apart = len(goodput.split()) > 1 if isinstance(goodput, str) else False  # which is a fault of any flag's value
    if not apart and not all(isinstance(limit, str) and GOODPUT.fullmatch(limit) for limit in limits):
        text = 'is a list of limits in milliseconds, each one word: ["ttft:200", "tpot:50"]'
        yield (given_names["goodput"],), f"goodput {text}"


def share_problems(dataset: Dataset, info: ValidationInfo) -> Iterator[Problem]:
    """Yield the numbers of prompts that a dataset in groups cannot make."""
    for place, count in _counts(info):
        if count % dataset.groups:
            text = f"{count} prompts cannot be shared evenly by {dataset.groups} prefixes"
            yield (UP, *place), Lacking(text, "bench.dataset.num_prefixes")


def _counts(info: ValidationInfo) -> Iterator[tuple[Place, int]]:
    """Yield how many requests points have, each number with the place that it comes from, as far as they are known."""
    for number, count in enumerate(info.data.get("num_prompts") or ()):
        yield ("num_prompts", number), count
    factor = info.data.get("prompts_per_concurrency")
    for concurrency in info.data.get("concurrency") or () if factor else ():
        yield ("prompts_per_concurrency",), factor * concurrency

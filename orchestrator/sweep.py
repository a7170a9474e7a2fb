"""The sweep: the ordered measurements of a profile, a pure function of its resolved `bench` section."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.profile.arrival import POISSON
from orchestrator.profile.bench import LengthProduct
from orchestrator.profile.dataset_random import PrefixRepetitionDataset
from orchestrator.vllm.backend import COMPLETIONS, backend_of
from orchestrator.vllm.client import RANGE_FLAG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.profile.arrival import RampUp
    from orchestrator.profile.bench import Bench

SEED_RANGE = 2**31
MOST_WARMUP = 64
WARMUP_OUTPUT = 32
SHARED = frozenset({"sonnet", "prefix_repetition", "random-rerank"})
"""Datasets whose prompts are meant to begin alike."""


@dataclass(frozen=True)
class Point:
    """One workload."""

    dataset: str
    dataset_path: str | None
    input_len: int | None
    """Prompt tokens of a request; None where the dataset decides."""
    output_len: int | None
    """Output tokens of a request; None where the dataset decides."""
    num_prompts: int
    max_concurrency: int | None
    """Requests in flight at most; None means no limit."""
    request_rate: float | str
    """Requests per second, or `inf`."""
    client_flags: str = "{}"
    """Further client flags as canonical JSON; they are part of what the point measures."""
    dataset_options: str = "{}"
    """Further keys of the dataset as canonical JSON."""
    burstiness: float = POISSON
    """How evenly requests arrive at the request rate; 1 is a Poisson process."""
    ramp_up: RampUp | None = None
    """A request rate that rises; the request rate is `inf` then."""
    backend: str = COMPLETIONS
    """The API that is asked."""
    endpoint: str | None = None
    """Path of the server; None for the backend's own."""
    ignore_eos: bool | None = None
    """Whether answers go on after their end; None for what follows from the output length."""
    greedy: bool = True
    """Whether the likeliest token is asked for where the client's flags have no temperature."""
    percentiles: tuple[float, ...] = ()
    """What the client is to report beside the usual percentiles; no part of what the point is."""

    @property
    def id(self) -> str:
        """Return twelve hexadecimal digits that depend on the parameters alone."""
        return hashlib.sha256(canonical_json(self.parameters()).encode()).hexdigest()[:12]

    @property
    def batch(self) -> int:
        """Return the guide's `batch`: requests in flight at most."""
        return self.requests if self.max_concurrency is None else self.max_concurrency

    @property
    def generates(self) -> bool:
        """Say whether answers are tokens; otherwise each request has one answer that is none."""
        return backend_of(self.backend).generates

    @property
    def ignores_eos(self) -> bool:
        """Say whether answers go on after their end until they have the output length."""
        if not backend_of(self.backend).samples:
            return False
        return self.output_len is not None if self.ignore_eos is None else self.ignore_eos

    @property
    def most_output_tokens(self) -> int | None:
        """Return how many tokens a measurement generates at most; None where the dataset decides, or lengths vary."""
        if self.output_len is None or lengths_vary(self.parameters(), "output"):
            return None
        return self.num_prompts * self.output_len

    @property
    def output_tokens(self) -> int | None:
        """Return how many tokens a complete measurement generates; None where that is not known beforehand."""
        return self.most_output_tokens if self.ignores_eos else None

    @property
    def requests(self) -> int:
        """Return how many requests are sent: as many as prompts, unless one request holds several."""
        size, query = _texts(self.dataset_options)
        return math.ceil((self.num_prompts - query) / (size - query))

    def prompts_of(self, requests: int) -> int:
        """Return how many prompts so many requests hold."""
        size, query = _texts(self.dataset_options)
        return requests * (size - query) + query

    @property
    def longest(self) -> int:
        """Return the tokens of context that the longest request needs, as far as the profile says it."""
        options = json.loads(self.dataset_options)
        prefix = options.get("prefix_len", 0) if self.dataset.startswith("random") else 0
        prompt, output = (
            int((length or 0) * (1.0 + range_ratio(options, side)))
            for length, side in ((self.input_len, "input"), (self.output_len, "output"))
        )
        return int(prefix + prompt + output)

    @property
    def poisson(self) -> bool:
        """Say whether arrivals at the request rate do not depend on each other."""
        return self.burstiness == POISSON

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as plain data; those that came later only where they are not as they always were."""
        later = {
            "dataset_options": json.loads(self.dataset_options),
            "burstiness": None if self.poisson else self.burstiness,
            "ramp_up": None if self.ramp_up is None else self.ramp_up.model_dump(),
            "backend": None if self.backend == COMPLETIONS else self.backend,
            "endpoint": self.endpoint,
            "ignore_eos": self.ignore_eos,
            "greedy": None if self.greedy else False,
        }
        return {
            "dataset": self.dataset,
            "dataset_path": self.dataset_path,
            "input_len": self.input_len,
            "output_len": self.output_len,
            "num_prompts": self.num_prompts,
            "max_concurrency": self.max_concurrency,
            "request_rate": self.request_rate,
            "client_flags": json.loads(self.client_flags),
            **{name: value for name, value in later.items() if value or value is False},
        }

    def label(self) -> str:
        """Return the point as people say it, such as `512/512 × 16 prompts, concurrency 8`."""
        parts = [f"{lengths_text(self.parameters())} × {self.num_prompts} prompts"]
        if self.max_concurrency is not None:
            parts.append(f"concurrency {self.max_concurrency}")
        if self.request_rate != "inf":
            parts.append(f"{self.request_rate:g} req/s")
        if not self.poisson:
            parts.append(f"burstiness {self.burstiness:g}")
        if self.ramp_up is not None:
            parts.append(str(self.ramp_up))
        if self.backend != COMPLETIONS:
            parts.append(self.backend)
        return ", ".join(parts)


@dataclass(frozen=True)
class Measurement:
    """One repetition of a point, with the seed that makes its prompts its own."""

    point: Point
    repetition: int
    """Counted from 1."""
    seed: int


def points(bench: Bench) -> tuple[Point, ...]:
    """Return the distinct points of a sweep: for each load, each pair of lengths, as in the guide's loop."""
    flags, options = canonical_json(dict(bench.client_flags)), canonical_json(bench.dataset.options())
    found: dict[Point, None] = {}
    for rate, concurrency in itertools.product(bench.request_rate, bench.concurrency or (None,)):
        prompts = bench.num_prompts or ((bench.prompts_per_concurrency or 1) * (concurrency or 1),)
        for num_prompts, (input_len, output_len) in itertools.product(prompts, _lengths(bench)):
            point = Point(
                bench.dataset.name,
                bench.dataset.client_path,
                input_len,
                output_len,
                num_prompts,
                concurrency,
                rate,
                flags,
                options,
                POISSON if rate == "inf" else bench.burstiness,
                bench.ramp_up,
                bench.backend,
                bench.asked_endpoint,
                greedy=bench.greedy,
                percentiles=bench.percentiles,
            )
            if bench.ignore_eos not in (None, point.ignores_eos):
                point = dataclasses.replace(point, ignore_eos=bench.ignore_eos)
            found[point] = None
    return tuple(found)


def _lengths(bench: Bench) -> list[tuple[int | None, int | None]]:
    """Return the pairs of input and output length, each None where the dataset decides or there is no output."""
    dataset = bench.dataset
    if isinstance(bench.lengths, LengthProduct):
        return list(itertools.product(bench.lengths.input, bench.lengths.output or (None,)))
    if bench.lengths:
        return list(bench.lengths)
    output = dataset.asked_output_len if backend_of(bench.backend).generates else None
    if isinstance(dataset, PrefixRepetitionDataset):
        return [(dataset.prefix_len + dataset.suffix_len, output)]
    return [(None, output)]


def _texts(dataset_options: str) -> tuple[int, int]:
    """Return the texts of a request, and how many of them are the same in all requests and count once."""
    options = json.loads(dataset_options)
    return int(options.get("batch_size", 1)), int(options.get("reranker") is False)


def lengths_text(parameters: Mapping[str, Any]) -> str:
    """Return a point's lengths as people say them: `512/128`, `512/≤128`, `512`, or the dataset's name."""
    prompt, output = parameters["input_len"], parameters["output_len"]
    if prompt is None:
        return str(parameters["dataset"])
    most = "≤" if parameters.get("ignore_eos") is False else ""
    return str(prompt) if output is None else f"{prompt}/{most}{output}"


def range_ratio(options: Mapping[str, Any], side: str) -> float:
    """Return how far lengths vary, by the options of a dataset; the side is `input` or `output`."""
    ratio = options.get("range_ratio", 0.0)
    return float(ratio[side] if isinstance(ratio, dict) else ratio)


def lengths_vary(parameters: Mapping[str, Any], side: str) -> bool:
    """Say whether a point's lengths are drawn from a range, so that no sum of them is known beforehand.

    Args:
        parameters: The point's parameters.
        side: `input` or `output`.
    """
    own = {name.replace("_", "-") for name in parameters["client_flags"]}
    return RANGE_FLAG in own or range_ratio(parameters.get("dataset_options", {}), side) > 0


def prompts_share(parameters: Mapping[str, Any]) -> bool:
    """Say whether a point's prompts are meant to begin alike."""
    return parameters["dataset"] in SHARED or bool(parameters.get("dataset_options", {}).get("prefix_len"))


def sweep(bench: Bench) -> tuple[Measurement, ...]:
    """Return the measurements in order: the whole sweep once, then again for each further repetition.

    Repetitions of a point lie far apart in time, so that a slow drift shows as spread instead of hiding. Where the
    results decide how many there are, these are those that each point gets in any case.
    """
    fewest, _ = repetition_range(bench)
    return tuple(measurement(bench, point, number) for number in range(1, fewest + 1) for point in points(bench))


def repetition_range(bench: Bench) -> tuple[int, int]:
    """Return how often each point is measured at least and at most."""
    if isinstance(bench.repetitions, int):
        return bench.repetitions, bench.repetitions
    return bench.repetitions.auto.at_least, bench.repetitions.auto.at_most


def measurement(bench: Bench, point: Point, repetition: int) -> Measurement:
    """Return one repetition of a point, with its seed."""
    return Measurement(point, repetition, derive_seed(bench.seed, point.id, repetition))


def measurements(bench: Bench, named: Iterable[tuple[str, int]]) -> list[Measurement]:
    """Return the measurements of a sweep with these point ids and repetitions, in their order.

    Raises:
        KeyError: The sweep does not come to a point with one of these ids; see `strangers`.
    """
    by_id = {point.id: point for point in points(bench)}
    return [measurement(bench, by_id[point], repetition) for point, repetition in named]


def strangers(bench: Bench, ids: Iterable[str]) -> list[str]:
    """Return the point ids among some that a sweep does not come to, each once."""
    known = {point.id for point in points(bench)}
    return [point for point in dict.fromkeys(ids) if point not in known]


def warmup(bench: Bench, point: Point) -> Measurement | None:
    """Return what warms the server up for a point, or None if nothing is to.

    It has the point's input length and concurrency, prompts of its own, and a short output: what a server does for the
    first time (graphs, kernels, caches of its own) depends on those and not on the output's length.
    """
    prompts = bench.warmup if isinstance(bench.warmup, int) else min(point.batch, MOST_WARMUP)
    if prompts == 0:
        return None
    output = None if point.output_len is None else min(point.output_len, WARMUP_OUTPUT)
    shape = dataclasses.replace(
        point,
        num_prompts=point.prompts_of(prompts),
        output_len=output,
        request_rate="inf",
        burstiness=POISSON,
        ramp_up=None,
        dataset_options=_for_any_number_of_prompts(point.dataset_options),
    )
    return Measurement(shape, 0, derive_seed(bench.seed, shape.id, 0))


def _for_any_number_of_prompts(options: str) -> str:
    """Return a dataset's options with one shared prefix instead of several, which few prompts could not be split by."""
    values = json.loads(options)
    return canonical_json({**values, "num_prefixes": 1}) if "num_prefixes" in values else options


def warmups(bench: Bench) -> tuple[Measurement, ...]:
    """Return the different warm-ups of a sweep, each once."""
    found = {item.point.id: item for point in points(bench) if (item := warmup(bench, point)) is not None}
    return tuple(found.values())


OPTIONAL = frozenset(
    {"dataset_options", "burstiness", "ramp_up", "backend", "endpoint", "ignore_eos", "greedy", "percentiles"}
)
"""Parameters that are left out where they are as they always were."""


def required_parameters() -> set[str]:
    """Return the parameters that every point has."""
    return {field.name for field in dataclasses.fields(Point)} - OPTIONAL


def unseen(measurement: Measurement, sent: Collection[int]) -> Measurement:
    """Return the measurement with prompts that its server has not seen, which might be in its prefix cache.

    On a server that is new they are those of the plan.

    Args:
        measurement: As planned.
        sent: Seeds whose prompts were sent to the server before.
    """
    seed, times = measurement.seed, 0
    while seed in sent:
        times += 1
        seed = derive_seed(measurement.seed, "again", times)
    return dataclasses.replace(measurement, seed=seed)


def derive_seed(base: int, name: str, number: int) -> int:
    """Return the seed, in [0, 2**31), of one of the numbered things of a name, such as the repetitions of a point."""
    digest = hashlib.sha256(f"{base}/{name}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEED_RANGE


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the one JSON text of a value: sorted keys, no spaces, whole floats as integers."""
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value

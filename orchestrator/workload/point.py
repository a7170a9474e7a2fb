"""A point: one workload that is measured, and the id that its parameters alone decide."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.workload.arrival import POISSON, RampUp
from orchestrator.workload.backend import COMPLETIONS, backend_of
from orchestrator.workload.canonical import canonical_json

SHARED = frozenset({"sonnet", "prefix_repetition", "random-rerank"})
"""Datasets whose prompts are meant to begin alike."""
RANGE_FLAG = "random-range-ratio"
"""The client's own flag for lengths that vary."""


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
        return point_id(self.parameters())

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
        return label_of(self.parameters())


def point_id(parameters: Mapping[str, Any]) -> str:
    """Return the id of the point that has these parameters."""
    return hashlib.sha256(canonical_json(dict(parameters)).encode()).hexdigest()[:12]


def _rise(ramp: Mapping[str, Any]) -> str:
    start, end, strategy = (ramp.get(key, "?") for key in ("from", "to", "strategy"))
    return f"{start} to {end} req/s, {strategy}"


def label_of(parameters: Mapping[str, Any]) -> str:
    """Return the point of these parameters as people say it; what another version has beside them is not said."""
    concurrency, rate = parameters["max_concurrency"], parameters["request_rate"]
    burstiness, ramp = parameters.get("burstiness", POISSON), parameters.get("ramp_up")
    backend = parameters.get("backend", COMPLETIONS)
    parts = [
        f"{lengths_text(parameters)} × {parameters['num_prompts']} prompts",
        None if concurrency is None else f"concurrency {concurrency}",
        None if isinstance(rate, str) else f"{rate:g} req/s",
        None if burstiness == POISSON else f"burstiness {burstiness:g}",
        None
        if ramp is None
        else f"{ramp.get('from', '?')} to {ramp.get('to', '?')} req/s, {ramp.get('strategy', '?')}",
        None if backend == COMPLETIONS else backend,
    ]
    return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Measurement:
    """One repetition of a point, with the seed that makes its prompts its own."""

    point: Point
    repetition: int
    """Counted from 1."""
    seed: int


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


OPTIONAL = frozenset(
    {"dataset_options", "burstiness", "ramp_up", "backend", "endpoint", "ignore_eos", "greedy", "percentiles"}
)
"""Parameters that are left out where they are as they always were."""


def required_parameters() -> set[str]:
    """Return the parameters that every point has."""
    return {field.name for field in dataclasses.fields(Point)} - OPTIONAL

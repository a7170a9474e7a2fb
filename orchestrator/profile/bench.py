"""The `bench` section of a profile: which points are measured, how often, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
)

from orchestrator.profile.arrival import POISSON, Burstiness, RampUp, Rates, as_list
from orchestrator.profile.dataset import AnyDataset, RandomDataset, SonnetDataset
from orchestrator.profile.flag_names import check_flags
from orchestrator.profile.precision import Repetitions  # noqa: TC001 - pydantic looks it up when it runs
from orchestrator.profile.together import UP, Lacking, checked, given, raise_all
from orchestrator.profile.units import Duration  # noqa: TC001 - pydantic looks these up when it runs
from orchestrator.profile.values import (
    AbsolutePath,
    Count,
    Flags,
    Section,
)
from orchestrator.vllm.dataset import owned_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationInfo, ValidatorFunctionWrapHandler

    from orchestrator.profile.dataset import Dataset
    from orchestrator.profile.together import Place, Problem


class LengthProduct(Section):
    """All combinations of input and output lengths."""

    input: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Prompt lengths in tokens."""
    output: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Output lengths in tokens."""


def _read_pair(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise ValueError("write an input and an output length, such as [512, 512]")
    return value


def _lengths_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<combined>" if isinstance(value, LengthProduct | Mapping) else "<pairs>"


LengthPair = Annotated[tuple[Count, Count], BeforeValidator(_read_pair, json_schema_input_type=tuple[Count, Count])]
Lengths = Annotated[
    Annotated[tuple[LengthPair, ...], Tag("<pairs>")] | Annotated[LengthProduct, Tag("<combined>")],
    Discriminator(_lengths_kind),
]


Counts = Annotated[
    Annotated[tuple[Count, ...], Field(min_length=1)],
    BeforeValidator(as_list, json_schema_input_type=Count | Annotated[list[Count], Field(min_length=1)]),
]


class Estimate(Section):
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    ttft: Duration = 1.0
    """Expected time to first token."""
    tpot: Duration = 0.05
    """Expected time per further output token."""


def _warmup_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<auto>" if isinstance(value, str) else "<requests>"


Warmup = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")] | Annotated[Annotated[int, Field(ge=0, strict=True)], Tag("<requests>")],
    Discriminator(_warmup_kind),
]


def _client_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<path>" if isinstance(value, str) and value.startswith("/") else "<name>"


Client = Annotated[
    Annotated[Literal["vllm", "vllm-rs"], Tag("<name>")] | Annotated[AbsolutePath, Tag("<path>")],
    Discriminator(_client_kind),
]


OWN_FLAGS = (
    *("backend", "endpoint-type", "ready-check-timeout-sec", "percentile-metrics", "metric-percentiles"),
    *("save-result", "save-detailed", "append-result", "result-dir", "result-filename"),
)
"""Flags of the client that decide what is measured with and what is left of it."""


class Bench(Section):
    """The sweep: each combination of lengths, concurrency, request rate and number of prompts is a point."""

    lengths: Lengths | None = None
    """Lengths in tokens: a list of [input, output] pairs, or `input:` and `output:` lists to combine."""
    concurrency: Counts | None = None
    """Requests in flight at most; none means no limit."""
    request_rate: Rates = ("inf",)
    """Requests per second; `inf` sends everything at once."""
    burstiness: Burstiness = POISSON
    """How evenly requests arrive at a request rate: 1 is a Poisson process, less is burstier, more is more even."""
    ramp_up: RampUp | None = Field(default=None, validate_default=True)
    """A request rate that rises over each point, in place of `request_rate`."""
    num_prompts: Counts | None = None
    """Requests of a point."""
    prompts_per_concurrency: Count | None = Field(default=None, validate_default=True)
    """Requests of a point as a multiple of its concurrency, in place of `num_prompts`."""
    repetitions: Repetitions = 1
    """How many times each point is measured: a number, or `auto`: until the mean of `auto.metric` is known closely
    enough."""
    warmup: Warmup = "auto"
    """Requests sent before a point is first measured, at its input length and concurrency; left out of every result.
    `auto` is as many as are in flight at once, at most 64."""
    client: Client = "vllm"
    """What measures: `vllm`, which is `vllm bench serve` of the image; `vllm-rs`, the Rust client that official wheels
    carry; or the path in the container of a benchmark_serving.py or of a `vllm-rs`."""
    dataset: AnyDataset = Field(default=RandomDataset(), validate_default=True)
    """Where prompts come from."""
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    """Base from which each point's own seed is derived, so that no two points share prompts."""
    client_flags: Flags = Field(default_factory=dict)
    """Further flags of the benchmark client, written as in `server.flags`."""
    deadline: Duration = 1800.0
    """Longest time for one point; the client is then killed in the container."""
    stall: Duration = 300.0
    """The server counts as hanging when a client waits and no token has come for this long."""
    restarts: Annotated[int, Field(ge=0, strict=True)] = 1
    """How often a server that died during the sweep is started again before the run is given up."""
    estimate: Estimate = Estimate()
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    @field_validator("client_flags", mode="wrap")
    @classmethod
    def _own_keys_stay_out_of_flags(cls, flags: Any, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        owned = {
            "max-concurrency": "bench.concurrency",
            "request-rate": "bench.request_rate",
            "num-prompts": "bench.num_prompts",
            "burstiness": "bench.burstiness",
            "ramp-up-strategy": "bench.ramp_up",
            "ramp-up-start-rps": "bench.ramp_up",
            "ramp-up-end-rps": "bench.ramp_up",
            "input-len": "bench.lengths",
            "output-len": "bench.lengths",
            **owned_flags(),
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
        owned |= dict.fromkeys(OWN_FLAGS, "orch itself")
        return check_flags(flags, handler, owned, "bench")

    @field_validator("ramp_up", mode="wrap")
    @classmethod
    def _arrivals_fit_together(cls, ramp_up: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        return checked(ramp_up, handler, _arrival_problems(ramp_up, info))

    @field_validator("prompts_per_concurrency", mode="wrap")
    @classmethod
    def _counts_fit_together(cls, factor: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        return checked(factor, handler, _count_problems(factor, info))

    @field_validator("dataset")
    @classmethod
    def _requests_fit_the_dataset(cls, dataset: Dataset, info: ValidationInfo) -> Dataset:
        raise_all([*_length_problems(dataset, info), *_share_problems(dataset, info)])
        return dataset


def _arrival_problems(ramp_up: object, info: ValidationInfo) -> Iterator[Problem]:
    rated, bursty = info.data.get("request_rate") != ("inf",), info.data.get("burstiness") != POISSON
    if ramp_up is not None and rated:
        yield (), "ramp_up is a request rate that rises; give it or request_rate"
    if ramp_up is not None and bursty:
        yield (UP, "burstiness"), "burstiness goes with request_rate; with ramp_up leave it out"
    if ramp_up is None and bursty and not rated:
        text = "burstiness has no effect without a request_rate other than inf"
        yield (UP, "burstiness"), Lacking(text, "bench.request_rate")


def _count_problems(factor: object, info: ValidationInfo) -> Iterator[Problem]:
    counted = given(info, "num_prompts")
    if counted and factor is not None:
        yield (), "give either num_prompts or prompts_per_concurrency"
    if not counted and factor is None:
        text = "give either num_prompts or prompts_per_concurrency"
        yield (), Lacking(text, "bench.num_prompts", "bench.prompts_per_concurrency")
    if factor is not None and not given(info, "concurrency"):
        yield (), Lacking("prompts_per_concurrency multiplies concurrency, which is not given", "bench.concurrency")


def _length_problems(dataset: Dataset, info: ValidationInfo) -> Iterator[Problem]:
    has_axis = isinstance(dataset, RandomDataset | SonnetDataset)
    if has_axis and info.data.get("lengths", ...) in (None, ()):
        text = f"the {dataset.name} dataset needs lengths, such as [[512, 512], [1024, 1024]]"
        yield (UP, "lengths"), Lacking(text, "bench.lengths", "bench.dataset")
    if not has_axis and given(info, "lengths"):
        text = (
            f"lengths belong to the random and sonnet datasets; '{dataset.name}' says in its own keys how long "
            "requests are"
        )
        yield (UP, "lengths"), text


def _share_problems(dataset: Dataset, info: ValidationInfo) -> Iterator[Problem]:
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

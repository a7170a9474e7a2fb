"""The `bench` section of a profile: which points are measured, how often, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_validator,
    model_validator,
)

from orchestrator.objectives import check_metric
from orchestrator.profile.units import Duration  # noqa: TC001 - pydantic looks these up when it runs
from orchestrator.profile.values import (
    AbsolutePath,
    Count,
    Flags,
    Section,
    Text,
    check_flags,
)


class Dataset(Section):
    """Where prompts come from."""

    name: Text = "random"
    """A dataset name of vLLM's client; `random` makes prompts of the asked length, but for tokens that merge."""
    path: AbsolutePath | None = None
    """File in the container, for datasets that are files."""


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


def _as_list(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return [value] if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _rate(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if value in ("inf", ".inf", float("inf")):
        return "inf"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be requests per second, or inf to send everything at once")  # noqa: TRY004 - pydantic expects it
    return value


def _rate_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<inf>" if value == "inf" else "<number>"


Rate = Annotated[
    Annotated[Literal["inf"], Tag("<inf>")] | Annotated[float, Field(gt=0, allow_inf_nan=False), Tag("<number>")],
    Discriminator(_rate_kind),
    BeforeValidator(_rate, json_schema_input_type=Literal["inf"] | Annotated[float, Field(gt=0)]),
]
Counts = Annotated[
    Annotated[tuple[Count, ...], Field(min_length=1)],
    BeforeValidator(_as_list, json_schema_input_type=Count | Annotated[list[Count], Field(min_length=1)]),
]
Rates = Annotated[
    Annotated[tuple[Rate, ...], Field(min_length=1)],
    BeforeValidator(_as_list, json_schema_input_type=Rate | Annotated[list[Rate], Field(min_length=1)]),
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


class Precision(Section):
    """When a point has been measured often enough."""

    metric: Text = "output_throughput"
    """What is to be known: a column of the wide table, such as `mean_ttft_ms`."""
    width: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """How far the 95 % confidence interval of its mean may reach to each side, as a part of the mean."""
    at_least: Annotated[int, Field(ge=2, le=1000, strict=True)] = 3
    """Repetitions that each point gets."""
    at_most: Annotated[int, Field(ge=2, le=1000, strict=True)] = 10
    """Repetitions after which a point is left as it is."""

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, metric: str) -> str:
        return check_metric(metric)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Precision:
        if self.at_least > self.at_most:
            raise ValueError(f"at_least is {self.at_least} and at_most {self.at_most}")
        return self


class Until(Section):
    """Repetitions of which the results decide how many there are."""

    auto: Precision = Precision()
    """When a point has been measured often enough."""


def _repetitions(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if isinstance(value, str) and value != "auto":
        raise ValueError("must be a whole number, or auto")
    return {"auto": {}} if value == "auto" else value


def _repetitions_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<until>" if isinstance(value, Until | Mapping) else "<times>"


Repetitions = Annotated[
    Annotated[Count, Tag("<times>")] | Annotated[Until, Tag("<until>")],
    Discriminator(_repetitions_kind),
    BeforeValidator(_repetitions, json_schema_input_type=Count | Literal["auto"] | Until),
]


class Bench(Section):
    """The sweep: each combination of lengths, concurrency, request rate and number of prompts is a point."""

    lengths: Lengths | None = None
    """Lengths in tokens: a list of [input, output] pairs, or `input:` and `output:` lists to combine."""
    concurrency: Counts | None = None
    """Requests in flight at most; none means no limit."""
    request_rate: Rates = ("inf",)
    """Requests per second; `inf` sends everything at once."""
    num_prompts: Counts | None = None
    """Requests of a point."""
    prompts_per_concurrency: Count | None = None
    """Requests of a point as a multiple of its concurrency, in place of `num_prompts`."""
    repetitions: Repetitions = 1
    """How many times each point is measured: a number, or `auto`: until the mean of `auto.metric` is known closely
    enough."""
    warmup: Warmup = "auto"
    """Requests sent before a point is first measured, at its input length and concurrency; left out of every result.
    `auto` is as many as are in flight at once, at most 64."""
    client: Literal["vllm"] | AbsolutePath = "vllm"
    """What measures: `vllm`, which is `vllm bench serve` of the image, or the path of a benchmark_serving.py in it."""
    dataset: Dataset = Dataset()
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

    @field_validator("client_flags")
    @classmethod
    def _own_keys_stay_out_of_flags(cls, flags: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        owned = {
            "max-concurrency": "bench.concurrency",
            "request-rate": "bench.request_rate",
            "num-prompts": "bench.num_prompts",
            "random-input-len": "bench.lengths",
            "random-output-len": "bench.lengths",
            "dataset-name": "bench.dataset.name",
            "dataset-path": "bench.dataset.path",
            "seed": "bench.seed",
            "model": "server.model",
            "host": "server.host",
            "port": "server.port",
        }
        for name in ("backend", "endpoint-type", "save-result", "result-dir", "result-filename"):
            owned[name] = "orch itself"
        return check_flags(flags, owned)

    @model_validator(mode="after")
    def _axes_fit_together(self) -> Bench:
        if (self.num_prompts is None) == (self.prompts_per_concurrency is None):
            raise ValueError("give either num_prompts or prompts_per_concurrency")
        if self.prompts_per_concurrency is not None and self.concurrency is None:
            raise ValueError("prompts_per_concurrency multiplies concurrency, which is not given")
        if self.dataset.name == "random" and not self.lengths:
            raise ValueError("the random dataset needs lengths, such as [[512, 512], [1024, 1024]]")
        if self.dataset.name != "random" and self.lengths is not None:
            raise ValueError(
                f"lengths belong to the random dataset; give '{self.dataset.name}' its flags in client_flags"
            )
        return self

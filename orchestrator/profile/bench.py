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

from orchestrator.profile.arrival import POISSON, Burstiness, RampUp, Rates, as_list
from orchestrator.profile.dataset import AnyDataset, RandomDataset, SonnetDataset
from orchestrator.profile.precision import Repetitions  # noqa: TC001 - pydantic looks it up when it runs
from orchestrator.profile.units import Duration  # noqa: TC001 - pydantic looks these up when it runs
from orchestrator.profile.values import (
    AbsolutePath,
    Count,
    Flags,
    Section,
    check_flags,
)
from orchestrator.vllm.dataset import owned_flags


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
    ramp_up: RampUp | None = None
    """A request rate that rises over each point, in place of `request_rate`."""
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
    client: Client = "vllm"
    """What measures: `vllm`, which is `vllm bench serve` of the image; `vllm-rs`, the Rust client that official wheels
    carry; or the path in the container of a benchmark_serving.py or of a `vllm-rs`."""
    dataset: AnyDataset = RandomDataset()
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
        return self

    @model_validator(mode="after")
    def _lengths_fit_the_dataset(self) -> Bench:
        dataset = self.dataset
        has_axis = isinstance(dataset, RandomDataset | SonnetDataset)
        if has_axis and not self.lengths:
            raise ValueError(f"the {dataset.name} dataset needs lengths, such as [[512, 512], [1024, 1024]]")
        if not has_axis and self.lengths is not None:
            raise ValueError(
                f"lengths belong to the random and sonnet datasets; '{dataset.name}' says in its own keys how long "
                "requests are"
            )
        for count in self.num_prompts or _multiples(self.prompts_per_concurrency, self.concurrency):
            if count % dataset.groups:
                raise ValueError(f"{count} prompts cannot be shared evenly by {dataset.groups} prefixes")
        return self

    @model_validator(mode="after")
    def _arrivals_fit_together(self) -> Bench:
        if self.ramp_up is not None and self.request_rate != ("inf",):
            raise ValueError("ramp_up is a request rate that rises; give it or request_rate")
        if self.burstiness != POISSON and self.ramp_up is not None:
            raise ValueError("burstiness goes with request_rate; with ramp_up leave it out")
        if self.burstiness != POISSON and self.request_rate == ("inf",):
            raise ValueError("burstiness has no effect without a request_rate other than inf")
        return self


def _multiples(factor: int | None, counts: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple((factor or 1) * count for count in counts or ())

"""The `bench` section of a profile: which points are measured, how often, and with what."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from orchestrator.metrics.objectives import unreported
from orchestrator.profile.schema.arrival import Burstiness, Rates
from orchestrator.profile.schema.bench_checks import (
    arrival_problems,
    backend_problems,
    count_problems,
    endpoint_problems,
    flag_problems,
    length_problems,
    owned_by_keys,
    share_problems,
)
from orchestrator.profile.schema.bench_kinds import (
    BackendName,
    Client,
    Counts,
    EndpointPath,
    Estimate,
    LengthProduct,
    Lengths,
    Percentiles,
    Prompts,
    Warmup,
)
from orchestrator.profile.schema.dataset.kinds import AnyDataset, Dataset, RandomDataset
from orchestrator.profile.schema.flag_names import check_flags
from orchestrator.profile.schema.precision import Repetitions, Until
from orchestrator.profile.schema.problems import UP, checked, raise_all
from orchestrator.profile.schema.quantities import Duration
from orchestrator.profile.schema.values import Count, Flags, Grown
from orchestrator.text import Text
from orchestrator.workload.arrival import POISSON, RampUp
from orchestrator.workload.backend import BACKENDS, COMPLETIONS, backend_of

__all__ = ["Bench", "LengthProduct"]


class Bench(Grown):
    """The sweep: each combination of lengths, concurrency, request rate and number of prompts is a point."""

    ADDED: ClassVar[frozenset[str]] = frozenset(
        {"backend", "endpoint", "greedy", "ignore_eos", "order", "percentiles", "telemetry"}
    )

    lengths: Lengths | None = None
    """Lengths in tokens: a list of [input, output] pairs, or `input:` and `output:` lists to combine."""
    concurrency: Counts | None = None
    """Requests in flight at most; left out, there is no limit."""
    request_rate: Rates = ("inf",)
    """Requests per second; `inf` sends everything at once."""
    burstiness: Burstiness = POISSON
    """How evenly requests arrive at a request rate: 1 is a Poisson process, less is burstier, more is more even."""
    ramp_up: RampUp | None = Field(default=None, validate_default=True)
    """A request rate that rises over each point, in place of `request_rate`."""
    num_prompts: Prompts | None = None
    """Requests of a point."""
    prompts_per_concurrency: Count | None = Field(default=None, validate_default=True)
    """Requests of a point as a multiple of its concurrency, in place of `num_prompts`."""
    repetitions: Repetitions = 1
    """How many times each point is measured: a number, or `auto`: until the mean of `auto.metric` is known closely
    enough."""
    order: Literal["seeded", "written"] = "seeded"
    """In which order points are measured: `seeded`, drawn by `seed` and reversed in every other round of repetitions,
    so that a node that grows slower is not taken for an effect of the load; `written` is as the lists combine."""
    warmup: Warmup = "auto"
    """Requests sent before a point is first measured, at its input length and concurrency; left out of every result.
    `auto` is as many as are in flight at once, at most 64."""
    client: Client = "vllm"
    """What measures: `vllm`, which is `vllm bench serve` of the image; `vllm-rs`, the Rust client that official wheels
    carry; or the path in the container of a benchmark_serving.py or of a `vllm-rs`."""
    backend: BackendName = COMPLETIONS
    """The API that is asked, as the newest client names it: `openai` (completions), `openai-chat`,
    `openai-embeddings`, `vllm-pooling`, `vllm-rerank`, …"""
    endpoint: EndpointPath | None = Field(default=None, validate_default=True)
    """Path of the server, in place of the backend's own such as `/v1/chat/completions`."""
    dataset: AnyDataset = Field(default=RandomDataset.model_construct(), validate_default=True)
    """Where prompts come from."""
    ignore_eos: StrictBool | None = None
    """Whether answers go on after their end until they have the output length. Unless it is said they do wherever an
    output length is asked for; false makes that length the most that an answer can have."""
    greedy: StrictBool = True
    """Whether the likeliest token is asked for where `client_flags` has no temperature, as clients before vLLM 0.15 do
    by themselves; false leaves it to the server, as later clients do."""
    percentiles: Percentiles = Field(default=(), validate_default=True)
    """Further percentiles of each latency, beside 50, 90, 95 and 99, such as `[99.9]`."""
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
    telemetry: StrictBool = True
    """Whether the node, the container, the server and its accelerators are recorded meanwhile, once a second, in the
    run's `telemetry.jsonl`."""
    estimate: Estimate = Estimate.model_construct()
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    @field_validator("client_flags", mode="wrap")
    @classmethod
    def _own_keys_stay_out_of_flags(
        cls,
        flags: Any,
        handler: ValidatorFunctionWrapHandler,
        info: ValidationInfo,
    ) -> Any:
        own = owned_by_keys(info)
        return checked(flags, lambda value: check_flags(value, handler, own, "bench"), flag_problems(flags, info))

    def unreported(self, metric: str) -> str | None:
        """Return why the client does not report a metric, and what to do; None if it does."""
        return unreported(metric, self.percentiles, generates=BACKENDS[self.backend].generates)

    @property
    def asked_endpoint(self) -> str | None:
        """Return the path of the server where it is not the backend's own."""
        return None if self.endpoint == backend_of(self.backend).endpoint else self.endpoint

    @field_validator("endpoint")
    @classmethod
    def _endpoint_fits(cls, endpoint: str | None, info: ValidationInfo) -> str | None:
        raise_all(endpoint_problems(endpoint, info))
        return endpoint

    @field_validator("ignore_eos")
    @classmethod
    def _eos_can_be_ignored(cls, ignore_eos: bool | None, info: ValidationInfo) -> bool | None:
        backend = info.data.get("backend")
        if ignore_eos and backend is not None and not BACKENDS[backend].samples:
            raise ValueError(Text("{backend} has no ignore_eos; leave it out", backend=backend))
        return ignore_eos

    @field_validator("greedy")
    @classmethod
    def _tokens_are_drawn(cls, greedy: bool, info: ValidationInfo) -> bool:
        backend = info.data.get("backend")
        if not greedy and backend is not None and not BACKENDS[backend].samples:
            raise ValueError(Text("{backend} has no temperature; leave it out", backend=backend))
        return greedy

    @field_validator("percentiles")
    @classmethod
    def _metric_is_reported(cls, percentiles: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        backend, repetitions = info.data.get("backend"), info.data.get("repetitions")
        if backend is not None and isinstance(repetitions, Until):
            wrong = unreported(repetitions.auto.metric, percentiles, generates=BACKENDS[backend].generates)
            raise_all([((UP, "repetitions", "auto", "metric"), wrong)] if wrong else [])
        return percentiles

    @field_validator("ramp_up", mode="wrap")
    @classmethod
    def _arrivals_fit_together(cls, ramp_up: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return checked(ramp_up, handler, arrival_problems(ramp_up, info))

    @field_validator("prompts_per_concurrency", mode="wrap")
    @classmethod
    def _counts_fit_together(cls, factor: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return checked(factor, handler, count_problems(factor, info))

    @field_validator("dataset")
    @classmethod
    def _requests_fit_the_dataset(cls, dataset: Dataset, info: ValidationInfo) -> Dataset:
        raise_all([*length_problems(dataset, info), *backend_problems(dataset, info), *share_problems(dataset, info)])
        return dataset

"""What a run directory says about itself: the manifest, and one record for each measurement.

These are the models of the format of today, see `orchestrator.runs.format`. A run's state goes planned → running →
done, failed or interrupted; that of a measurement follows from its outcome. Only done counts as done.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from orchestrator.causes import Cause
from orchestrator.metrics.steady import Steady
from orchestrator.metrics.tail import Tail
from orchestrator.metrics.values import Metrics
from orchestrator.runs.format.node_load import NodeLoad
from orchestrator.runs.format.outcome import Failed, Interrupted, Measured, Outcome
from orchestrator.vllm.counters import Load, Served
from orchestrator.vllm.requests import RequestFigures
from orchestrator.workload.point import label_of, point_id, required_parameters

FORMAT: Literal[2] = 2


class RunState(str, enum.Enum):
    """How far a run, or a measurement, has come."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class RunKind(str, enum.Enum):
    """What a run is for."""

    SWEEP = "sweep"
    SEARCH = "search"
    """A capacity search: what it measures shows as it goes on."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class MeasurementRecord(_Record):
    """One measurement: what was asked, what was run, what came of it."""

    format: Literal[2] = FORMAT
    point: str
    """Point id."""
    repetition: int
    """Counted from 1; 0 is the warm-up."""
    parameters: dict[str, Any]
    """The point's parameters."""
    seed: int
    outcome: Outcome | None = None
    """What came of it; null while it runs."""
    argv: tuple[str, ...] = ()
    """The client's command, exactly."""
    started: str | None = None
    """UTC, ISO 8601."""
    wall_s: float | None = None
    """Lifetime of the client's process."""
    cpu_s: float | None = None
    """Processor time of the client's process."""
    client_busy: float | None = None
    """Part of the measurement for which the client ran or waited for a processor; null if the kernel did not say."""
    client_code: int | None = None
    """Exit code of the client."""
    idle_before: bool | None = None
    """The server had nothing to do when the client began; null if it does not say."""
    warm_before: bool | None = None
    """The warm-up that came before it was done; null where there was none."""
    served: Served | None = None
    """What the server counted meanwhile; null if it does not say."""
    served_lost: bool = False
    """The server's counters were read before the measurement, but could not be read after it."""
    peak: Load | None = None
    """The highest load seen meanwhile; null if the measurement was too short for a look."""
    tpot_trend: float | None = None
    """Time per output token of the last third of the requests over that of the others; null without details."""
    sending_s: float | None = None
    """From the start of the first request to that of the last one, or the least that it can have been; null without
    details."""
    ttft_thirds_ms: tuple[float, float, float] | None = None
    """Median TTFT of the first, the middle and the last third of the requests; null without details."""
    requests: RequestFigures | None = None
    """What the single requests say; null without details, and in records of before it was written down."""
    node: NodeLoad | None = None
    """Who else used the node; null in records of before it was written down."""
    client_version: str | None = None
    """Version of vLLM that the client is of; null in records of before it was written down."""
    tails: dict[str, Tail] = Field(default_factory=dict)
    """The tail of each latency by its single values; empty without details, and in records of before it was written
    down."""
    steady: Steady | None = None
    """The part of it in which the load is steady; null without details, and in records of before it was computed."""

    @property
    def label(self) -> str:
        """Return the point as people say it."""
        return label_of(self.parameters)

    @property
    def state(self) -> RunState:
        """Return how far it has come."""
        return RunState.RUNNING if self.outcome is None else _STATES[self.outcome.came]

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Return why it is not done; nothing while it runs."""
        match self.outcome:
            case Failed(causes=causes):
                return causes
            case Interrupted(cause=cause):
                return (cause,)
        return ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why it is not done, as people read it."""
        return tuple(cause.text() for cause in self.causes)

    @property
    def metrics(self) -> Metrics | None:
        """Return the figures that the client reported, whether or not they count; those of `Measured` do."""
        return self.outcome.metrics if isinstance(self.outcome, Measured | Failed) else None

    @field_validator("parameters")
    @classmethod
    def _parameters_are_a_points(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        return check_parameters(parameters)


_STATES = {"measured": RunState.DONE, "failed": RunState.FAILED, "interrupted": RunState.INTERRUPTED}


def check_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a point; raise ValueError, naming them, if some that every point has are missing."""
    missing = required_parameters() - set(parameters)
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))} missing")
    return parameters


class DeploymentFacts(_Record):
    """The server that was measured."""

    name: str
    launch: str
    container: str
    """Container id."""
    image: str
    """Image reference."""
    image_id: str
    image_digests: tuple[str, ...]
    docker_run: str
    """The line that makes the same container by hand."""
    url: str
    vllm_version: str | None
    """As the server says."""
    client_version: str | None = None
    """As the benchmark client's package says, or `vllm-rs` itself."""
    client_python: str | None = None
    client: str | None = None
    """What measured: `vllm` for `vllm bench serve`, `vllm-rs`, or the path of a client in the container."""
    client_program: str | None = None
    """What the client's commands begin with: the same, but for `vllm-rs` the path at which it was found."""
    client_sha256: str | None = None
    """What that file holds; None for `vllm`, which is the image's."""
    client_mode: str | None = None
    """`fork`, or `process` with the reason why forking was not possible."""


class DatasetFacts(_Record):
    """The file that prompts came from."""

    name: str
    """Name of the dataset."""
    file: str | None
    """Path on the node; null for a file that was in the container already."""
    path: str
    """Path in the container."""
    size: int
    """Bytes."""
    sha256: str


class NodeFacts(_Record):
    """The machine."""

    hostname: str
    kernel: str
    architecture: str
    cpu_model: str
    cpus: int
    """Logical CPUs."""
    numa_nodes: int
    memory_bytes: int
    engine_version: str
    accelerators: tuple[str, ...] = ()
    """PCI vendor, device and address of each accelerator."""


class Fingerprints(_Record):
    """Hashes of what decides the figures of a run; neither a description nor a key at its default changes them."""

    workload: str
    """What is sent: points, seed, warm-up and client."""
    server: str
    """What serves: model, command, flags and environment."""
    environment: str | None = None
    """Where: container, image by its content, and the node's processors and accelerators; null until it is known."""


class TriedLoad(_Record):
    """One measurement of a search."""

    load: int
    point: str
    repetition: int
    sustained: bool
    """Nothing is missed that a lower load would meet."""
    missed: tuple[str, ...]
    """The objectives that it misses."""
    doubts: tuple[str, ...]
    """Ids of the reasons of its verdict."""
    verdict: str


class SearchAnswer(_Record):
    """What a search looked for and has found; loads are whole steps of `over`."""

    over: str
    """`concurrency` or `request-rate`."""
    objectives: tuple[str, ...]
    lowest: int
    highest: int
    repetitions: int
    resolution: float
    prompts_per_step: float
    range_ratio: float = 0.0
    """How far lengths varied beyond what the profile says."""
    in_step: str = ""
    """Why they did not, though nobody asked for exact ones; empty where they did, or somebody did."""
    capacity: int | None
    """The highest load that was tried and meets all objectives; null if none did."""
    limit: int | None
    """The lowest load that misses what a lower one would meet; null if none did."""
    goodput: float | None
    """Requests per second at the capacity; null where the client did not count them."""
    cut_short: Cause | None = None
    """What ended it before it was over."""
    tried: tuple[TriedLoad, ...]


class Manifest(_Record):
    """A whole run."""

    format: Literal[2] = FORMAT
    id: str
    kind: RunKind = RunKind.SWEEP
    state: RunState
    cause: Cause | None = None
    """Why it is not done."""
    orch_version: str
    profile: str
    profile_hash: str
    fingerprints: Fingerprints | None = None
    """Null in a run that an earlier format began."""
    rules: int | None = None
    """Version of the rules that verdicts were given by; null in a run that an earlier format began."""
    study: str | None = None
    """Shared by the runs that one command made of the variants of a profile; null for a run by itself."""
    varied: Mapping[str, str | None] = Field(default_factory=dict)
    """What this run's profile has at each key that varies in the study, as text; null where it has nothing."""
    created: str
    """UTC, ISO 8601."""
    ended: str | None = None
    tensor_parallel_size: int
    dtype: str
    """The server's `dtype` flag; `auto` where the profile leaves it to vLLM."""
    node: NodeFacts
    members: tuple[DeploymentFacts, ...] = ()
    """The members of the deployment that it is measured on; none until the server is healthy."""
    earlier: tuple[DeploymentFacts, ...] = ()
    """Those that it was measured on before it was resumed."""
    dataset: DatasetFacts | None = None
    """Null where prompts come from no file, and, for a file in the container, until there is one."""
    points: dict[str, Annotated[dict[str, Any], AfterValidator(check_parameters)]] = Field(default_factory=dict)
    """The parameters of each point by its id; none in a run that an earlier format began, until it goes on."""
    measurements: tuple[tuple[str, int], ...]
    """Point id and repetition of each measurement, in order."""
    done: int | None = None
    """How many of them were done when it ended; null while it goes on, and in runs of before this was written down."""
    warnings: tuple[Cause, ...] = ()
    """Settings of the profile that weaken what keeps the container apart, see `plan.weakening`."""
    search: SearchAnswer | None = None
    """What a search has found; null in a run that is none, and until it has found something."""

    @property
    def deployment(self) -> DeploymentFacts | None:
        """Return the facts of the server, which the first member is."""
        return self.members[0] if self.members else None

    @property
    def reason(self) -> str:
        """Return all there is to say of why it is not done, in one line or more; empty where it is."""
        return "" if self.cause is None else "\n".join(self.cause.lines())

    @property
    def headline(self) -> str:
        """Return why it is not done, in one line; empty where it is."""
        return "" if self.cause is None else self.cause.text()

    def misnamed(self) -> list[str]:
        """Return the ids that do not derive from the parameters that they stand for."""
        return [name for name, parameters in self.points.items() if point_id(parameters) != name]

"""What a run directory says about itself: the manifest, and one record for each measurement.

Format 1. A state goes planned → running → done, failed or interrupted; only done counts as done.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.metrics.tail import Tail
from orchestrator.metrics.values import Metrics
from orchestrator.vllm.counters import Load, Served
from orchestrator.workload.point import required_parameters

FORMAT: Literal[1] = 1


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

    format: Literal[1] = FORMAT
    point: str
    """Point id."""
    repetition: int
    """Counted from 1; 0 is the warm-up."""
    label: str
    parameters: dict[str, Any]
    """The point's parameters."""
    seed: int
    state: RunState
    reasons: tuple[str, ...] = ()
    """Why it is not done."""
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
    tails: dict[str, Tail] = Field(default_factory=dict)
    """The tail of each latency by its single values; empty without details, and in records of before it was written
    down."""
    metrics: Metrics | None = None
    """Derived from result.json beside it."""

    @field_validator("parameters")
    @classmethod
    def _parameters_are_a_points(cls, parameters: dict[str, Any]) -> dict[str, Any]:
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


class Manifest(_Record):
    """A whole run."""

    format: Literal[1] = FORMAT
    id: str
    kind: RunKind = RunKind.SWEEP
    state: RunState
    reason: str = ""
    """Why it is not done."""
    orch_version: str
    profile: str
    profile_hash: str
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
    deployment: DeploymentFacts | None = None
    """Null until the server is healthy."""
    earlier: tuple[DeploymentFacts, ...] = ()
    """Deployments that it was measured on before it was resumed."""
    dataset: DatasetFacts | None = None
    """Null where prompts come from no file, and, for a file in the container, until there is one."""
    measurements: tuple[tuple[str, int], ...]
    """Point id and repetition of each measurement, in order."""
    done: int | None = None
    """How many of them were done when it ended; null while it goes on, and in runs of before this was written down."""
    warnings: tuple[str, ...] = ()
    """Weakening settings of the profile."""

"""Profiles, records and runs that tests begin with; a test says only what it is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.causes import Cause, told
from orchestrator.deployment.folder import Record
from orchestrator.deployment.hold import Holds
from orchestrator.engine import Engine
from orchestrator.events import Listener, unheard
from orchestrator.folders import folders
from orchestrator.interruption import Interruption
from orchestrator.jobs.places import Place
from orchestrator.measuring.driver import Client
from orchestrator.node.node import Node
from orchestrator.plan.sweep import sweep
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.devices import CdiDevice, DeviceSpec
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.directory import create_run
from orchestrator.runs.format.outcome import Failed, Interrupted, Measured
from orchestrator.runs.format.records import DeploymentFacts, Manifest, MeasurementRecord, NodeFacts, RunState
from orchestrator.runs.journal import Journal
from orchestrator.runs.run import Run
from orchestrator.vllm.result import read_metrics
from orchestrator.workload.point import Measurement, Point

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "s3cr3t/+'\"\n=%41"
"""A secret as hard to hide as they come."""


def a_profile(
    *,
    container: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
    bench: Mapping[str, Any] | None = None,
    **rest: object,
) -> Profile:
    """A small profile; sections are laid over it."""
    return Profile.model_validate(
        {
            "name": "tiny",
            "container": {"image": "vllm:0.8.5", **(container or {})},
            "server": {"model": "/models/tiny", **(server or {})},
            "bench": {"lengths": [[64, 16]], "num_prompts": [2, 4], **(bench or {})},
            **rest,
        }
    )


def a_bench(**keys: object) -> Bench:
    return Bench.model_validate({"lengths": [[64, 16]], "num_prompts": 4, **keys})


def a_point(**parameters: object) -> Point:
    usual: dict[str, Any] = {
        "dataset": "random",
        "dataset_path": None,
        "input_len": 64,
        "output_len": 16,
        "num_prompts": 8,
        "max_concurrency": None,
        "request_rate": "inf",
    }
    return Point(**{**usual, **parameters})


def a_measurement(**parameters: object) -> Measurement:
    return Measurement(a_point(**parameters), 1, 7)


def a_result(**keys: object) -> dict[str, Any]:
    """What the client of vLLM 0.32 writes about 8 prompts of 64 + 16 tokens, all of them complete."""
    usual: dict[str, Any] = {
        "date": "20261124-035130",
        "num_prompts": 8,
        "request_rate": "inf",
        "duration": 0.25,
        "completed": 8,
        "failed": 0,
        "total_input_tokens": 512,
        "total_output_tokens": 128,
        "request_throughput": 32.0,
        "request_goodput": None,
        "output_throughput": 512.0,
        "total_token_throughput": 2560.0,
    }
    for index, name in enumerate(("ttft", "tpot", "itl", "e2el"), start=1):
        for statistic in ("mean", "median", "std", "p50", "p90", "p95", "p99"):
            usual[f"{statistic}_{name}_ms"] = index + 0.5
    return {**usual, **keys}


def result_bytes(**keys: object) -> bytes:
    return json.dumps(a_result(**keys)).encode()


def a_record(measurement: Measurement | None = None, **fields: object) -> MeasurementRecord:
    """The record of a measurement that is done; `state`, `reasons` and `metrics` say what came of it instead."""
    measurement = measurement or a_measurement()
    point = measurement.point
    state, reasons = fields.pop("state", RunState.DONE), fields.pop("reasons", ())
    metrics = fields.pop("metrics", read_metrics(result_bytes()))
    usual: dict[str, Any] = {
        "point": point.id,
        "repetition": measurement.repetition,
        "parameters": point.parameters(),
        "seed": measurement.seed,
        "outcome": an_outcome(state, reasons, metrics),
        "argv": ("vllm", "bench", "serve"),
        "started": "2026-11-24T03:51:30.000+00:00",
        "wall_s": 15.5,
        "client_code": 0,
    }
    return MeasurementRecord(**{**usual, **fields})


def an_outcome(state: Any, reasons: Any = (), metrics: Any = None) -> Measured | Failed | Interrupted | None:
    causes = tuple(map(told, reasons))
    if state is RunState.INTERRUPTED:
        return Interrupted(cause=causes[0] if causes else Cause("orch-killed"))
    if state is RunState.FAILED:
        return Failed(causes=causes, metrics=metrics)
    if state is not RunState.DONE:
        return None
    return Failed(causes=causes) if metrics is None else Measured(metrics=metrics)


def a_manifest(profile: Profile | None = None, **fields: object) -> Manifest:
    profile = profile or a_profile()
    measurements = sweep(profile.bench) if profile.bench else ()
    usual: dict[str, Any] = {
        "id": "20261124-035130-tiny-0a1b",
        "state": RunState.PLANNED,
        "orch_version": "0.1.0",
        "profile": profile.name,
        "profile_hash": "0123456789abcdef",
        "created": "2026-11-24T03:51:30.000+00:00",
        "tensor_parallel_size": 8,
        "dtype": "float16",
        "node": NodeFacts(
            hostname="node",
            kernel="6.1",
            architecture="x86_64",
            cpu_model="a processor",
            cpus=2,
            numa_nodes=1,
            memory_bytes=2**34,
            accelerators=(),
            engine_version="20.10",
        ),
        "points": {item.point.id: item.point.parameters() for item in measurements},
        "measurements": tuple((item.point.id, item.repetition) for item in measurements),
    }
    if "deployment" in fields:
        fields["members"] = (fields.pop("deployment"),)
    if "reason" in fields:
        fields["cause"] = told(str(fields.pop("reason")))
    return Manifest(**{**usual, **fields})


def deployment_facts(**fields: object) -> DeploymentFacts:
    usual: dict[str, Any] = {
        "name": "tiny",
        "launch": "0a1b2c3d",
        "container": "c" * 64,
        "image": "vllm:0.8.5",
        "image_id": "sha256:" + "1" * 64,
        "image_digests": (),
        "docker_run": "docker run …",
        "url": "http://127.0.0.1:8000",
        "vllm_version": "0.8.5",
    }
    return DeploymentFacts(**{**usual, **fields})


def a_run(runs: Path, profile: Profile | None = None, **fields: object) -> Run:
    """A run directory on disk, planned unless told otherwise."""
    profile = profile or a_profile()
    return create_run(runs, profile, a_manifest(profile, **fields))


RECORDED = Record(
    name="tiny",
    launch="0a1b2c3d",
    user="root",
    pid=1,
    started=1e9,
    engine="unix:///var/run/docker.sock",
    profile="tiny",
)
"""What a deployment's folder says of it."""


def a_client(**fields: object) -> Client:
    """Return what a driver found."""
    usual: dict[str, Any] = {
        "name": "vllm",
        "program": "vllm",
        "vllm_version": "0.32.0",
        "file": None,
        "python_version": "3.11.2",
        "backends": None,
        "spread": None,
        "options": frozenset({"--random-input-len", "--random-output-len", "--ignore-eos"}),
        "datasets": frozenset({"random"}),
        "dataset": None,
        "fork": True,
        "reason": "",
        "unasked": "",
        "import_s": 10.0,
        "sent": frozenset(),
    }
    return Client(**{**usual, **fields})


def from_node(devices: Sequence[DeviceSpec | CdiDevice]) -> list[DeviceSpec]:
    """Devices that are all files of the node."""
    found = [device for device in devices if isinstance(device, DeviceSpec)]
    assert len(found) == len(devices)
    return found


class NoEngine(Engine):
    """An engine that nobody asks for anything."""

    def __init__(self) -> None:
        self.url = ""


def a_place(listener: Listener = unheard, engine: Engine | None = None) -> Place:
    """A place where jobs are done, on no engine unless one is given."""
    node = Node(engine or NoEngine(), Path("/nonexistent"))
    return Place(folders({}), node, Holds(), Interruption(), listener, Journal())

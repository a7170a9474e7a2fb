"""Simulated measurements, judged by the real code: result bytes and pages of `/metrics` become records and verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.client import Played, play
from simulation.counters import Tally
from simulation.result import MODEL, result_bytes
from simulation.server import Setup, Trouble

from orchestrator.measuring.driver import ClientRun
from orchestrator.measuring.judge import begin, judge
from orchestrator.results.validity import Assessment, assess
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.vllm.client import VLLM, Target, client_argv, dialect_of
from orchestrator.vllm.counters import Load, read_load, read_served, sample_totals
from orchestrator.workload.point import Measurement, Point
from orchestrator.workload.seeds import derive_seed

PRELUDE_S = 3.0
"""What the client does before it measures: it imports and makes prompts, and is busy with that."""
NODE_CPUS, SERVER_CPUS = 128, 9.0
"""Processors of the node, and how many of them the server and its client keep busy."""
SCRIPT = "/opt/vllm-benchmarks/benchmark_serving.py"
TARGET = Target("127.0.0.1", 8000, MODEL, MODEL, trust_remote_code=False)


@dataclass
class Deployment:
    """One start of a simulated server, and what it has counted so far."""

    setup: Setup
    tally: Tally = field(default_factory=Tally)

    def measure(self, measurement: Measurement, trouble: Trouble) -> MeasurementRecord:
        """Take a measurement as a sweep does, and return its record."""
        server, point = self.setup.server, measurement.point
        program = SCRIPT if self.setup.client.form == "script" else VLLM
        dialect = dialect_of(program, self.setup.client.version)
        argv = client_argv(program, dialect, TARGET, measurement, "/tmp/orch-bench/job")
        running = begin(measurement, argv).model_copy(update={"warm_before": True})
        before = sample_totals(self.tally.text(server))
        load = read_load(before)
        played = play(self.setup, trouble, point, measurement.seed)
        self.tally.add(played)
        record = judge(running, measurement, _client_run(played))
        served = None
        if not trouble.metrics_silent:
            served = read_served(sample_totals(self.tally.text(server))).since(read_served(before))
        seen = {
            "idle_before": load.running + load.waiting == 0,
            "served": served,
            "served_lost": served is None,
            "peak": _peak(played),
            "client_version": self.setup.client.version,
            "node": _node(played),
        }
        return MeasurementRecord.model_validate({**record.model_dump(), **seen})


def _client_run(played: Played) -> ClientRun:
    """Return what the driver says of the client."""
    lived = PRELUDE_S + played.duration_s
    ran = PRELUDE_S + min(played.engine.client_busy_s, played.duration_s)
    return ClientRun(
        code=0,
        timed_out=False,
        wall_s=lived + 0.5,
        cpu_s=ran,
        runnable_at=((PRELUDE_S, PRELUDE_S), (lived, ran)),
        result=result_bytes(played),
        log=b"",
    )


def _node(played: Played) -> dict[str, Any]:
    """Return what a look at the node says before a measurement and during it."""
    chance, load = random.Random(played.duration_s), played.trouble.node_load
    during, before = ({**_use(load, chance), "seconds": seconds} for seconds in (played.duration_s, 5.0))
    return {
        "before": before,
        "during": {**during, "busy": during["foreign"] + SERVER_CPUS / NODE_CPUS},
        "load_before": load * NODE_CPUS + SERVER_CPUS,
        "devices_before": {"0000:3b:00.0": played.trouble.device_use},
    }


def _use(load: float, chance: random.Random) -> dict[str, float]:
    foreign = min(max(load + chance.gauss(0.005, 0.003), 0.0), 1.0)
    waited = min(foreign**2 + abs(chance.gauss(0.005, 0.003)), 1.0)
    return {
        "cpus": NODE_CPUS,
        "busy": foreign,
        "foreign": foreign,
        "stolen": 0.0,
        "cpu_pressure": waited,
        "memory_pressure": 0.0,
        "io_pressure": 0.0,
    }


def _peak(played: Played) -> Load | None:
    peak = played.peak
    if not peak.looks or not played.setup.server.log_stats:
        return None
    return Load(running=peak.running, waiting=peak.waiting, kv_cache_usage=peak.kv_cache_usage)


@dataclass(frozen=True)
class Verdicts:
    """What came of one point: its records, and what was thought of each."""

    records: tuple[MeasurementRecord, ...]
    assessments: tuple[Assessment, ...]

    @property
    def ids(self) -> set[str]:
        """Everything that was said of any repetition: ids of reasons and of notes."""
        return self.doubts | {note.id for assessment in self.assessments for note in assessment.notes}

    @property
    def unchecked(self) -> set[str]:
        """The ids of what nobody could look at."""
        return {item.id for assessment in self.assessments for item in getattr(assessment, "unchecked", ())}

    @property
    def doubts(self) -> set[str]:
        """The ids of reasons alone."""
        return {reason.id for assessment in self.assessments for reason in assessment.reasons}


def take(
    setup: Setup,
    points: Sequence[Point],
    repetitions: int,
    seed: int,
    *,
    scatter: float = 0.0,
    trouble: Callable[[int], Trouble] = lambda _: Trouble(),
) -> list[MeasurementRecord]:
    """Take a sweep on one start of a server; return the records in order.

    Args:
        setup: Server and client.
        points: What is measured, in this order, again for each repetition.
        repetitions: How often.
        seed: Decides everything.
        scatter: Standard deviation of the speed between measurements, as a part.
        trouble: What disturbs a repetition, counted from 1.
    """
    chance, deployment, records = random.Random(seed), Deployment(setup), []
    for number in range(1, repetitions + 1):
        for point in points:
            now = trouble(number)
            factor = now.factor * max(chance.gauss(1.0, scatter), 0.1)
            measurement = Measurement(point, number, derive_seed(seed, point.id, number))
            records.append(deployment.measure(measurement, replace(now, factor=factor)))
    return records


def verdicts_on(records: Sequence[MeasurementRecord]) -> list[Verdicts]:
    """Judge measurements; return the verdicts on each point."""
    found = assess(records)
    return [
        Verdicts(
            tuple(record for record in records if record.point == point),
            tuple(assessment for (name, _), assessment in found.items() if name == point),
        )
        for point in dict.fromkeys(record.point for record in records)
    ]


def measure(setup: Setup, point: Point, seed: int, trouble: Trouble | None = None) -> tuple[Played, Verdicts]:
    """Take one measurement on a fresh server; return what was played, and the verdicts on it."""
    (verdicts,) = verdicts_on(take(setup, [point], 1, seed, trouble=lambda _: trouble or Trouble()))
    return play(setup, trouble or Trouble(), point, derive_seed(seed, point.id, 1)), verdicts

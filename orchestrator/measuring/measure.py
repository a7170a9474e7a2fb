"""Runs one sweep against one server: each measurement is judged and on disk before the next one begins.

The death of the server fails its current measurement. The server is then started again, as often as the profile allows,
and warmed up again, and the sweep goes on with the next measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.deployment.server import Server
from orchestrator.errors import BenchmarkFailed, EngineError, OrchError, ServerFailed
from orchestrator.events import Listener
from orchestrator.measuring.driver import Client, Driver, wanted
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.measuring.judge import begin, failed, judge
from orchestrator.measuring.retry import Stand, raised_by
from orchestrator.plan.bench_command import bench_argv, client_target
from orchestrator.plan.sweep import warmup
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.runs.run import Run
from orchestrator.vllm.client import RESULT_NAME, dialect_of
from orchestrator.vllm.counters import Served
from orchestrator.workload.point import Measurement, Point
from orchestrator.workload.seeds import unseen

SETTLE_S = 30.0
"""How long the server may take to finish earlier requests; after that a measurement begins all the same."""


class Sweep:
    """A sweep that is under way on a server."""

    def __init__(
        self,
        server: Server,
        profile: Profile,
        bench: Bench,
        directory: Run,
        tell: Listener,
        driver: Driver | None = None,
    ) -> None:
        """Take over the driver, or start one."""
        self._server = server
        self._target = client_target(profile)
        self._bench = bench
        self.directory = directory
        self._tell = tell
        self._warm: dict[tuple[int, str], bool] = {}
        """Warm-ups that the server has had, by its start and the point, and whether they were done."""
        self.stand = Stand(server, wanted(profile, bench), bench.restarts, tell, driver, self._record_mode)

    def client(self) -> Client:
        """Return the client once it is ready, see `Stand.client`."""
        return self.stand.client()

    def run(self, measurements: Sequence[Measurement]) -> Iterator[MeasurementRecord]:
        """Take the measurements in order, each on a warm server; yield each record, which is on disk by then.

        Raises:
            ServerFailed: When the server has died once more than it may be started again.
            EnvironmentFault: When the client that is in the container then is another one.
        """
        total = len(measurements)
        for index, measurement in enumerate(measurements, start=1):
            self.stand.mend()
            warm = self._warm_up(measurement.point, total)
            yield self._take(measurement, index, total, warm=warm)

    def close(self) -> None:
        """End the driver and what it runs."""
        self.stand.close()

    def _warm_up(self, point: Point, total: int) -> bool | None:
        """Warm the server up once for a point; say whether the warm-up succeeded, or None if the point has none."""
        warmed = warmup(self._bench, point)
        if warmed is None:
            return None
        while (at := (self.stand.starts, warmed.point.id)) not in self._warm:
            record = self._take(warmed, 0, total)
            if self.stand.failure is None:
                self._warm[at] = isinstance(record.outcome, Measured)
            self.stand.mend()
        return self._warm[at]

    def _take(self, measurement: Measurement, index: int, total: int, *, warm: bool | None = None) -> MeasurementRecord:
        """Take one measurement; a failure of the server or the driver fails it, and is left to be mended."""
        client = self.stand.driver.client()
        measurement = unseen(measurement, client.sent)
        dialect = dialect_of(client.name, client.vllm_version, client.options)
        container = self._server.member.container
        argv = bench_argv(client.program, self._target, measurement, dialect, client.options, container)
        running = begin(measurement, argv).model_copy(update={"warm_before": warm})
        self.directory.write_record(running)
        self._tell(MeasurementBegun(index, total, running))
        ended, failure = self._ended(running, measurement)
        self.directory.write_record(ended)
        self._tell(MeasurementEnded(index, total, ended))
        if failure is not None:
            self.stand.failed(failure)
        return ended

    def _ended(
        self, running: MeasurementRecord, measurement: Measurement
    ) -> tuple[MeasurementRecord, OrchError | None]:
        """Run a measurement's client to its end; return its record, and the failure that ended it."""
        idle, before = self._server.settle(SETTLE_S)
        self._server.resume_watch()
        try:
            ran = self.stand.driver.run(
                measurement, running.argv, RESULT_NAME, self._bench.deadline, self._check_progress
            )
        except ServerFailed as error:
            return failed(running, error.cause), error
        except (BenchmarkFailed, EngineError) as error:  # the driver, and the way to it, die with its container
            failure = raised_by(self._server.check_responding) or error
            return failed(running, failure.cause), failure
        ended = self._with_server_side(judge(running, measurement, ran), before, idle=idle)
        self.directory.keep(ended, ran.result, ran.log)
        # A client may take what was cut off for complete, so the server is always asked.
        done = isinstance(ended.outcome, Measured)
        died = raised_by(self._server.check_alive if done else self._server.check_responding)
        return (ended, None) if died is None else (failed(ended, died.cause), died)

    def _check_progress(self) -> None:
        self._server.check_progress(self.stand.driver.client_waits)

    def _with_server_side(
        self, record: MeasurementRecord, before: Served | None, *, idle: bool | None
    ) -> MeasurementRecord:
        after = self._server.served()
        served = None if before is None or after is None else after.since(before)
        peak = self._server.peak_load()
        lost = before is not None and after is None
        return record.model_copy(update={"idle_before": idle, "served": served, "served_lost": lost, "peak": peak})

    def _record_mode(self, client: Client) -> None:
        """Record a change in how clients are started: a new driver may be unable to fork."""
        manifest = self.directory.manifest()
        facts = manifest.deployment
        if facts is not None and facts.client_mode is not None and not facts.client_mode.endswith(client.mode):
            changed = facts.model_copy(update={"client_mode": f"{facts.client_mode}; later {client.mode}"})
            self.directory.update(members=(changed, *manifest.members[1:]))

"""Runs one sweep against one server: each measurement is judged and on disk before the next one begins.

The death of the server fails its current measurement. The server is then started again, as often as the profile allows,
and warmed up again, and the sweep goes on with the next measurement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from orchestrator.accelerators.use import device_use
from orchestrator.deployment.server import Server
from orchestrator.errors import BenchmarkFailed, EngineError, OrchError, ServerFailed
from orchestrator.events import Failed, Listener
from orchestrator.measuring.driver import Client, Driver, replaced, wanted
from orchestrator.measuring.events import MeasurementBegun, MeasurementEnded
from orchestrator.measuring.judge import begin, failed, judge
from orchestrator.node.busy import NodeWatch, Roots
from orchestrator.plan.bench_command import bench_argv, client_target
from orchestrator.plan.sweep import warmup
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.devices import nodes
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.records import MeasurementRecord, RunState
from orchestrator.vllm.client import RESULT_NAME, dialect_of
from orchestrator.vllm.counters import Served
from orchestrator.workload.point import Measurement, Point
from orchestrator.workload.seeds import unseen

SETTLE_S = 30.0
"""How long the server may take to finish earlier requests; after that a measurement begins all the same."""


class Sweep:
    """A sweep that is under way: the driver in the container, and how often the server was started again."""

    def __init__(
        self,
        server: Server,
        profile: Profile,
        bench: Bench,
        directory: RunDirectory,
        tell: Listener,
        driver: Driver | None = None,
    ) -> None:
        """Take over the driver, or start one."""
        self._server = server
        self._target = client_target(profile)
        self._wanted = wanted(profile, bench)
        self._bench = bench
        self.directory = directory
        self._tell = tell
        self._restarts = 0
        self._failure: OrchError | None = None
        """The failure of the server or the driver that must be mended before the next measurement."""
        self._first: Client | None = None
        """The client that the sweep began with."""
        self._warm: dict[str, bool] = {}
        """Warm-ups that the server has had since its start, and whether they were done."""
        self._node = _node_watch(server, profile)
        self.driver = driver or self._new_driver()

    def client(self) -> Client:
        """Return the client once it is ready; start a server that dies before that again, as in the sweep.

        Raises:
            ServerFailed: When the server has died once more than it may be started again.
            BenchmarkFailed, EnvironmentFault: When there is no client that can be used.
        """
        self._failure = self._unready()
        self._recover()
        return self.driver.client()

    def run(self, measurements: Sequence[Measurement]) -> None:
        """Take the measurements in order, each on a warm server, and record each result.

        Raises:
            ServerFailed: When the server has died once more than it may be started again.
            EnvironmentFault: When the client that is in the container then is another one.
        """
        total = len(measurements)
        for index, measurement in enumerate(measurements, start=1):
            self._recover()
            warm = self._warm_up(measurement.point, total)
            self._take(measurement, index, total, warm=warm)

    def _new_driver(self) -> Driver:
        server = self._server
        return Driver(server.member, self._wanted, server.key, server.mask)

    def close(self) -> None:
        """End the driver and what it runs."""
        self.driver.close()

    def _warm_up(self, point: Point, total: int) -> bool | None:
        """Warm the server up once for a point; say whether the warm-up succeeded, or None if the point has none."""
        warmed = warmup(self._bench, point)
        if warmed is None:
            return None
        if warmed.point.id not in self._warm:
            while self._take(warmed, 0, total):
                self._recover()
            record = self.directory.record(warmed.point.id, warmed.repetition)
            self._warm[warmed.point.id] = record is not None and record.state is RunState.DONE
        return self._warm[warmed.point.id]

    def _take(self, measurement: Measurement, index: int, total: int, *, warm: bool | None = None) -> OrchError | None:
        """Take one measurement; return the failure of the server or the driver, if there was one."""
        client = self.driver.client()
        measurement = unseen(measurement, client.sent)
        dialect = dialect_of(client.name, client.vllm_version, client.options)
        container = self._server.member.container
        argv = bench_argv(client.program, self._target, measurement, dialect, client.options, container)
        running = begin(measurement, argv).model_copy(
            update={"warm_before": warm, "client_version": client.vllm_version}
        )
        self.directory.write_record(running)
        self._tell(MeasurementBegun(index, total, running))
        failure: OrchError | None = None
        idle, before = self._server.settle(SETTLE_S)
        self._server.resume_watch()
        self._node.begin(idle=idle)
        try:
            outcome = self.driver.run(
                measurement, running.argv, RESULT_NAME, self._bench.deadline, self._check_progress
            )
        except ServerFailed as error:
            failure = error
            ended = failed(running, first_line(error))
        except (BenchmarkFailed, EngineError) as error:  # the driver, and the way to it, die with its container
            failure = _raised_by(self._server.check_responding) or error
            ended = failed(running, first_line(failure))
        else:
            ended = self._with_server_side(judge(running, measurement, outcome), before, idle=idle)
            self.directory.keep(ended, outcome.result, outcome.log)
            # A client may take what was cut off for complete, so it is always asked.
            done = ended.state is RunState.DONE
            failure = _raised_by(self._server.check_alive if done else self._server.check_responding)
            if failure is not None:
                ended = failed(ended, first_line(failure)).model_copy(update={"metrics": None})
        self.directory.write_record(ended)
        self._tell(MeasurementEnded(index, total, ended))
        self._failure = failure
        if failure is not None:
            self._tell(Failed(failure))
        return failure

    def _check_progress(self) -> None:
        self._server.check_progress(self.driver.client_waits)

    def _with_server_side(
        self, record: MeasurementRecord, before: Served | None, *, idle: bool | None
    ) -> MeasurementRecord:
        after = self._server.served()
        served = None if before is None or after is None or not after.counts else after.since(before)
        peak = self._server.peak_load()
        lost = before is not None and before.counts and (after is None or not after.counts)
        seen = {"served": served, "served_lost": lost, "peak": peak, "node": self._node.end()}
        return record.model_copy(update={"idle_before": idle, **seen})

    def _recover(self) -> None:
        """Replace a failed driver or server; raise the failure if no restart is left."""
        while (failure := self._failure) is not None:
            self.driver.close()
            if self._restarts >= self._bench.restarts:
                raise failure
            self._restarts += 1
            if isinstance(failure, ServerFailed):
                self._server.restart()
                self._warm.clear()
            self.driver = self._new_driver()
            self._failure = self._unready()

    def _unready(self) -> OrchError | None:
        """Wait for the driver; return the server's failure if the server has failed meanwhile."""
        try:
            client = self.driver.client(self._server.check_alive)
        except ServerFailed as error:
            failure = error
        except (BenchmarkFailed, EngineError):  # the driver, and the way to it, die with the server's container
            found = _raised_by(self._server.check_responding)
            if found is None:
                raise
            failure = found
        else:
            self._first = self._first or client
            if not client.measures_as(self._first):
                raise replaced("the client, or the file of its prompts,")
            self._record_mode(client)
            return None
        self._tell(Failed(failure))
        return failure

    def _record_mode(self, client: Client) -> None:
        """Record a change in how clients are started: a new driver may be unable to fork."""
        facts = self.directory.manifest().deployment
        if facts is not None and facts.client_mode is not None and not facts.client_mode.endswith(client.mode):
            mode = f"{facts.client_mode}; later {client.mode}"
            self.directory.update(deployment=facts.model_copy(update={"client_mode": mode}))


def _node_watch(server: Server, profile: Profile) -> NodeWatch:
    """Return what looks at the node around measurements on a server; without the engine's word it sees less."""
    node, container, pid = server.member.node, server.member.container, None
    with contextlib.suppress(EngineError):
        pid = node.engine.pid(container)
    roots = Roots(node.path("/proc"), node.path("/sys/fs/cgroup"))
    sources = [device.source for device in nodes(profile.container.devices)]
    return NodeWatch(container, pid, lambda: device_use(sources, node.path("/sys/class/drm")), roots)


def _raised_by(check: Callable[[], None]) -> ServerFailed | None:
    """Return the failure that a check of the server raises, or None."""
    try:
        check()
    except ServerFailed as failure:
        return failure
    return None


def first_line(error: OrchError) -> str:
    """Return what an error says before its details."""
    return error.message.partition("\n")[0]

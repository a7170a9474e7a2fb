"""Reads sources in the background and records what they say, from the start of a run's measurements to their end.

Each source has a thread, so that one that hangs in the kernel stops no other; one more thread looks after them. Threads
share memory and imports with orch, so that they cost less than a process, and what they wait for lets others run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.metrics.readings import Column, Reading
from orchestrator.telemetry.clock import Clock, started
from orchestrator.telemetry.format import Writer
from orchestrator.telemetry.samples import Gap, Look, Sample, Source

LOOK_S = 1.0
"""How often the threads are looked after, and what was written is handed to the kernel."""
DRIFT_S = 10.0
JOIN_S = 1.0
"""How long the end of a recording waits for readings that are under way."""
SLACK = 0.5
"""Part of a period by which a reading may begin late and count as timely; it may take a whole one."""
DRIFT = Column("drift", "s")


class Recorder:
    """A recording that is under way."""

    def __init__(self, path: Path, find: Callable[[], Sequence[Source]]) -> None:
        """Begin to record.

        Args:
            path: The file; a further section is appended to one that is there.
            find: Returns what is read; called in the background, for a sick driver may make whoever looks wait.
        """
        self.clock = started()
        self._find = find
        self._writer = Writer(path, self.clock)
        self._stop = threading.Event()
        self._lanes: list[_Lane] = []
        self._keeper = threading.Thread(target=self._keep, name="telemetry", daemon=True)
        with contextlib.suppress(RuntimeError):  # a machine that has no thread left
            self._keeper.start()

    def stop(self) -> None:
        """End the recording; a reading that does not end in time is left to itself."""
        self._stop.set()
        end = self.clock.now() + JOIN_S
        for thread in (self._keeper, *(lane.thread for lane in self._lanes)):
            if thread.is_alive():
                thread.join(max(end - self.clock.now(), 0.0))
        self._writer.close(self.clock.now())

    def _keep(self) -> None:
        self._begin()
        drifted = 0.0
        while not self._stop.wait(LOOK_S):
            now = self.clock.now()
            for lane in self._lanes:
                lane.look(now)
            if now >= drifted:
                drifted = now + DRIFT_S
                self._writer.sample("clock", now, Sample("clock", "", {DRIFT: Reading(self.clock.drift_s())}))
            self._writer.flush()

    def _begin(self) -> None:
        try:
            for source in self._find():
                if not self._stop.is_set():
                    self._lanes.append(_Lane(source, self.clock, self._writer, self._stop))
        except Exception as error:
            self._writer.gap("telemetry", self.clock.now(), _broken(error))


class _Lane:
    """One source and the thread that reads it."""

    def __init__(self, source: Source, clock: Clock, writer: Writer, stop: threading.Event) -> None:
        self._source = source
        self._clock = clock
        self._writer = writer
        self._stop = stop
        self._since: float | None = None
        """When the reading that is under way began."""
        self.thread = threading.Thread(target=self._run, name=f"telemetry-{source.name}", daemon=True)
        self.thread.start()

    def look(self, now: float) -> None:
        """Record that a reading takes too long."""
        since = self._since
        if since is not None and now - since > self._source.limit_s:
            self._writer.gap(self._source.name, since, Gap("late"))

    def _run(self) -> None:
        period, due = self._source.period_s, self._clock.now()
        while True:
            begun = self._since = self._clock.now()
            look = self._read()
            ended = self._clock.now()
            self._since = None
            stopped = self._stop.is_set()
            if self._source.last or not stopped:  # what a killed tool says is no gap
                self._record(look, begun, late=begun - due > SLACK * period or ended - begun > period)
            if stopped:
                break
            due += period
            if due < ended:
                due += -(-(ended - due) // period) * period
            if self._stop.wait(max(due - self._clock.now(), 0.0)):
                if not self._source.last:
                    break
                due = self._clock.now()  # the last measurement has just ended, and its counters are known only now
        with contextlib.suppress(Exception):
            self._source.close()

    def _read(self) -> Look:
        try:
            return self._source.read()
        except Exception as error:
            return Look(gaps=(_broken(error),))

    def _record(self, look: Look, at: float, *, late: bool) -> None:
        name = self._source.name
        for sample in look.samples:
            self._writer.sample(name, at, sample, late=late)
        for gap in look.gaps:
            self._writer.gap(name, at, gap)
        self._writer.closed_gaps(name, at, {gap.subject for gap in look.gaps})


def _broken(error: Exception) -> Gap:
    return Gap("broken", f"{type(error).__name__}: {error}"[:200])


@contextlib.contextmanager
def recording(path: Path, find: Callable[[], Sequence[Source]]) -> Iterator[None]:
    """Record while the context lasts; see `Recorder`."""
    recorder = Recorder(path, find)
    try:
        yield
    finally:
        recorder.stop()

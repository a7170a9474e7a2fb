"""A run in memory: manifest and records are read once and appended to; each change is on disk when the call returns.

A run under way is changed by the one process that holds its lock. What another process has changed shows in a run that
is opened anew. What a record speaks of is on disk before it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.causes import Cause
from orchestrator.errors import Busy, UsageError
from orchestrator.files import make_folder, sync_folder, write_atomic
from orchestrator.runs.clock import now
from orchestrator.runs.format.outcome import Interrupted, Measured, Outcome
from orchestrator.runs.format.reading import read_manifest, read_record
from orchestrator.runs.format.records import Manifest, MeasurementRecord, RunState
from orchestrator.runs.layout import ATTEMPT, CLIENT_LOG, LOCK, MANIFEST, PROFILE, RECORD, RESULT, Layout
from orchestrator.text import Text
from orchestrator.workload.point import Measurement

if TYPE_CHECKING:  # a list of runs is made of manifests alone
    from orchestrator.profile.reading.stored import Stored
    from orchestrator.profile.schema.profile import Profile

UNDER_WAY = (RunState.PLANNED, RunState.RUNNING)
_Read = MeasurementRecord | UsageError | None


class Run(Layout):
    """One execution of a sweep, and the directory that holds it."""

    def __init__(self, path: Path) -> None:
        """Take the directory of a run; nothing is read before it is asked for."""
        super().__init__(path)
        self._manifest: Manifest | None = None
        self._records: dict[tuple[str, int], _Read] = {}
        """What was read or written, and what was looked for and is not there."""

    def again(self) -> Run:
        """Return the run as it is on disk now."""
        return Run(self.path)

    def manifest(self) -> Manifest:
        """Return the manifest; raise UsageError for a folder that is no run or whose manifest cannot be read."""
        if self._manifest is None:
            self._manifest = read_manifest(self.path / MANIFEST)
        return self._manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Put the manifest in place."""
        write_atomic(self.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        self._manifest = manifest

    def update(self, **changes: object) -> None:
        """Change fields of the manifest."""
        self.write_manifest(self.manifest().model_copy(update=changes))

    def plan_further(self, further: Iterable[Measurement]) -> None:
        """Add measurements to those that the run consists of."""
        added, manifest = tuple(further), self.manifest()
        self.update(
            points={**manifest.points, **{item.point.id: item.point.parameters() for item in added}},
            measurements=(*manifest.measurements, *((item.point.id, item.repetition) for item in added)),
        )

    def missing(self) -> list[tuple[str, int]]:
        """Return point id and repetition of the measurements that are not done, in the order of the sweep."""
        done = {(record.point, record.repetition) for record in self.records() if isinstance(record.outcome, Measured)}
        return [planned for planned in self.manifest().measurements if planned not in done]

    def set_aside(self, point: str, repetition: int) -> None:
        """Keep what there is of a measurement that is to be taken again, under another name."""
        folder = self.measurement(point, repetition)
        if not folder.exists():
            return
        attempts = len(list(folder.parent.glob(f"{folder.name}{ATTEMPT}*")))
        folder.rename(folder.with_name(f"{folder.name}{ATTEMPT}{attempts + 1}"))
        sync_folder(folder.parent)
        self._records[point, repetition] = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run while the context lasts; raise Busy if another process works on it."""
        file = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    Text("the run {path} is under way in another process", path=self.path.name), "See: orch ps"
                ) from None
            for torn in self.path.rglob(".*.tmp"):  # what a killed process was writing
                torn.unlink(missing_ok=True)
            self._manifest = None  # whoever held it before may have changed it
            self._records.clear()
            yield
        finally:
            os.close(file)

    def stored(self) -> Stored:
        """Return the resolved profile as it was written down, whatever this version asks of a new one."""
        return self._stored

    @functools.cached_property
    def _stored(self) -> Stored:
        from orchestrator.profile.reading.stored import read_stored

        return read_stored(self.path / PROFILE)

    def profile(self) -> Profile:
        """Return the same without what could not be read of it."""
        return self.stored().profile

    def record(self, point: str, repetition: int) -> MeasurementRecord | None:
        """Return the record of a measurement, or None if it has not begun; raise UsageError for one that is torn."""
        found = self._read(point, repetition)
        if isinstance(found, UsageError):
            raise found
        return found

    def keep(self, record: MeasurementRecord, result: bytes | None, log: bytes) -> None:
        """Put what a measurement's client left beside its record; of an earlier attempt nothing stays."""
        folder = make_folder(self.measurement(record.point, record.repetition))
        if result is None:
            (folder / RESULT).unlink(missing_ok=True)
        else:
            write_atomic(folder / RESULT, result)
        write_atomic(folder / CLIENT_LOG, log)

    def write_record(self, record: MeasurementRecord) -> None:
        """Put a measurement's record in place; what it speaks of must be there already."""
        folder = make_folder(self.measurement(record.point, record.repetition))
        write_atomic(folder / RECORD, record.model_dump_json(indent=2) + "\n")
        self._records[record.point, record.repetition] = record

    def records(self) -> list[MeasurementRecord]:
        """Return the records of the sweep in its order, without the warm-up, what has not begun and what is torn."""
        return [record for record in self._all() if isinstance(record, MeasurementRecord)]

    def torn(self) -> list[UsageError]:
        """Return what is wrong with the records that cannot be read; such a measurement is not done."""
        return [record for record in self._all() if isinstance(record, UsageError)]

    def end_measurements(self, outcome: Outcome) -> None:
        """Let measurements that had begun end as their run does."""
        for record in self.records():
            if record.outcome is None:
                self.write_record(record.model_copy(update={"outcome": outcome}))

    def end(self, state: RunState, cause: Cause | None) -> None:
        """Write into the manifest how the run ended, and when."""
        self.update(state=state, cause=cause, ended=now(), done=self.done())

    def interrupt(self, cause: Cause) -> None:
        """Say in the records that the run, and the measurement in it, was interrupted; harmless if it had ended."""
        if self.manifest().state in UNDER_WAY:
            self.end_measurements(Interrupted(cause=cause))
            self.end(RunState.INTERRUPTED, cause)

    def done(self) -> int:
        """Return how many measurements are done."""
        return sum(isinstance(record.outcome, Measured) for record in self.records())

    def unlisted(self) -> list[str]:
        """Return the folders of measurements, below the run's, that the manifest does not name."""
        named = {self.measurement(point, repetition) for point, repetition in self.manifest().measurements}
        others = [path for path in self.path.glob("points/*/r*") if path not in named and ATTEMPT not in path.name]
        return [str(path.relative_to(self.path)) for path in sorted(others) if (path / RECORD).exists()]

    def _all(self) -> Sequence[_Read]:
        return [self._read(point, repetition) for point, repetition in self.manifest().measurements]

    def _read(self, point: str, repetition: int) -> _Read:
        at = (point, repetition)
        if at not in self._records:
            path = self.measurement(point, repetition) / RECORD
            try:
                self._records[at] = read_record(path) if path.exists() else None
            except UsageError as error:
                self._records[at] = error
        return self._records[at]

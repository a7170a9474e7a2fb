"""One run directory: where each thing lies, and the only code that writes into it.

manifest.json                     state and facts of the run
profile.yaml                      the resolved profile
points/<id>/r<n>/record.json      one measurement; result.json is vLLM's own, byte for byte; client.log
warmup/                           the same for the warm-up
logs/server.log                   the server's output
events.jsonl                      what happened, a line for each event; see `orchestrator.runs.journal`
summary.csv                       the table, derived
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.errors import Busy, OutputError, UsageError
from orchestrator.files import is_file, is_open_file, make_folder, sync_folder, write_atomic
from orchestrator.runs.records import Manifest, MeasurementRecord, RunState
from orchestrator.text import Text

if TYPE_CHECKING:  # a list of runs is made of manifests alone
    from orchestrator.profile.reading.stored import Stored
    from orchestrator.profile.schema.profile import Profile

MANIFEST = "manifest.json"
PROFILE = "profile.yaml"
RECORD = "record.json"
RESULT = "result.json"
CLIENT_LOG = "client.log"
LOCK = ".lock"
SET_ASIDE = "Set the folder aside; it is not trusted."

_Model = TypeVar("_Model", bound=BaseModel)


class RunDirectory:
    """A run directory that exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        """Return the folder of logs that belong to no single measurement."""
        return make_folder(self.path / "logs")

    @property
    def server_log(self) -> Path:
        """Return where the server's log lies."""
        return self.logs / "server.log"

    def fresh_server_log(self) -> Path:
        """Return where the log of a further server goes; the log of an earlier one is kept under another name."""
        log = self.server_log
        if log.exists():
            log.rename(log.with_name(f"server-{len(list(self.logs.glob('server-*.log'))) + 1}.log"))
        return log

    @property
    def summary_csv(self) -> Path:
        """Return where the table lies."""
        return self.path / "summary.csv"

    def manifest(self) -> Manifest:
        """Return the manifest; raise UsageError for a folder that is no run or whose manifest cannot be read."""
        return _load(self.path / MANIFEST, Manifest)

    def write_manifest(self, manifest: Manifest) -> None:
        """Put the manifest in place."""
        write_atomic(self.path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")

    def update(self, **changes: object) -> None:
        """Change fields of the manifest."""
        self.write_manifest(self.manifest().model_copy(update=changes))

    def plan_further(self, named: Iterable[tuple[str, int]]) -> None:
        """Add measurements, by point id and repetition, to those that the run consists of."""
        self.update(measurements=(*self.manifest().measurements, *named))

    def missing(self) -> list[tuple[str, int]]:
        """Return point id and repetition of the measurements that are not done, in the order of the sweep."""
        done = {(record.point, record.repetition) for record in self.records() if record.state == RunState.DONE}
        return [planned for planned in self.manifest().measurements if planned not in done]

    def set_aside(self, point: str, repetition: int) -> None:
        """Keep what there is of a measurement that is to be taken again, under another name."""
        folder = self._measurement(point, repetition)
        if not folder.exists():
            return
        attempts = len(list(folder.parent.glob(f"{folder.name}.attempt-*")))
        folder.rename(folder.with_name(f"{folder.name}.attempt-{attempts + 1}"))
        sync_folder(folder.parent)

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
            yield
        finally:
            os.close(file)

    def stored(self) -> Stored:
        """Return the resolved profile as it was written down, whatever this version asks of a new one."""
        from orchestrator.profile.reading.stored import read_stored

        return read_stored(self.path / PROFILE)

    def profile(self) -> Profile:
        """Return the same without what could not be read of it."""
        return self.stored().profile

    def record(self, point: str, repetition: int) -> MeasurementRecord | None:
        """Return the record of a measurement, or None if it has not begun; raise UsageError for one that is torn."""
        path = self._measurement(point, repetition) / RECORD
        return _load(path, MeasurementRecord) if path.exists() else None

    def keep(self, record: MeasurementRecord, result: bytes | None, log: bytes) -> None:
        """Put what a measurement's client left beside its record; of an earlier attempt nothing stays."""
        folder = make_folder(self._measurement(record.point, record.repetition))
        if result is None:
            (folder / RESULT).unlink(missing_ok=True)
        else:
            write_atomic(folder / RESULT, result)
        write_atomic(folder / CLIENT_LOG, log)

    def write_record(self, record: MeasurementRecord) -> None:
        """Put a measurement's record in place; what it speaks of must be there already."""
        folder = make_folder(self._measurement(record.point, record.repetition))
        write_atomic(folder / RECORD, record.model_dump_json(indent=2) + "\n")

    def records(self) -> list[MeasurementRecord]:
        """Return the records of the sweep in its order, without the warm-up, what has not begun and what is torn."""
        return [record for record in self._all() if isinstance(record, MeasurementRecord)]

    def torn(self) -> list[UsageError]:
        """Return what is wrong with the records that cannot be read; such a measurement is not done."""
        return [record for record in self._all() if isinstance(record, UsageError)]

    def end_measurements(self, state: RunState, reason: str) -> None:
        """Let measurements that had begun end as their run does."""
        for record in self.records():
            if record.state is RunState.RUNNING:
                self.write_record(record.model_copy(update={"state": state, "reasons": (reason,)}))

    def end(self, state: RunState, reason: str) -> None:
        """Write into the manifest how the run ended, and when."""
        self.update(state=state, reason=reason, ended=now(), done=self.done())

    def done(self) -> int:
        """Return how many measurements are done."""
        return sum(record.state is RunState.DONE for record in self.records())

    def snapshot(self) -> Snapshot:
        """Return the run as it is now, each of its files read once."""
        return Snapshot(self.path)

    def _all(self) -> Sequence[MeasurementRecord | UsageError | None]:
        return [self._read(point, repetition) for point, repetition in self.manifest().measurements]

    def _read(self, point: str, repetition: int) -> MeasurementRecord | UsageError | None:
        try:
            return self.record(point, repetition)
        except UsageError as error:
            return error

    def unlisted(self) -> list[str]:
        """Return the folders of measurements, below the run's, that the manifest does not name."""
        named = {self._measurement(point, repetition) for point, repetition in self.manifest().measurements}
        others = [path for path in self.path.glob("points/*/r*") if path not in named and ".attempt-" not in path.name]
        return [str(path.relative_to(self.path)) for path in sorted(others) if (path / RECORD).exists()]

    def client_log(self, record: MeasurementRecord) -> Path:
        """Return where the output of a measurement's client lies."""
        return self._measurement(record.point, record.repetition) / CLIENT_LOG

    def _measurement(self, point: str, repetition: int) -> Path:
        inner = ("points", point, f"r{repetition}") if repetition else ("warmup", point)
        return self.path.joinpath(*inner)


class Snapshot(RunDirectory):
    """A run as it was at one moment: what is read of it is read once, so that reports agree with themselves."""

    def manifest(self) -> Manifest:
        """Return the manifest; raise UsageError for a folder that is no run or whose manifest cannot be read."""
        return self._manifest

    def stored(self) -> Stored:
        """Return the resolved profile as it was written down, whatever this version asks of a new one."""
        return self._stored

    def _all(self) -> Sequence[MeasurementRecord | UsageError | None]:
        return self._records

    @functools.cached_property
    def _manifest(self) -> Manifest:
        return super().manifest()

    @functools.cached_property
    def _stored(self) -> Stored:
        return super().stored()

    @functools.cached_property
    def _records(self) -> Sequence[MeasurementRecord | UsageError | None]:
        return super()._all()


def create_run(runs: Path, profile: Profile, manifest: Manifest) -> RunDirectory:
    """Make a run directory; raise OutputError if the folder cannot be written."""
    from orchestrator.profile.dump import dump_profile

    path, making = make_folder(runs) / manifest.id, runs / f".{manifest.id}.new"
    make_folder(making)
    write_atomic(making / PROFILE, dump_profile(profile))
    RunDirectory(making).write_manifest(manifest)
    making.rename(path)
    sync_folder(runs)
    return RunDirectory(path)


def new_run_id(profile: str) -> str:
    """Return an id that sorts by time and does not repeat, such as `20261124-031500-cpu-tiny-3f9a`."""
    return f"{dt.datetime.now(dt.timezone.utc):%Y%m%d-%H%M%S}-{profile}-{os.urandom(2).hex()}"


def now() -> str:
    """Return the time in UTC as ISO 8601."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds")


def list_runs(runs: Path) -> list[RunDirectory]:
    """Return the runs in a folder, newest last."""
    if not runs.is_dir():
        return []
    folders = sorted(runs.iterdir(), key=lambda folder: folder.name)
    return [RunDirectory(folder) for folder in folders if is_open_file(folder / MANIFEST)]


def find_run(runs: Path, name: str | None) -> RunDirectory:
    """Return a run by its id, the beginning of it, or its path; without a name the newest. Raise UsageError."""
    if name and os.sep in name:
        found = [RunDirectory(Path(name).absolute())] if is_file(Path(name) / MANIFEST) else []
    else:
        found = [run for run in list_runs(runs) if run.path.name.startswith(name or "")]
        exact = [run for run in found if run.path.name == name]
        found = exact or (found if name else found[-1:])
    if len(found) == 1:
        settle(found[0].path)
        return found[0]
    if not found:
        raise UsageError(
            Text("there is no run {name} in {runs}", name=name or "yet", runs=runs), "See: orch results list"
        )
    raise UsageError(
        Text(
            "{count} runs begin with '{name}': {found}",
            count=len(found),
            name=name,
            found=", ".join(run.path.name for run in found),
        ),
        "Say more of the id.",
    )


def settle(run: Path) -> Manifest:
    """Say in the record of a run that nobody works on any more that it was interrupted; return the record.

    That is so when orch and its watchdog were killed in the same instant, or orch before it had a watchdog.
    """
    directory = RunDirectory(run)
    manifest = directory.manifest()
    if manifest.state not in (RunState.PLANNED, RunState.RUNNING):
        return manifest
    with contextlib.suppress(Busy, OutputError, OSError), directory.locked():
        mark_interrupted(run, "orch was killed")
    return directory.manifest()


def mark_interrupted(run: Path, reason: str) -> None:
    """Say in the record that a run, and the measurement in it, was interrupted; harmless if it had ended."""
    directory = RunDirectory(run)
    if directory.manifest().state not in (RunState.PLANNED, RunState.RUNNING):
        return
    directory.end_measurements(RunState.INTERRUPTED, reason)
    directory.end(RunState.INTERRUPTED, reason)


def _load(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            Text("{path} cannot be read: {strerror}", path=path, strerror=error.strerror),
            "Is this a run directory?  See: orch results list",
        ) from error
    except ValidationError as error:
        faults = error.errors(include_url=False)
        if faults[0]["type"] == "json_invalid":
            raise UsageError(Text("{path} is torn: {msg}", path=path, msg=faults[0]["msg"]), SET_ASIDE) from error
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in faults)
        raise UsageError(
            Text("{path} is not what this version of orch writes: {wrong}", path=path, wrong=wrong), SET_ASIDE
        ) from error

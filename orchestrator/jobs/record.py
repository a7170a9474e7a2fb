"""Keeps the record of a run: whatever ends the run, its manifest says so."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator import __version__
from orchestrator.errors import Interrupted, OrchError, OutputError
from orchestrator.files import write_atomic
from orchestrator.jobs.events import RunOpened
from orchestrator.jobs.places import Place
from orchestrator.node.facts import dataset_facts, node_facts
from orchestrator.node.node import Node
from orchestrator.plan.container import profile_hash
from orchestrator.plan.suits import bench_of
from orchestrator.plan.sweep import sweep
from orchestrator.plan.variants import Variant
from orchestrator.plan.weakening import weakenings
from orchestrator.profile.schema.profile import Profile
from orchestrator.report.table import summary_csv
from orchestrator.runs.directory import RunDirectory, create_run, new_run_id, now
from orchestrator.runs.records import Manifest, RunKind, RunState
from orchestrator.vllm.flags import lookup, tensor_parallel_size


def make_run(runs: Path, profile: Profile, node: Node, kind: RunKind = RunKind.SWEEP) -> RunDirectory:
    """Make the run directory of a planned run; a search does not know beforehand what it will measure."""
    return create_run(runs, profile, _manifest(new_run_id(profile.name), profile, node, kind))


def make_study(
    runs: Path, chosen: Sequence[Variant], node: Node, kind: RunKind = RunKind.SWEEP
) -> tuple[RunDirectory, ...]:
    """Make the run directories of the variants of a profile, all of them planned; their ids begin with the study's."""
    study = new_run_id(chosen[0].profile.name)
    width = max(2, len(str(len(chosen))))
    opened = []
    for number, variant in enumerate(chosen, start=1):
        manifest = _manifest(f"{study}-{number:0{width}}", variant.profile, node, kind)
        manifest = manifest.model_copy(update={"study": study, "varied": variant.varied})
        opened.append(create_run(runs, variant.profile, manifest))
    return tuple(opened)


def _manifest(run_id: str, profile: Profile, node: Node, kind: RunKind) -> Manifest:
    bench = bench_of(profile)
    planned = sweep(bench) if kind is RunKind.SWEEP else ()
    flags = profile.server.flags
    return Manifest(
        id=run_id,
        state=RunState.PLANNED,
        orch_version=__version__,
        profile=profile.name,
        profile_hash=profile_hash(profile),
        created=now(),
        tensor_parallel_size=tensor_parallel_size(flags),
        dtype=str(lookup(flags, "dtype") or "auto"),
        node=node_facts(node),
        kind=kind,
        dataset=dataset_facts(node, bench.dataset),
        measurements=tuple((item.point.id, item.repetition) for item in planned),
        warnings=tuple(weakenings(profile.container)),
    )


@contextlib.contextmanager
def opened(place: Place, make: Callable[[], RunDirectory]) -> Iterator[RunDirectory]:
    """Make or find a run that is by itself, hold it and keep its record while the context lasts."""
    directory = make()
    with directory.locked(), recorded(place, directory):
        yield directory


@contextlib.contextmanager
def recorded(place: Place, directory: RunDirectory) -> Iterator[None]:
    """Keep the journal of a run, and write into its manifest how it ended, whatever ended it, and what is done."""
    with place.journal.of(directory), _ending(directory):
        place.tell(RunOpened(directory))
        yield


@contextlib.contextmanager
def _ending(directory: RunDirectory) -> Iterator[None]:
    try:
        yield
    except Interrupted as interruption:
        with contextlib.suppress(OutputError):  # what stopped it is what counts
            finish(directory, RunState.INTERRUPTED, f"orch received {signal.Signals(interruption.signum).name}")
        raise
    except OrchError as error:
        with contextlib.suppress(OutputError):
            finish(directory, RunState.FAILED, error.message)
        raise
    except BaseException as error:
        finish(directory, RunState.FAILED, f"orch itself failed: {type(error).__name__}: {error}")
        raise
    missing = directory.missing() if directory.manifest().kind is RunKind.SWEEP else ()
    if missing:
        total = len(directory.manifest().measurements)
        finish(directory, RunState.FAILED, f"{len(missing)} of {total} measurements are not done")
    else:
        finish(directory, RunState.DONE)


def finish(directory: RunDirectory, state: RunState, reason: str = "") -> None:
    """Write the end of a run into its record, and the table of what is done."""
    directory.end_measurements(state, reason)
    write_atomic(directory.summary_csv, summary_csv(directory.snapshot()))
    directory.end(state, reason)

"""Keeps the record of a run: whatever ends the run, its manifest says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator import __version__
from orchestrator.causes import Cause
from orchestrator.errors import Interrupted, OrchError, OutputError, cause_of
from orchestrator.files import write_atomic
from orchestrator.jobs.events import RunOpened
from orchestrator.jobs.places import Place
from orchestrator.measuring.run import fingerprints
from orchestrator.node.facts import dataset_facts, node_facts
from orchestrator.node.node import Node
from orchestrator.plan.container import profile_hash
from orchestrator.plan.suits import bench_of
from orchestrator.plan.sweep import sweep
from orchestrator.plan.variants import Variant
from orchestrator.plan.weakening import weakened
from orchestrator.profile.schema.profile import Profile
from orchestrator.report.table import summary_csv
from orchestrator.results.validity import RULES
from orchestrator.runs.clock import now
from orchestrator.runs.directory import create_run, new_run_id
from orchestrator.runs.format.outcome import Failed
from orchestrator.runs.format.outcome import Interrupted as Cut
from orchestrator.runs.format.records import Manifest, RunKind, RunState
from orchestrator.runs.run import Run
from orchestrator.vllm.flags import lookup, tensor_parallel_size


def make_run(runs: Path, profile: Profile, node: Node, kind: RunKind = RunKind.SWEEP) -> Run:
    """Make the run directory of a planned run; a search does not know beforehand what it will measure."""
    return create_run(runs, profile, _manifest(new_run_id(profile.name), profile, node, kind))


def make_study(runs: Path, chosen: Sequence[Variant], node: Node, kind: RunKind = RunKind.SWEEP) -> tuple[Run, ...]:
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
        points={item.point.id: item.point.parameters() for item in planned},
        measurements=tuple((item.point.id, item.repetition) for item in planned),
        warnings=tuple(weakened(profile.container)),
        fingerprints=fingerprints(profile),
        rules=RULES,
    )


@contextlib.contextmanager
def opened(place: Place, make: Callable[[], Run]) -> Iterator[Run]:
    """Make or find a run that is by itself, hold it and keep its record while the context lasts."""
    directory = make()
    with directory.locked(), recorded(place, directory):
        yield directory


@contextlib.contextmanager
def recorded(place: Place, directory: Run) -> Iterator[None]:
    """Keep the journal of a run, and write into its manifest how it ended, whatever ended it, and what is done."""
    with place.journal.of(directory), _ending(directory):
        place.tell(RunOpened(directory))
        yield


@contextlib.contextmanager
def _ending(directory: Run) -> Iterator[None]:
    try:
        yield
    except (Interrupted, OrchError) as error:
        with contextlib.suppress(OutputError):  # what stopped it is what counts
            finish(directory, cause_of(error), interrupted=isinstance(error, Interrupted))
        raise
    except BaseException as error:
        finish(directory, cause_of(error))
        raise
    missing = directory.missing() if directory.manifest().kind is RunKind.SWEEP else ()
    if missing:
        total = len(directory.manifest().measurements)
        finish(directory, Cause("measurements-missing", {"missing": len(missing), "total": total}))
    else:
        finish(directory)


def finish(directory: Run, cause: Cause | None = None, *, interrupted: bool = False) -> None:
    """Write the end of a run into its record, and the table of what is done; without a cause it is done."""
    state = RunState.DONE
    if cause is not None:
        state = RunState.INTERRUPTED if interrupted else RunState.FAILED
        directory.end_measurements(Cut(cause=cause) if interrupted else Failed(causes=(cause,)))
    write_atomic(directory.summary_csv, summary_csv(directory))
    directory.end(state, cause)

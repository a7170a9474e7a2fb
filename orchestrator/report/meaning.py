"""What a run comes to: the exit code that it stands for, and whether it helps to go on with it."""

from __future__ import annotations

from orchestrator.errors import ExitCode
from orchestrator.report.remarks import missed_objectives
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import RunKind, RunState
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study

WORST_FIRST = (ExitCode.RUN_FAILED, ExitCode.INVALID, ExitCode.OBJECTIVE_MISSED, ExitCode.OK)


def exit_code(directory: Run) -> ExitCode:
    """Return what a run that was carried through comes to: failed, INVALID, an objective missed, or all well."""
    records = directory.records()
    failed = [record for record in records if not isinstance(record.outcome, Measured)]
    if len(records) < len(directory.manifest().measurements) or any(record.metrics is None for record in failed):
        return ExitCode.RUN_FAILED
    if failed:
        return ExitCode.INVALID
    return ExitCode.OBJECTIVE_MISSED if missed_objectives(directory) else ExitCode.OK


def exit_code_of_study(study: Study) -> ExitCode:
    """Return the worst exit code of a study's runs."""
    return min(map(exit_code, study.runs), key=WORST_FIRST.index)


def can_go_on(directory: Run) -> bool:
    """Say whether it helps to go on with a run that misses measurements.

    A run whose server failed before anything was measured would fail the same way: its profile stays as it is. What a
    search would measure next depends on what it has, so it is not gone on with.
    """
    manifest = directory.manifest()
    if manifest.kind is not RunKind.SWEEP or not directory.missing():
        return False
    return bool(directory.records()) or manifest.state is not RunState.FAILED

"""A study: the runs that one command makes of the variants of a profile; their ids begin with the study's.

Each run is complete by itself. That they belong together, and what sets them apart, their manifests say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.runs.directory import find_run, list_runs, settle
from orchestrator.runs.run import Run


@dataclass(frozen=True)
class Study:
    """A study with its runs, in the order in which they are made."""

    id: str
    runs: tuple[Run, ...]


def find(runs: Path, name: str | None) -> Run | Study:
    """Return the run or the study of an id, the beginning of one, or a path; without a name the newest.

    Raises:
        UsageError: When nothing has that name, or several do.
    """
    return _study_meant(runs, name) or find_run(runs, name)


def study_of(run: Run) -> str | None:
    """Return the id of the study that a run belongs to; None if to none, or if its manifest cannot be read."""
    try:
        return run.manifest().study
    except UsageError:
        return None


def _study_meant(runs: Path, name: str | None) -> Study | None:
    """Return the study whose id begins with a name, if no run outside of it is called like that."""
    if name and os.sep in name:
        return None
    listed = list_runs(runs)
    meant = [run for run in listed if run.path.name.startswith(name)] if name else listed[-1:]
    studies = {study_of(run) for run in meant}
    study = studies.pop() if len(studies) == 1 else None
    if study is None or not study.startswith(name or ""):
        return None
    members = tuple(run for run in listed if run.path.name.startswith(study) and study_of(run) == study)
    for run in members:
        settle(run)
    return Study(study, members)

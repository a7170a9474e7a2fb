"""Run directories by their names: one is made, found, listed, or told that nobody works on it any more."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.causes import Cause
from orchestrator.errors import Busy, OutputError, UsageError
from orchestrator.files import is_file, is_open_file, make_folder, sync_folder, write_atomic
from orchestrator.runs.format.records import Manifest
from orchestrator.runs.layout import MANIFEST, PROFILE
from orchestrator.runs.run import UNDER_WAY, Run
from orchestrator.text import Text

if TYPE_CHECKING:  # a list of runs is made of manifests alone
    from orchestrator.profile.schema.profile import Profile


def create_run(runs: Path, profile: Profile, manifest: Manifest) -> Run:
    """Make a run directory; raise OutputError if the folder cannot be written."""
    from orchestrator.profile.dump import dump_profile

    path, making = make_folder(runs) / manifest.id, runs / f".{manifest.id}.new"
    make_folder(making)
    write_atomic(making / PROFILE, dump_profile(profile))
    Run(making).write_manifest(manifest)
    making.rename(path)
    sync_folder(runs)
    return Run(path)


def new_run_id(profile: str) -> str:
    """Return an id that sorts by time and does not repeat, such as `20261124-031500-cpu-tiny-3f9a`."""
    return f"{dt.datetime.now(dt.timezone.utc):%Y%m%d-%H%M%S}-{profile}-{os.urandom(2).hex()}"


def list_runs(runs: Path) -> list[Run]:
    """Return the runs in a folder, newest last."""
    if not runs.is_dir():
        return []
    folders = sorted(runs.iterdir(), key=lambda folder: folder.name)
    return [Run(folder) for folder in folders if is_open_file(folder / MANIFEST)]


def find_run(runs: Path, name: str | None) -> Run:
    """Return a run by its id, the beginning of it, or its path; without a name the newest. Raise UsageError."""
    if name and os.sep in name:
        found = [Run(Path(name).absolute())] if is_file(Path(name) / MANIFEST) else []
    else:
        found = [run for run in list_runs(runs) if run.path.name.startswith(name or "")]
        exact = [run for run in found if run.path.name == name]
        found = exact or (found if name else found[-1:])
    if len(found) == 1:
        settle(found[0])
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


def settle(run: Run) -> Manifest:
    """Say in the record of a run that nobody works on any more that it was interrupted; return the record.

    That is so when orch and its watchdog were killed in the same instant, or orch before it had a watchdog.
    """
    if run.manifest().state in UNDER_WAY:
        with contextlib.suppress(Busy, OutputError, OSError), run.locked():
            run.interrupt(Cause("orch-killed"))
    return run.manifest()

"""What orch says of the golden runs: asked in this process, on a copy, and kept in files beside them.

The one field that differs from place to place, the folder of the runs, is written as `/golden/runs`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from orchestrator.cli.app import orch
from orchestrator.errors import UsageError
from orchestrator.measuring.resume import check_can_go_on, is_complete
from orchestrator.plan.sweep import measurements
from orchestrator.runs.directory import list_runs
from orchestrator.runs.format.records import RunKind
from orchestrator.runs.run import Run

HERE = Path(__file__).parent
RUNS, EXPECTED = HERE / "runs", HERE / "expected"
PLACE = "/golden/runs"


def copied(to: Path) -> Path:
    """Return a copy of the runs that may be written into."""
    return Path(shutil.copytree(RUNS, to / "runs"))


def names() -> list[str]:
    """Return the ids of all runs and studies."""
    runs = [path.name for path in sorted(RUNS.iterdir())]
    manifests = [json.loads((RUNS / run / "manifest.json").read_bytes()) for run in runs]
    return sorted({*runs, *filter(None, (manifest.get("study") for manifest in manifests))})


def commands() -> dict[str, tuple[str, ...]]:
    """Return each command, by the name of the file that holds what it says."""
    made: dict[str, tuple[str, ...]] = {"list.txt": ("list",), "list.json": ("list", "--json")}
    for name in names():
        made[f"{name}/show.txt"] = ("show", name)
        made[f"{name}/show.json"] = ("show", name, "--json")
        made[f"{name}/wide.csv"] = ("csv", name)
        made[f"{name}/guide.csv"] = ("csv", name, "--guide")
    return made


def said(runs: Path, words: tuple[str, ...]) -> str:
    """Return what `orch results` says: standard output, and where people read it, standard error below a line."""
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environ = mock.patch.dict(os.environ, {**kept, "ORCH_RUNS_DIR": str(runs)}, clear=True)
    with environ, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        orch.main(["results", *words], standalone_mode=False)
    remarks = f"---- standard error\n{err.getvalue()}" if words[0] == "show" and "--json" not in words else ""
    return (out.getvalue() + remarks).replace(str(runs), PLACE)


def going_on(runs: Path, run: str) -> object:
    """Return what going on with a run would take, in its order, or why it cannot be gone on with."""
    directory = Run(runs / run)
    profile = directory.profile()
    if directory.manifest().kind is not RunKind.SWEEP:
        return "a search"
    if is_complete(directory):
        return []
    try:
        check_can_go_on(directory)
    except UsageError as error:
        return [line.replace(str(runs), PLACE) for line in (*error.message.splitlines(), error.hint)]
    assert profile.bench is not None
    planned = measurements(profile.bench, directory.missing())
    return [
        {"point": item.point.id, "repetition": item.repetition, "seed": item.seed, "label": item.point.label()}
        for item in planned
    ]


def all_said(runs: Path) -> dict[str, str]:
    """Return everything that is said of the golden runs, by the file that holds it."""
    resume = {directory.path.name: going_on(runs, directory.path.name) for directory in list_runs(runs)}
    texts = {file: said(runs, words) for file, words in commands().items()}
    return {**texts, "resume.json": json.dumps(resume, ensure_ascii=False, indent=2) + "\n"}


def write_expected() -> None:
    """Put what is said now in the place of what was expected."""
    with tempfile.TemporaryDirectory() as folder:
        texts = all_said(copied(Path(folder)))
    shutil.rmtree(EXPECTED, ignore_errors=True)
    for name, text in texts.items():
        path = EXPECTED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")

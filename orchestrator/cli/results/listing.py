"""`orch results list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cli.grid import Grid
from orchestrator.cli.output import emit, emit_json, emit_table
from orchestrator.cli.settings import settings
from orchestrator.report.listed import runs_data
from orchestrator.runs.directory import list_runs


def list_(as_json: bool) -> None:
    """List the runs, newest last."""
    rows = runs_data(list_runs(settings().runs))
    if as_json:
        emit_json("runs", {"runs": rows})
    elif rows:
        emit_table(runs_table(rows))
    else:
        emit(f"no runs in {settings().runs}")


def runs_table(rows: Sequence[Mapping[str, Any]]) -> Grid:
    """Return the table of runs."""
    studies = any(row.get("study") for row in rows)
    headings = ("run", "profile", *(["study", "varied"] if studies else []), "state", "done", "created", "reason")
    shown = []
    for row in rows:
        done = f"{row['done']}/{row['planned']}" if "done" in row else "-"
        marks = _marks(row) if studies else ()
        created, cause = row.get("created", "-")[:19], row["cause"]
        reason = cause["text"] if cause else ""
        cells = (row["id"], row.get("profile", "-"), *marks, row["state"], done, created, reason)
        shown.append(cells)
    return Grid(headings, shown)


def _marks(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the study that a run belongs to, and what sets it apart there."""
    from orchestrator.plan.naming import label  # takes the schema of profiles, which a list is not about

    return row.get("study") or "-", label(row.get("varied") or {}) or "-"

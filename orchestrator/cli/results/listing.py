"""`orch results list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import emit, emit_json, emit_table
from orchestrator.cli.settings import settings
from orchestrator.plan.variants import label
from orchestrator.report.data import runs_data
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


def runs_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of runs."""
    studies = any(row.get("study") for row in rows)
    headings = ("run", "profile", *(["study", "varied"] if studies else []), "state", "done", "created", "reason")
    table = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        done = f"{row['done']}/{row['planned']}" if "done" in row else "-"
        reason = str(row["reason"]).partition("\n")[0]
        marks = [row.get("study") or "-", label(row.get("varied") or {}) or "-"] if studies else []
        cells = (row["id"], row.get("profile", "-"), *marks, row["state"], done, row.get("created", "-")[:19], reason)
        table.add_row(*map(Text, cells))
    return table

"""`orch results list`."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.output import emit, emit_json, emit_table
from orchestrator.cli.settings import settings
from orchestrator.cli.tables import runs_table
from orchestrator.report.data import runs_data
from orchestrator.runs.directory import list_runs


@click.command("list")
@options.json_output
def list_(as_json: bool) -> None:
    """List the runs, newest last."""
    rows = runs_data(list_runs(settings().runs))
    if as_json:
        emit_json("runs", {"runs": rows})
    elif rows:
        emit_table(runs_table(rows))
    else:
        emit(f"no runs in {settings().runs}")

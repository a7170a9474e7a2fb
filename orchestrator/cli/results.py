"""`orch results`: the runs that were made, and their numbers."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings

run_argument = click.argument(
    "run",
    metavar="[RUN]",
    required=False,
    shell_complete=lambda _ctx, _param, incomplete: options.complete_run(incomplete),
)


@click.group()
def results() -> None:
    """List runs, show their results, write them as CSV.

    RUN is a run's id, the beginning of one, or its path; without it the newest run is meant.
    """


@results.command("list")
@options.json_output
def list_(as_json: bool) -> None:
    """List the runs, newest last."""
    from orchestrator.cli.output import emit, emit_json, emit_table
    from orchestrator.errors import UsageError
    from orchestrator.runs.directory import list_runs, settle
    from orchestrator.runs.records import RunState

    rows: list[dict[str, Any]] = []
    for run in list_runs(settings().runs):
        try:
            settle(run.path)
            manifest, records = run.manifest(), run.records()
        except UsageError as error:
            rows.append({"id": run.path.name, "state": "unreadable", "reason": error.message})
            continue
        rows.append(
            {
                "id": manifest.id,
                "profile": manifest.profile,
                "state": manifest.state.value,
                "reason": manifest.reason,
                "created": manifest.created,
                "done": sum(record.state == RunState.DONE for record in records),
                "planned": len(manifest.measurements),
                "path": str(run.path),
            }
        )
    if as_json:
        emit_json("runs", {"runs": rows})
    elif rows:
        emit_table(_runs_table(rows))
    else:
        emit(f"no runs in {settings().runs}")


@results.command()
@run_argument
@options.json_output
def show(run: str | None, as_json: bool) -> None:
    """Show the results of a run."""
    from orchestrator.cli.output import say
    from orchestrator.cli.report import show_run
    from orchestrator.runs.directory import find_run

    directory = find_run(settings().runs, run)
    show_run(directory, as_json=as_json)
    say(f"run: {directory.path}")


@results.command("csv")
@run_argument
@click.option("--guide", is_flag=True, help="Only the ten columns of the DCU guide, under its names and in its order.")
def csv_(run: str | None, guide: bool) -> None:
    """Write the results of a run as CSV, everything in one wide table."""
    from orchestrator.report.table import guide_csv, summary_csv
    from orchestrator.runs.directory import find_run

    directory = find_run(settings().runs, run)
    click.echo(guide_csv(directory) if guide else summary_csv(directory), nl=False)


def _runs_table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - rich is imported only where a table is made
    from rich import box
    from rich.table import Table

    table = Table("run", "profile", "state", "done", "created", "reason", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        done = f"{row['done']}/{row['planned']}" if "done" in row else "-"
        reason = str(row["reason"]).partition("\n")[0]
        table.add_row(row["id"], row.get("profile", "-"), row["state"], done, row.get("created", "-")[:19], reason)
    return table

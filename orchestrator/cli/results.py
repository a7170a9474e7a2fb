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

    RUN is the id of a run or of a study, the beginning of one, or a run's path; without it the newest is meant. A
    study is all runs that one command made of the variants of a profile.
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
                "study": manifest.study,
                "varied": manifest.varied,
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
    """Show the results of a run, or of a study in one table."""
    from orchestrator.cli.output import say
    from orchestrator.cli.report import ending, show_run
    from orchestrator.cli.study_report import show_study
    from orchestrator.runs.study import Study, find

    found = find(settings().runs, run)
    if isinstance(found, Study):
        show_study(found, as_json=as_json)
        say(f"study: {found.id}")
    else:
        show_run(found, as_json=as_json)
        for line in ending(found.manifest()):
            say(line)
        say(f"run: {found.path}")


@results.command("csv")
@run_argument
@click.option("--guide", is_flag=True, help="Only the ten columns of the DCU guide, under its names and in its order.")
def csv_(run: str | None, guide: bool) -> None:
    """Write the results of a run or a study as CSV, everything in one wide table."""
    from orchestrator.cli.output import say
    from orchestrator.cli.report import ending
    from orchestrator.report.table import guide_csv, study_csv, study_guide_csv, summary_csv
    from orchestrator.runs.study import Study, find

    found = find(settings().runs, run)
    if isinstance(found, Study):
        text = study_guide_csv(found) if guide else study_csv(found)
    else:
        text = guide_csv(found) if guide else summary_csv(found)
        for line in ending(found.manifest()):
            say(line)
    click.echo(text, nl=False)


def _runs_table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - rich is imported only where a table is made
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from orchestrator.plan.variants import label

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

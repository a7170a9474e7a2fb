"""`orch results`: the runs that were made, and their numbers."""

from __future__ import annotations

import click

from orchestrator.cli.lazy import LazyGroup

COMMANDS = {
    "csv": (
        "orchestrator.cli.results.csv:csv_",
        "Write the results of a run or a study as CSV, everything in one wide table.",
    ),
    "list": ("orchestrator.cli.results.listing:list_", "List the runs, newest last."),
    "show": ("orchestrator.cli.results.showing:show", "Show the results of a run, or of a study in one table."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def results() -> None:
    """List runs, show their results, write them as CSV.

    RUN is the id of a run or of a study, the beginning of one, or a run's path; without it the newest is meant. A
    study is all runs that one command made of the variants of a profile.
    """

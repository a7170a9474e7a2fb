"""`orch results csv`."""

from __future__ import annotations

import click

from orchestrator.cli.output import say
from orchestrator.cli.settings import settings
from orchestrator.report.remarks import ending
from orchestrator.report.table import guide_csv, study_csv, study_guide_csv, summary_csv
from orchestrator.runs.study import Study, find


def csv_(run: str | None, guide: bool) -> None:
    """Write the results of a run or a study as CSV, everything in one wide table."""
    found = find(settings().runs, run)
    if isinstance(found, Study):
        text = study_guide_csv(found) if guide else study_csv(found)
    else:
        text = guide_csv(found) if guide else summary_csv(found)
        for line in ending(found.manifest()):
            say(line)
    click.echo(text, nl=False)

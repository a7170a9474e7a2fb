"""`orch results show`."""

from __future__ import annotations

from orchestrator.cli.output import say
from orchestrator.cli.settings import settings
from orchestrator.cli.show import show as show_results
from orchestrator.report.remarks import ending
from orchestrator.runs.study import Study, find


def show(run: str | None, as_json: bool) -> None:
    """Show the results of a run, or of a study in one table."""
    found = find(settings().runs, run)
    show_results(found, as_json=as_json)
    if isinstance(found, Study):
        say(f"study: {found.id}")
        return
    for line in ending(found.manifest()):
        say(line)
    say(f"run: {found.path}")

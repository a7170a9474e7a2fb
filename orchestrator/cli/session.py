"""One command that works: under signals, with a live line, and with what was measured shown if it is cut short."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from orchestrator.cli.live import Live
from orchestrator.cli.settings import settings
from orchestrator.errors import Interrupted, OrchError, RunFailed
from orchestrator.events import Event
from orchestrator.interruption import Interruption
from orchestrator.jobs.events import RunOpened, StudyOpened
from orchestrator.jobs.places import Place, place
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study

if TYPE_CHECKING:  # few commands search
    from orchestrator.measuring.found import Found
    from orchestrator.measuring.search import SearchCutShort


class _Last:
    """A listener that knows what is under way."""

    def __init__(self) -> None:
        self.found: Run | Study | None = None
        self.searched: Found | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, StudyOpened):
            self.found = event.study
        elif isinstance(event, RunOpened) and not isinstance(self.found, Study):
            self.found = event.run
        elif event.id == "search-cut-short":
            self.searched = cast("SearchCutShort", event).found


@contextlib.contextmanager
def session(*, quiet: bool, as_json: bool) -> Iterator[Place]:
    """Yield this node, its engine swept of what nobody wants any more.

    If the work fails or is interrupted, what was measured is shown once everything is torn down and let go.
    """
    last = _Last()
    try:
        with Interruption() as interruption, Live(quiet=quiet).shown() as live:

            def tell(event: Event) -> None:
                last(event)
                live(event)

            with place(settings(), tell, interruption) as here:
                yield here
    except (OrchError, Interrupted) as error:
        whole = isinstance(last.found, Study) or isinstance(error, RunFailed | Interrupted)
        if last.found is not None and whole:
            from orchestrator.cli.show import show_cut_short

            show_cut_short(last.found, last.searched, as_json=as_json)
        raise

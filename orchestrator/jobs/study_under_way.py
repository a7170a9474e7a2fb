"""A study under way: one run after the other, each on a server of its own; a run that fails does not end the others.

All runs are on disk as planned before the first server starts, and held until the end. Whatever ends a study early is
recorded in the runs that had not begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType

from typing_extensions import Self

from orchestrator.causes import Cause, nested
from orchestrator.errors import (
    Busy,
    ContainerGone,
    EngineError,
    EngineRefusal,
    ImageMissing,
    OrchError,
    OutputError,
    TeardownIncomplete,
    cause_of,
)
from orchestrator.events import Failed
from orchestrator.jobs.events import StudyOpened, VariantBegun
from orchestrator.jobs.places import Place
from orchestrator.jobs.record import finish, recorded
from orchestrator.runs.format.records import RunState
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study


class StudyUnderWay:
    """The runs of a study while it goes on."""

    def __init__(self, place: Place, make: Callable[[], Sequence[Run]]) -> None:
        """Take the function that makes or finds the runs; it is called once the first server can be launched."""
        self._place = place
        self._make = make
        self._runs: tuple[Run, ...] = ()
        self._held = contextlib.ExitStack()
        self._opened: set[int] = set()

    def __enter__(self) -> Self:
        """Begin; nothing is made yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the runs; after an error those that were not begun are interrupted by it."""
        with self._held, contextlib.suppress(OutputError):  # what ended the study is what counts
            if error is None:
                return
            for run in self._runs:
                if run.manifest().state is RunState.PLANNED:
                    run.interrupt(Cause("not-begun", {"cause": nested(cause_of(error))}))

    @property
    def begun(self) -> tuple[Run, ...]:
        """Return the runs, or none before they are made and held."""
        return self._runs

    def made(self) -> tuple[Run, ...]:
        """Return the runs, made and held from now on; raise Busy if another process works on one of them."""
        if not self._runs:
            runs = tuple(self._make())
            for run in runs:
                self._held.enter_context(run.locked())
            self._runs = runs  # ours only now, with all of them held
            self._place.tell(StudyOpened(as_study(runs)))
        return self._runs

    @contextlib.contextmanager
    def opened(self, index: int) -> Iterator[Run]:
        """Keep the record of one run while the context lasts."""
        run = self.made()[index]
        self._opened.add(index)
        with recorded(self._place, run):
            yield run

    def each(self, todo: Mapping[int, str], take: Callable[[int], None]) -> None:
        """Take runs one after the other, and go on after one that failed by itself.

        Args:
            todo: Which runs, each with what sets it apart.
            take: Brings one to its end, recorded in `opened`.

        Raises:
            OrchError: What would fail the other runs too.
            Interrupted: When a signal came, also during a teardown.
        """
        place = self._place
        for number, (index, label) in enumerate(todo.items(), start=1):
            place.interruption.rearm()
            place.tell(VariantBegun(number, len(todo), label))
            try:
                take(index)
            except OrchError as error:
                if _fails_all(error):
                    raise
                if index not in self._opened:
                    finish(self.made()[index], error.cause)
                place.tell(Failed(error))
        place.interruption.rearm()


def as_study(runs: Sequence[Run]) -> Study:
    """Return the study that these runs are."""
    return Study(str(runs[0].manifest().study), tuple(runs))


def _fails_all(error: OrchError) -> bool:
    """Say whether an error is about the node or the engine rather than about what one variant asks of them."""
    own = isinstance(error, ImageMissing | EngineRefusal | ContainerGone)
    return isinstance(error, Busy | TeardownIncomplete | OutputError) or (isinstance(error, EngineError) and not own)

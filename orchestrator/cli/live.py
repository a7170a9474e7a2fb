"""What a person sees while orch works: a live line with the time left on a terminal, plain lines elsewhere.

All of it goes to standard error.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from orchestrator.cli.output import say
from orchestrator.deployment.launch import FlagDoubted
from orchestrator.errors import OrchError
from orchestrator.events import Event, Failed, Waiting
from orchestrator.jobs.events import AlreadyUp, NothingMissing, TornDown, VariantBegun
from orchestrator.measuring.events import ClientNotAsked, ClientsApart, MeasurementBegun, MeasurementEnded
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import MeasurementRecord
from orchestrator.units import format_duration
from orchestrator.vllm.phases import Phase, PhaseReached

if TYPE_CHECKING:  # rich is for terminals, a search for few commands; both would be a part of what a start imports
    from rich.progress import Progress, TaskID

    from orchestrator.measuring.search import LoadTried


class TimeLeft:
    """The time that a sweep will still take, by the mean of what its measurements have taken, warm-ups included."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._last = 0.0
        self._done = 0
        self._total = 0

    def begun(self) -> None:
        """Let the time run, unless it does."""
        if self._began is None:
            self._began = self._clock()

    def reached(self, done: int, total: int) -> None:
        """Note how many measurements of how many are done; fewer than before are those of another sweep."""
        now = self._clock()
        if self._began is None or done < self._done:
            self._began, self._done = now, 0
        if done > self._done:
            self._last = now
        self._done, self._total = done, total

    def __str__(self) -> str:
        """Return it as people say it; nothing before a measurement is done, and once all are."""
        if self._began is None or not 0 < self._done < self._total:
            return ""
        each = (self._last - self._began) / self._done
        left = (self._total - self._done) * each - (self._clock() - self._last)
        return f"{format_duration(max(left, 0.0))} left"


class Live:
    """A listener that says what happens as fits the place."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._began = time.monotonic()
        self._quiet = quiet
        self._phase: Phase | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._left = TimeLeft()

    @contextlib.contextmanager
    def shown(self) -> Iterator[Live]:
        """Show a live line while the context lasts, where standard error is a terminal."""
        if self._quiet or not sys.stderr.isatty():
            yield self
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        plain = bool(os.environ.get("NO_COLOR"))
        terminal = Console(file=sys.stderr, no_color=plain, force_terminal=True, highlight=False)
        progress = Progress(*columns, console=terminal, transient=True)
        progress.start()
        self._progress = progress
        self._begin()
        try:
            yield self
        finally:
            self._progress, self._task = None, None
            with contextlib.suppress(OSError):  # the terminal may be gone
                progress.stop()

    def __call__(self, event: Event) -> None:
        """Say what there is to say of an event."""
        if isinstance(event, PhaseReached):
            self._phase_reached(event.phase, event.detail)
        elif isinstance(event, MeasurementBegun | MeasurementEnded):
            self._measured(event)
        elif isinstance(event, Failed):
            self._failed(event.error)
        elif text := sentence(event):
            self._line(text)

    def _phase_reached(self, phase: Phase, detail: str) -> None:
        if self._phase is not None and Phase.IMAGE < phase < self._phase:
            return  # the log of a quick server is read later than its health is seen
        text = f"{phase.label} {detail}".strip()
        if phase == Phase.IMAGE != self._phase:
            self._begin()
        self._show(description=text)
        if phase != self._phase:
            self._phase = phase
            self._line(text)

    def _measured(self, event: MeasurementBegun | MeasurementEnded) -> None:
        what = "warm-up" if event.index == 0 else f"[{event.index}/{event.total}]"
        ended = isinstance(event, MeasurementEnded)
        if event.index:
            done = event.index if ended else event.index - 1
            self._left.reached(done, event.total)
            self._show(total=event.total, completed=done)
        else:
            self._left.begun()
        self._show(description=f"{what} {event.record.label}")
        if ended:
            self._line(f"{what} {event.record.label}: {outcome_text(event.record)}")

    def _failed(self, error: OrchError) -> None:
        text = "\n".join(filter(None, (error.message, error.hint)))
        if self._quiet:
            say(text)
        else:
            self._line(text)

    def _begin(self) -> None:
        """Show a server that starts, without what was shown of one before it."""
        self._left = TimeLeft()
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task("starting", total=None, left=self._left)

    def _show(self, **of_task: Any) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, **of_task)

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        stamped = f"{time.monotonic() - self._began:7.1f} s  {text}"
        if self._progress is not None:
            with contextlib.suppress(OSError):
                self._progress.console.print(stamped, markup=False)
        else:
            say(stamped)


def sentence(event: Event) -> str:
    """Return an event in one line, as far as it has one of its own."""
    if event.id == "load-tried":
        search = cast("LoadTried", event)
        met = "met" if search.tried.met else "; ".join(search.tried.reasons)
        return f"{search.over} {search.tried.load}: {met}"
    return SENTENCES[event.id].format(**event.data()) if event.id in SENTENCES else ""


SENTENCES = {
    Waiting.id: "{reason}",
    FlagDoubted.id: "warning: {reason}",
    ClientsApart.id: "each client is a process of its own and imports vLLM anew: {reason}",
    ClientNotAsked.id: "{client} was not asked what it knows; benchmark_serving.py is assumed: {reason}",
    VariantBegun.id: "server {number} of {of}: {label}",
    TornDown.id: "torn down",
    AlreadyUp.id: "{name} is up already",
    NothingMissing.id: "nothing is missing",
}
"""The line for each kind of event that has one."""


def outcome_text(record: MeasurementRecord) -> str:
    """Return how a measurement ended, in one phrase."""
    if not isinstance(record.outcome, Measured):
        return f"{record.state.value.upper()}: {'; '.join(record.reasons)}"
    metrics = record.outcome.metrics
    if metrics.output_throughput is None:
        return f"{metrics.request_throughput:.1f} req/s, E2EL {_ms(metrics.e2el_ms.mean)}, {metrics.duration_s:.2f} s"
    return (
        f"{metrics.output_throughput:.1f} tok/s out, TTFT {_ms(metrics.ttft_ms.mean)}, "
        f"TPOT {_ms(metrics.tpot_ms.mean)}, {metrics.duration_s:.2f} s"
    )


def _ms(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} ms"

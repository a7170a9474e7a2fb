"""The two ways to measure that several commands share: in a deployment of one's own, or in one that is up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from orchestrator.cli.options import engine_swept
from orchestrator.cli.progress import Reporter
from orchestrator.cli.report import kept, show_run
from orchestrator.cli.settings import Settings, settings
from orchestrator.deployment.attach import attach
from orchestrator.deployment.hold import Holds
from orchestrator.deployment.launch import Launch, prepare
from orchestrator.deployment.lease import in_use
from orchestrator.deployment.registry import Listed, fitting
from orchestrator.engine import Engine
from orchestrator.interruption import Interruption
from orchestrator.measuring.run import Reports, Work, measure_attached, measure_launched
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.directory import RunDirectory

Open = Callable[[], AbstractContextManager[RunDirectory]]
"""Makes or finds the run directory and keeps its record; asked once nothing stands in the way of measuring."""


@dataclass(frozen=True)
class Job:
    """One command that measures, with what it has at hand."""

    here: Settings
    engine: Engine
    interruption: Interruption
    reporter: Reporter
    holds: Holds
    as_json: bool

    def measure_in_own(
        self, profile: Profile, name: str, wait_s: float | None, opened: Open, work: Work | None = None
    ) -> RunDirectory:
        """Bring a deployment up, measure, tear it down; return the run."""
        here = self.here
        launch = Launch(
            self.engine, profile, name, here.state, here.locks, here.cache, self.holds, here.environ, wait_s
        )
        ready = prepare(launch, [here.runs], self.reporter.phase, self.reporter.line)
        with opened() as directory:
            measure_launched(launch, ready, directory, self.interruption, self._reports(), work)
            self.reporter.line("torn down")
        return directory

    def measure_in(
        self, listed: Listed, profile: Profile, wait_s: float | None, opened: Open, work: Work | None = None
    ) -> RunDirectory:
        """Measure in a deployment that is up and stays up; return the run."""
        with in_use(listed.folder, listed.name, wait_s, self.reporter.line):
            deployment = attach(self.engine, listed, profile)
            with opened() as directory:
                measure_attached(
                    self.engine,
                    directory,
                    profile,
                    deployment,
                    self.interruption,
                    self.here.environ,
                    self._reports(),
                    work,
                )
        return directory

    def measure(
        self, profile: Profile, name: str | None, wait_s: float | None, opened: Open, work: Work | None = None
    ) -> RunDirectory:
        """Measure in a deployment that is up if one fits, else in one of one's own; return the run."""
        listed = fitting(self.engine, profile, name)
        if listed is not None:
            return self.measure_in(listed, profile, wait_s, opened, work)
        return self.measure_in_own(profile, name or profile.name, wait_s, opened, work)

    @contextlib.contextmanager
    def alone(
        self, make: Callable[[], RunDirectory], show: Callable[[RunDirectory], None] | None = None
    ) -> Iterator[RunDirectory]:
        """Make or find a run that is by itself, hold it and keep its record while the context lasts.

        Args:
            make: Makes or finds it.
            show: Shows what was measured if it is cut short; all measurements unless told otherwise.
        """
        directory = make()
        with directory.locked(), kept(directory, show or self.show):
            yield directory

    def show(self, directory: RunDirectory) -> None:
        """Show what was measured."""
        show_run(directory, as_json=self.as_json)

    def _reports(self) -> Reports:
        return Reports(self.reporter.phase, self.reporter.step, self.reporter.failure, self.reporter.line)


@contextlib.contextmanager
def job(*, quiet: bool, as_json: bool) -> Iterator[Job]:
    """Yield a job under signals and with a live line, its engine swept of what nobody wants any more.

    What its launches hold is let go at its end: between two servers of a study nobody else gets their devices.
    """
    here = settings()
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter, Holds() as holds:
        yield Job(here, engine_swept(here), interruption, reporter, holds, as_json)

"""The server of a measurement: the job's own, torn down after it, or one that is up already and stays up.

Both are prepared first, so that an obstacle is reported before anything is recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.deployment.attach import attach
from orchestrator.deployment.launch import Launch, Prepared, Starting, launched, prepare
from orchestrator.deployment.lease import in_use
from orchestrator.deployment.registry import Listed, fitting
from orchestrator.deployment.running import Deployment
from orchestrator.deployment.watching import Watch, Watchdog
from orchestrator.errors import BenchmarkFailed, EngineError
from orchestrator.jobs.events import TornDown
from orchestrator.jobs.places import Place
from orchestrator.mask import Mask
from orchestrator.measuring.abilities import check_abilities
from orchestrator.measuring.driver import Driver, wanted
from orchestrator.measuring.run import Serving
from orchestrator.plan.suits import bench_of
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.run import Run


@dataclass(frozen=True)
class OwnServer:
    """A server that is to be launched for one run."""

    place: Place
    launch: Launch
    prepared: Prepared

    @property
    def profile(self) -> Profile:
        """Return the profile that it serves."""
        return self.launch.profile

    @contextlib.contextmanager
    def serving(self, directory: Run) -> Iterator[Serving]:
        """Yield the healthy server, and tear it down, whatever happens.

        The driver starts with the server and imports vLLM while the weights load. So an inability of the client is
        reported before they are loaded.
        """
        at, bench = self.place, bench_of(self.profile)
        with launched(self.launch, self.prepared, at.interruption, at.tell, directory) as starting:
            driver = self._early_driver(starting)
            unchecked = [driver] if driver is not None else []

            def check_once() -> None:
                # A server that ends takes the driver with it, and its own failure says more. Otherwise the driver's
                # failure is raised once the server is up.
                with contextlib.suppress(BenchmarkFailed):
                    while unchecked and unchecked[0].ready():
                        check_abilities(bench, unchecked.pop().client())

            yield Serving(starting.healthy(check_once), driver)
        at.tell(TornDown())

    def _early_driver(self, starting: Starting) -> Driver | None:
        """Return a driver in the running container, or None if the server ended at once: its own failure says more."""
        mask = Mask(self.prepared.secrets.values())
        with contextlib.suppress(EngineError):
            needs = wanted(self.profile, bench_of(self.profile))
            return Driver(starting.member, needs, starting.api.key, mask)
        return None


@dataclass(frozen=True)
class AttachedServer:
    """A server that is up, and used by one run at a time."""

    place: Place
    profile: Profile
    deployment: Deployment

    @contextlib.contextmanager
    def serving(self, directory: Run) -> Iterator[Serving]:
        """Yield the server, which stays up; a watchdog marks the run if orch is killed."""
        directory.fresh_server_log()
        environ = self.place.folders.environ
        watchdog = Watchdog(Watch(None, None, str(directory.path)), environ, directory.logs / "watchdog.log")
        try:
            try:
                yield Serving(self.deployment)
            finally:
                self.place.interruption.disarm()
        finally:
            watchdog.dismiss()


Server = OwnServer | AttachedServer


@contextlib.contextmanager
def own_server(place: Place, profile: Profile, name: str, wait_s: float | None) -> Iterator[OwnServer]:
    """Yield the job's own server, once its launch is prepared; raise what `prepare` raises."""
    launch = place.launch(profile, name, wait_s)
    yield OwnServer(place, launch, prepare(launch, [place.folders.runs], place.tell))


@contextlib.contextmanager
def attached_server(place: Place, listed: Listed, profile: Profile, wait_s: float | None) -> Iterator[AttachedServer]:
    """Yield a server that is up, and keep other measurements away from it; raise what `attach` raises."""
    with in_use(listed.folder, listed.name, wait_s, place.tell):
        yield AttachedServer(place, profile, attach(place.node, listed, profile))


@contextlib.contextmanager
def a_server(place: Place, profile: Profile, name: str | None, wait_s: float | None) -> Iterator[Server]:
    """Yield the server that is up if one fits, else one of the job's own."""
    listed = fitting(place.engine, profile, name)
    if listed is not None:
        with attached_server(place, listed, profile, wait_s) as attached:
            yield attached
    else:
        with own_server(place, profile, name or profile.name, wait_s) as own:
            yield own

"""The guard of a launch: none of its containers outlives orch unless the deployment is handed over.

The guard begins before the container is created. Each of three mechanisms works without the others: this teardown, the
lease, which stops the server when this process is gone, and the watchdog, which removes the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.deployment.folder import drop_folder
from orchestrator.deployment.hold import Hold
from orchestrator.deployment.lease import Lease, deadline
from orchestrator.deployment.teardown import teardown
from orchestrator.deployment.watching import Watch, Watchdog
from orchestrator.engine import Engine
from orchestrator.errors import Busy, EngineRefusal, ImageMissing
from orchestrator.interruption import Interruption
from orchestrator.plan.container import ContainerSpec, Identity

LATE_CREATE_S = 1.0
"""How long the teardown waits for the container of an interrupted create call; the watchdog waits far longer."""


@dataclass
class Guard:
    """A launch that this process owns."""

    engine: Engine
    identity: Identity
    lease: Lease
    watchdog: Watchdog
    interruption: Interruption
    handed_over: bool = field(default=False, init=False)
    _creating: bool = field(default=False, init=False)

    def create(self, spec: ContainerSpec) -> str:
        """Create the launch's container and return its id."""
        with self._creation():
            return self.engine.create(spec)

    def read_image_file(self, reference: str, path: str, labels: Mapping[str, str]) -> bytes:
        """Return a file of an image; the container that this takes is one of the launch's."""
        with self._creation():
            return self.engine.read_image_file(reference, path, labels)

    @contextlib.contextmanager
    def _creation(self) -> Iterator[None]:
        """Note that a container may still appear unless the engine answers the call."""
        self._creating = True
        try:
            yield
        except (EngineRefusal, ImageMissing, Busy):  # an answer: nothing will come late
            self._creating = False
            raise
        self._creating = False

    def hand_over(self, ttl_s: float | None) -> None:
        """Let the deployment live on without this process, for good or for a time."""
        self.interruption.close()
        self.lease.hand_over(deadline(ttl_s))
        self.watchdog.dismiss()
        self.handed_over = True

    def end(self) -> None:
        """Tear the launch down; raise TeardownIncomplete, and leave the rest to the watchdog, if that fails."""
        late = self._creating
        teardown(
            self.engine,
            self.identity.launch,
            hurry=self.interruption.hurried,
            quiet_s=LATE_CREATE_S if late else 0.0,
        )
        self.lease.release()
        if not late:
            drop_folder(Path(self.identity.folder))
            self.watchdog.dismiss()


@contextlib.contextmanager
def guarded(
    engine: Engine,
    identity: Identity,
    interruption: Interruption,
    environ: Mapping[str, str],
    watchdog_log: Path,
    hold: Hold,
    run: Path | None = None,
) -> Iterator[Guard]:
    """Own a launch while the context lasts; on the way out tear it down unless it was handed over.

    Args:
        engine: The engine it runs on.
        identity: The launch; its folder exists.
        interruption: The signals in force.
        environ: Environment of the watchdog.
        watchdog_log: Where the watchdog writes what it could not do.
        hold: The launch's hold on its devices; the watchdog shares it until its work is done.
        run: The run directory that the watchdog marks as interrupted when orch is killed.
    """
    lease = Lease(Path(identity.folder))
    watch = Watch(identity.launch, identity.folder, str(run) if run else None)
    watchdog = Watchdog(watch, environ, watchdog_log, hold.files)
    guard = Guard(engine, identity, lease, watchdog, interruption)
    try:
        try:
            yield guard
        finally:
            interruption.disarm()
    finally:
        if not guard.handed_over:
            guard.end()

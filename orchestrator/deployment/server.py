"""The server under measurement: watched while clients wait, explained when it dies, started again when wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.deployment.failure import server_failed
from orchestrator.deployment.folder import read_mask
from orchestrator.deployment.health import check_identity, wait_until_healthy
from orchestrator.deployment.log import ServerLog
from orchestrator.deployment.running import Deployment
from orchestrator.deployment.watch import Watch
from orchestrator.engine import Engine
from orchestrator.errors import ContainerGone, EngineError, ServerFailed
from orchestrator.events import Listener
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.api import Health
from orchestrator.vllm.counters import Load, Served, read_load, read_served
from orchestrator.vllm.flags import served_model
from orchestrator.vllm.phases import Phase, PhaseReached

RESTART_GRACE_S = 3.0
SILENT_S = 10.0
"""A server that has not answered for so long after a measurement that failed is lost."""
SETTLE_POLL_S = 0.05


class Server:
    """The healthy server of a deployment."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        deployment: Deployment,
        log_path: Path,
        tell: Listener,
        stall_s: float,
    ) -> None:
        self.engine = engine
        self.container = deployment.container
        self._profile = profile
        self._folder = Path(deployment.identity.folder)
        self._api = deployment.api
        self.key = deployment.api.key
        self.mask = read_mask(self._folder)
        """Hides the secrets that are in the server's environment."""
        self._log_path = log_path
        self._tell = tell
        self._watch = Watch(deployment.api, stall_s)
        self._tells = True
        """It answers when it is asked for its load, as far as is known."""

    def failure(self, client_waits: Callable[[], bool] = lambda: True) -> ServerFailed | None:
        """Return how the server has failed, or None; cheap, and meant to be asked several times a second.

        Args:
            client_waits: Asked whether the client has a request under way, before a silent server counts as hanging.
        """
        problem = self._watch.problem(client_waits)
        return None if problem is None else self.explain(problem)

    def explain(self, problem: str) -> ServerFailed:
        """Return what is known of a problem, from the container's state and the server's log."""
        return server_failed(self.engine, self.container, self._folder, "serving", self._log_path, problem)

    def dead(self) -> bool:
        """Say whether the server is dead at this moment.

        One that does not answer in time may only be busy, or be silent because its container has ended.
        """
        health = self._api.health()
        return health in (Health.REFUSED, Health.ERROR) or (health is Health.SILENT and self._has_ended())

    def _has_ended(self) -> bool:
        try:
            return not self.engine.state(self.container).running
        except ContainerGone:
            return True
        except EngineError:  # the engine does not say, so nothing is known
            return False

    def death(self) -> ServerFailed | None:
        """Return how the server has died, or None."""
        return self.explain("the server has died") if self.dead() else None

    def lost(self) -> ServerFailed | None:
        """Return how the server is lost, or None: it has died, or it hangs, where a busy one answers in the end."""
        end = time.monotonic() + SILENT_S
        while not self.dead():
            if self._api.healthy():
                return None
            if time.monotonic() > end:
                return self.explain(f"the server hangs: it has not answered for {SILENT_S:.0f} s")
        return self.explain("the server has died")

    def served(self) -> Served | None:
        """Return what the server has served since its start, or None if it does not say."""
        totals = self._api.samples()
        return None if totals is None else read_served(totals)

    def peak_load(self) -> Load | None:
        """Return the highest load seen since the watch began anew, or None if there was no look."""
        return self._watch.peak

    def settle(self, timeout_s: float) -> tuple[bool | None, Served | None]:
        """Wait until no request is running or waiting; say whether that came about in time, None if it does not say.

        Beside it stands what the server had served by then, from the same look. A server that has not said anything for
        all of the time once is asked, but not waited for, from then on.
        """
        began = time.monotonic()
        while True:
            totals = self._api.samples()
            load, served = (None, None) if totals is None else (read_load(totals), read_served(totals))
            self._tells = self._tells or load is not None
            if load is not None and load.running + load.waiting == 0:
                return True, served
            if time.monotonic() - began >= (timeout_s if self._tells else 0.0):
                self._tells = load is not None
                return (False if self._tells else None), served
            time.sleep(SETTLE_POLL_S)

    def restart(self) -> None:
        """Start the server again in its container and wait until it is healthy; raise ServerFailed if it is not."""
        self._tell(PhaseReached(Phase.CONTAINER, "again"))
        try:
            self.engine.restart(self.container, RESTART_GRACE_S)
            since = self.engine.state(self.container).output_since
        except ContainerGone as error:
            raise ServerFailed(f"the server cannot be started again: {error.message}", "Who ended it?") from error
        log = ServerLog(self._log_path, self._tell)
        log.follow(self.engine, self.container, self._folder, since)
        wait_until_healthy(self.engine, self.container, self._folder, self._api, log, self._profile.health.deadline)
        check_identity(self._api, served_model(self._profile.server.model, self._profile.server.flags))
        self._tell(PhaseReached(Phase.READY, self._api.url))
        self._watch.reset()

    def resume_watch(self) -> None:
        """Begin the watch anew, before a client starts."""
        self._watch.reset()

"""The server under measurement: watched while clients wait, diagnosed when it fails, started again when wanted."""

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
from orchestrator.errors import ContainerGone, EngineError, ServerFailed
from orchestrator.events import Listener
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.vllm.api import Health
from orchestrator.vllm.counters import Load, Served, read_load, read_served
from orchestrator.vllm.flags import served_model
from orchestrator.vllm.phases import Phase, PhaseReached

RESTART_GRACE_S = 3.0
DEATH = "the server has died"
SILENT_S = 10.0
"""How long a server may leave `/health` unanswered after a measurement that failed, before it counts as hanging."""
SETTLE_POLL_S = 0.05


class Server:
    """The healthy server of a deployment."""

    def __init__(
        self,
        profile: Profile,
        deployment: Deployment,
        log_path: Path,
        tell: Listener,
        stall_s: float,
    ) -> None:
        self.member = deployment.member
        self._profile = profile
        self._folder = Path(deployment.identity.folder)
        self._api = deployment.api
        self.key = deployment.api.key
        self.mask = read_mask(self._folder)
        """Hides the secrets that are in the server's environment."""
        self._log_path = log_path
        self._tell = tell
        self._watch = Watch(deployment.api, stall_s)
        self._reports_load = True
        """Whether the server says how many requests it has, as far as is known."""

    def check_progress(self, client_waits: Callable[[], bool] = lambda: True) -> None:
        """Raise ServerFailed if the server has died, or hangs under a client; cheap enough for many times a second.

        Args:
            client_waits: Asked whether the client has a request under way, before a silent server counts as hanging.
        """
        problem = self._watch.problem(client_waits)
        if problem is not None:
            raise self.diagnosed(problem)

    def check_alive(self) -> None:
        """Raise ServerFailed if the server is dead at this moment."""
        if self.is_dead():
            raise self.diagnosed(DEATH)

    def check_responding(self) -> None:
        """Raise ServerFailed if the server is dead or has not answered for `SILENT_S`; a busy one answers in time."""
        end = time.monotonic() + SILENT_S
        while not self.is_dead():
            if self._api.healthy():
                return
            if time.monotonic() > end:
                raise self.diagnosed(
                    Text("the server hangs: it has not answered for {silent_s:.0f} s", silent_s=SILENT_S)
                )
        raise self.diagnosed(DEATH)

    def diagnosed(self, problem: str) -> ServerFailed:
        """Return the error for a problem, with its cause from the container's state and the server's log."""
        return server_failed(self.member, self._folder, "measuring", self._log_path, problem)

    def is_dead(self) -> bool:
        """Say whether the server is dead at this moment.

        A server that does not answer in time may only be busy: it is dead if its container has ended.
        """
        health = self._api.health()
        return health in (Health.REFUSED, Health.ERROR) or (health is Health.SILENT and self._has_ended())

    def _has_ended(self) -> bool:
        try:
            return not self.member.state().running
        except ContainerGone:
            return True
        except EngineError:  # the engine does not say, so nothing is known
            return False

    def served(self) -> Served | None:
        """Return what the server has served since its start, or None if it does not say."""
        totals = self._api.samples()
        return None if totals is None else read_served(totals)

    def peak_load(self) -> Load | None:
        """Return the highest load seen since the watch began anew, or None if there was no look."""
        return self._watch.peak

    def settle(self, timeout_s: float) -> tuple[bool | None, Served | None]:
        """Wait until no request is running or waiting.

        A server that has once not reported its load for all of the time is asked but no longer waited for.

        Returns:
            Whether the server became idle in time, or None if it does not report its load; and what it had served by
            then, from the same answer.
        """
        began = time.monotonic()
        while True:
            totals = self._api.samples()
            load, served = (None, None) if totals is None else (read_load(totals), read_served(totals))
            self._reports_load = self._reports_load or load is not None
            if load is not None and load.running + load.waiting == 0:
                return True, served
            if time.monotonic() - began >= (timeout_s if self._reports_load else 0.0):
                self._reports_load = load is not None
                return (False if self._reports_load else None), served
            time.sleep(SETTLE_POLL_S)

    def restart(self) -> None:
        """Start the server again in its container and wait until it is healthy; raise ServerFailed if it is not."""
        self._tell(PhaseReached(Phase.CONTAINER, "again"))
        try:
            self.member.node.engine.restart(self.member.container, RESTART_GRACE_S)
            since = self.member.state().output_since
        except ContainerGone as error:
            raise ServerFailed(
                Text("the server cannot be started again: {error}", error=error.message), "Who ended it?"
            ) from error
        log = ServerLog(self._log_path, self._tell)
        log.follow(self.member, self._folder, since)
        wait_until_healthy(self.member, self._folder, self._api, log, self._profile.health.deadline)
        check_identity(self._api, served_model(self._profile.server.model, self._profile.server.flags))
        self._tell(PhaseReached(Phase.READY, self._api.url))
        self._watch.reset()

    def resume_watch(self) -> None:
        """Begin the watch anew, before a client starts."""
        self._watch.reset()

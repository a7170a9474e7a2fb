"""What a sweep stands on: a server and the driver beside it, mended when one of them fails.

A server that failed is started again, as often as the profile allows, and so is a driver that ended alone. What
measures afterwards must be what measured before.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.deployment.server import Server
from orchestrator.errors import BenchmarkFailed, EngineError, OrchError, ServerFailed
from orchestrator.events import Failed, Listener
from orchestrator.measuring.driver import Client, Driver, Wanted, replaced


class Stand:
    """A server and its driver, of which a failure is mended before the next measurement."""

    def __init__(
        self,
        server: Server,
        wanted: Wanted,
        restarts: int,
        tell: Listener,
        driver: Driver | None,
        ready: Callable[[Client], None],
    ) -> None:
        """Take over the driver, or start one.

        Args:
            server: The server.
            wanted: What a driver prepares.
            restarts: How often something that failed is started again.
            tell: Told of each failure.
            driver: One that runs already.
            ready: Called with the client of each driver, once it is known to be the one that the sweep began with.
        """
        self.server = server
        self._wanted = wanted
        self._left = restarts
        self._tell = tell
        self._ready = ready
        self.failure: OrchError | None = None
        """What must be mended before the next measurement."""
        self.starts = 0
        """How often the server was started again."""
        self._first: Client | None = None
        """The client that the sweep began with."""
        self.driver = driver or self._new_driver()

    def client(self) -> Client:
        """Return the client once it is ready; start a server that dies before that again, as in the sweep.

        Raises:
            ServerFailed: When the server has died once more than it may be started again.
            BenchmarkFailed, EnvironmentFault: When there is no client that can be used.
        """
        self.failure = self._unready()
        self.mend()
        return self.driver.client()

    def mend(self) -> None:
        """Replace a failed driver or server; raise the failure if none may be started again."""
        while (failure := self.failure) is not None:
            self.driver.close()
            if not self._left:
                raise failure
            self._left -= 1
            if isinstance(failure, ServerFailed):
                self.server.restart()
                self.starts += 1
            self.driver = self._new_driver()
            self.failure = self._unready()

    def failed(self, failure: OrchError) -> None:
        """Note and tell a failure."""
        self.failure = failure
        self._tell(Failed(failure))

    def close(self) -> None:
        """End the driver and what it runs."""
        self.driver.close()

    def _new_driver(self) -> Driver:
        server = self.server
        return Driver(server.member, self._wanted, server.key, server.mask)

    def _unready(self) -> OrchError | None:
        """Wait for the driver; return the server's failure if the server has failed meanwhile."""
        try:
            client = self.driver.client(self.server.check_alive)
        except ServerFailed as error:
            failure = error
        except (BenchmarkFailed, EngineError):  # the driver, and the way to it, die with the server's container
            found = raised_by(self.server.check_responding)
            if found is None:
                raise
            failure = found
        else:
            self._first = self._first or client
            if not client.measures_as(self._first):
                raise replaced("the client, or the file of its prompts,")
            self._ready(client)
            return None
        self._tell(Failed(failure))
        return failure


def raised_by(check: Callable[[], None]) -> ServerFailed | None:
    """Return the failure that a check of the server raises, or None."""
    try:
        check()
    except ServerFailed as failure:
        return failure
    return None

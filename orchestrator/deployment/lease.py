"""The lease: a file that the owner of a deployment keeps locked, and that the supervisor in the container waits for.

The kernel lets go of the lock however the owner dies, so the lock alone says whether the owner lives. Its content says
until when the server may run without an owner: nothing at all, `null` for good, or seconds since the epoch.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Busy, EnvironmentFault
from orchestrator.events import Listener, unheard
from orchestrator.node.queue import queued
from orchestrator.text import Text

FILE = "lease"


@dataclass(frozen=True)
class Tenure:
    """What a lease says."""

    owned: bool
    """An owner lives: its maker, or after it was handed over whoever measures in it."""
    known: bool
    """The lease exists and could be read."""
    until: float | None = 0.0
    """Without an owner: seconds since the epoch until which the server may run; None is for good."""
    handed_over: bool = False
    """It is owned, and not by its maker."""

    def expired(self, now: float) -> bool:
        """Say whether nobody wants the deployment any more; what is not known is never expired."""
        return self.known and not self.owned and self.until is not None and self.until <= now


class Lease:
    """A lease that this process owns, from its making until it is handed over or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Make the lease and lock it."""
        making = folder / f".{FILE}"
        self._file = os.open(making, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.fchmod(self._file, 0o644)  # other users' `orch ps` and `orch gc` ask the lock, whatever the umask
        fcntl.flock(self._file, fcntl.LOCK_EX)
        making.rename(folder / FILE)  # only now can anybody see it, and then it is locked

    def hand_over(self, until: float | None) -> None:
        """Let the server run on without an owner until a time, or for good (None)."""
        text = json.dumps(until).encode()
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))
        os.fsync(self._file)
        self.release()

    def release(self) -> None:
        """Let go of the lease; without a hand-over the server stops."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def renew(folder: Path, ttl_s: float) -> None:
    """Begin the time to live of a deployment anew; raise EnvironmentFault if it is another user's."""
    try:
        with (folder / FILE).open("r+b", buffering=0) as file:
            text = json.dumps(deadline(ttl_s)).encode()
            file.write(text)
            file.truncate()
    except OSError as error:
        raise EnvironmentFault(
            Text("the time to live cannot be renewed: {strerror}", strerror=error.strerror),
            "Only who made a deployment can.",
        ) from error


@contextlib.contextmanager
def in_use(folder: Path, name: str, wait_s: float | None = None, tell: Listener = unheard) -> Iterator[None]:
    """Own a deployment that was handed over while the context lasts.

    The server does not depend on it: what was handed over runs on whatever becomes of its user.

    Args:
        folder: The deployment's folder.
        name: Its name, for the message.
        wait_s: How long to wait for another user of it; None does not wait.
        tell: Told once why there is a wait.

    Raises:
        Busy: Another orch process owns it, at once or when the wait is over.
    """
    file = os.open(folder / FILE, os.O_RDONLY | os.O_CLOEXEC)

    def lock() -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                Text("the deployment {name} is in use by another orch process", name=name),
                "See: orch ps   Or queue for it: --wait 2h",
            ) from None

    try:
        queued(lock, wait_s, tell)
        yield
    finally:
        os.close(file)


def read_tenure(folder: Path) -> Tenure:
    """Return what the lease in a folder says; a missing or foreign one is not known."""
    try:
        file = os.open(folder / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return Tenure(owned=False, known=False)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        until = json.loads(os.read(file, 64) or b"0")
        known = until is None or (isinstance(until, int | float) and not isinstance(until, bool))
        return Tenure(owned=False, known=True, until=until) if known else Tenure(owned=False, known=False)
    except BlockingIOError:
        return Tenure(owned=True, known=True, handed_over=os.fstat(file).st_size > 0)
    except (ValueError, OSError):
        return Tenure(owned=False, known=False)
    finally:
        os.close(file)


def deadline(ttl_s: float | None) -> float | None:
    """Return the end of a time to live that begins now, in seconds since the epoch; None is for good."""
    return None if ttl_s is None else time.time() + ttl_s

"""The server's log as it comes: written to a file and read for phases."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.deployment.folder import read_mask
from orchestrator.errors import EngineError
from orchestrator.events import Listener
from orchestrator.node.node import Member
from orchestrator.text import Text
from orchestrator.vllm.phases import Phase, PhaseReached, phase_of, shards_loaded


def read_log(
    member: Member,
    folder: Path,
    *,
    follow: bool,
    tail: int | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Iterator[bytes]:
    """Yield the log of a deployment's server piece by piece, its secrets masked.

    Args:
        member: The server's container.
        folder: The deployment's folder, which knows the secrets.
        follow: Go on until the container ends.
        tail: Only the last lines.
        since: Only what it wrote from then on, in seconds since the epoch.
        until: Only what it wrote up to then.
    """
    return read_mask(folder).stream(
        member.node.engine.logs(member.container, follow=follow, tail=tail, since=since, until=until)
    )


def lines_before(member: Member, folder: Path, since: float | None) -> int:
    """Return how many lines of the log were written before a moment, in seconds since the epoch; 0 for None."""
    if since is None:
        return 0
    earlier = read_log(member, folder, follow=False, until=since)
    return sum(piece.count(b"\n") for piece in earlier)


class ServerLog:
    """Follows the log of one container in a thread of its own until the container ends."""

    def __init__(self, path: Path, tell: Listener) -> None:
        self.path = path
        self.phase = Phase.CONTAINER
        self.ended = threading.Event()
        """Set when the log is over: the container has ended, or the engine is gone."""
        self.problem: EngineError | None = None
        """Why the log could not be read to its end."""
        self._tell = tell

    def follow(self, member: Member, folder: Path, since: float | None = None) -> None:
        """Begin to follow a started container, whose deployment's folder is named.

        What it wrote before `since`, at earlier starts, is written to the file and not read for phases.
        """
        earlier = () if since is None else read_log(member, folder, follow=False, until=since)
        pieces = read_log(member, folder, follow=True, since=since)
        threading.Thread(target=self._follow, args=(earlier, pieces), name="server-log", daemon=True).start()

    def _follow(self, earlier: Iterable[bytes], pieces: Iterator[bytes]) -> None:
        try:
            with self.path.open("wb", buffering=0) as file:
                for piece in earlier:
                    file.write(piece)
                pending = b""
                for piece in pieces:
                    file.write(piece)
                    *lines, pending = (pending + piece.replace(b"\r", b"\n")).split(b"\n")
                    for line in lines:
                        self._read(line)
                self._read(pending)
        except EngineError as error:
            self.problem = error
        except OSError as error:
            self.problem = EngineError(
                Text("cannot write the server's log to {path}: {strerror}", path=self.path, strerror=error.strerror)
            )
        finally:
            self.ended.set()

    def _read(self, line: bytes) -> None:
        phase = phase_of(line)
        shards = shards_loaded(line)
        if phase is not None and phase > self.phase:
            self.phase = phase
            self._tell(PhaseReached(phase))
        elif shards is not None:
            self._tell(PhaseReached(self.phase, f"{shards} %"))

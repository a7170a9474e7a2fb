"""The watchdog: a separate process that tears a launch down when orch was killed and could not.

It is started before the container is created, in its own session, with the reading end of a pipe. Only orch holds the
writing end. A word on the pipe dismisses the watchdog; the pipe's end without a word means that orch is dead. The
watchdog then removes containers with the launch's label until no new one has appeared for longer than a slow create
call takes, and marks the run as interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

QUIET_S = 20.0
DEADLINE_S = 900.0
DISMISSED = b"."
DISMISS_S = 2.0
"""How long a dismissed watchdog is waited for; it ends at once."""


@dataclass(frozen=True)
class Watch:
    """What a watchdog is to tidy up."""

    launch: str | None
    """The launch whose containers go, if they are this process's own."""
    folder: str | None
    """The folder of that launch."""
    run: str | None
    """The run directory, if there is one."""


class Watchdog:
    """The writing end of a watchdog's pipe."""

    def __init__(self, watch: Watch, environ: Mapping[str, str], log: Path, inherit: Sequence[int] = ()) -> None:
        """Start the watchdog; its remarks go to a log file, and it keeps the descriptors that it inherits open."""
        reading, self._writing = os.pipe()
        try:
            with log.open("ab") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, json.dumps(asdict(watch))],
                    stdin=reading,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env={
                        **environ,
                        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    },  # ours may not be installed
                    cwd="/",
                    pass_fds=tuple(inherit),
                    start_new_session=True,
                )
        finally:
            os.close(reading)

    def dismiss(self) -> None:
        """Send the watchdog away: there is nothing left for it to do."""
        if self._writing < 0:
            return
        try:
            os.write(self._writing, DISMISSED)
        except BrokenPipeError:
            pass  # it is gone already
        finally:
            os.close(self._writing)
            self._writing = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DISMISS_S)


def main(argument: str) -> int:
    """Wait for the word or the end of the pipe, then tidy up; return 0, or 1 if something may be left."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    watch = Watch(**json.loads(argument))
    if os.read(sys.stdin.fileno(), 1) == DISMISSED:
        return 0
    # Imported only now: an idle watchdog costs the node nothing, and orch's own start is not slowed by a second one.
    from orchestrator.deployment.folder import drop_folder
    from orchestrator.errors import OrchError
    from orchestrator.runs.directory import mark_interrupted

    if watch.run is not None:
        try:
            mark_interrupted(Path(watch.run), "orch was killed")
        except (OrchError, OSError) as error:  # the containers are what matters most
            sys.stderr.write(f"run {watch.run} cannot be marked: {error}\n")
    if watch.launch is None or watch.folder is None:
        return 0
    if not sweep(watch.launch, time.monotonic() + DEADLINE_S):
        return 1
    drop_folder(Path(watch.folder))
    return 0


def sweep(launch: str, end: float) -> bool:
    """Remove the launch's containers, waiting for the engine if it is away; say whether that was complete."""
    from orchestrator.deployment.teardown import teardown
    from orchestrator.engine import connect
    from orchestrator.errors import OrchError

    while time.monotonic() < end:
        try:
            teardown(connect(os.environ), launch, quiet_s=QUIET_S, deadline_s=end - time.monotonic())
        except OrchError as error:
            sys.stderr.write(f"launch {launch}: {error.message}\n")
            time.sleep(1.0)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

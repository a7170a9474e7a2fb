"""The watchdog: a separate process that tears a launch down when orch was killed and could not.

It is started before the container is created, in its own session, with the reading end of a pipe. Only orch holds the
writing end. A word on the pipe dismisses the watchdog; the pipe's end without a word means that orch is dead. The
watchdog then removes containers with the launch's label until no new one has appeared for longer than a slow create
call takes, and marks the run as interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import time

QUIET_S = 20.0
DEADLINE_S = 900.0
DISMISSED = b"."


def main(argument: str) -> int:
    """Wait for the word or the end of the pipe, then tidy up; return 0, or 1 if something may be left.

    Args:
        argument: The launch, its folder and the run directory as JSON; see `orchestrator.deployment.watching`.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    if os.read(sys.stdin.fileno(), 1) == DISMISSED:
        return 0
    # Imported only now: an idle watchdog costs the node nothing, and orch's own start is not slowed by a second one.
    import json
    from pathlib import Path

    from orchestrator.causes import Cause
    from orchestrator.deployment.folder import drop_folder
    from orchestrator.errors import OrchError
    from orchestrator.runs.run import Run

    launch, folder, run = json.loads(argument)
    if run is not None:
        try:
            Run(Path(run)).interrupt(Cause("orch-killed"))
        except (OrchError, OSError) as error:  # the containers are what matters most
            sys.stderr.write(f"run {run} cannot be marked: {error}\n")
    if launch is None or folder is None:
        return 0
    if not sweep(launch, time.monotonic() + DEADLINE_S):
        return 1
    drop_folder(Path(folder))
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
    os._exit(main(sys.argv[1]))  # orch waits for it

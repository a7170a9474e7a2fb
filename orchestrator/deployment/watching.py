"""The watchdog as orch sees it: what it is to tidy up, its start, its dismissal; it is a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from orchestrator.deployment import watchdog
from orchestrator.deployment.watchdog import DISMISSED

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
                    [sys.executable, "-m", watchdog.__name__, json.dumps(astuple(watch))],
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

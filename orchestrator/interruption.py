"""Signals that ask orch to stop: the first is raised where the program stands, later ones only hurry the teardown.

Used by the command layer around everything that must not leave something behind.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from typing_extensions import Self

from orchestrator.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interruption:
    """Catches the signals while it is entered.

    Armed, the first signal raises `Interrupted` in the main thread and disarms; disarmed, signals are only counted, so
    nothing can break into a teardown. A signal that the caller ignores (nohup) stays ignored.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        """Number of the first signal, once there was one."""
        self.count = 0
        self._armed = False
        self._over = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Begin to catch signals, armed."""
        self._armed = True
        for signum in SIGNALS:
            before = signal.getsignal(signum)
            if before is not signal.SIG_IGN:
                self._before[signum] = before
                signal.signal(signum, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an interruption ignore signals for good, so that the exit code survives; else go back to before."""
        self.disarm()
        for signum, before in self._before.items():
            signal.signal(signum, signal.SIG_IGN if self.first is not None else before)
        if self.first is not None and not isinstance(error, Interrupted) and kind is None:
            raise Interrupted(self.first)

    def disarm(self) -> None:
        """From now on count signals instead of raising."""
        self._armed = False

    def rearm(self) -> None:
        """Raise signals again from now on, and at once the one that came while they were only counted."""
        self._armed = True
        if self.first is not None:
            self._armed = False
            raise Interrupted(self.first)

    def close(self) -> None:
        """From now on take no notice of signals: what there was to interrupt is over."""
        self._armed = False
        self._over = True

    def hurried(self) -> bool:
        """Say whether a signal came after the first one."""
        return self.count > 1

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        self.count += 1
        if self.first is None:
            self.first = signum
        if self._armed:
            self._armed = False
            raise Interrupted(self.first)

"""The way of the server process from its start to its end: phases, and the faults that strike in them.

Nothing returns from `leave`: it ends the process at once, also from a signal handler.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from vllm_stub.log import SHARDS, STDERR, STDOUT, Log, write

if TYPE_CHECKING:
    from types import FrameType

    from vllm_stub.faults import Faults

MB = 1 << 20
_FLOOD_TICK_S = 0.02
_SHARES = {"load": 0.4, "graphs": 0.2, "compile": 0.1}  # of STUB_STARTUP_S; the other phases share the rest
_ORPHAN = "import time\nwhile True: time.sleep(3600)"


@dataclass
class Startup:
    """One start of the server: its faults, its log, and the memory it was told to eat."""

    faults: Faults
    log: Log
    eaten: list[bytearray] = field(default_factory=list)
    printed: bool = False

    def arm(self) -> None:
        """Set up what lasts as long as the process: signals, the exit timer, the orphan, the flood."""
        if self.faults.ignore_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        if self.faults.spawn_child:
            self.log.say("core", "utils.py:1", f"Stub child process {spawn_orphan()} in its own session")
        if self.faults.exit_after_s is not None:
            signal.signal(signal.SIGALRM, self._expire)
            signal.setitimer(signal.ITIMER_REAL, max(self.faults.exit_after_s, 1e-3))
        if self.faults.log_flood_lines_per_s:
            threading.Thread(target=self._flood, daemon=True).start()

    def phase(self, name: str) -> None:
        """Go through one phase: its lines, the faults that strike in it, its share of the time."""
        self.log.phase(name, self.faults.startup_s)
        share_s = self.faults.startup_s * _SHARES.get(name, (1 - sum(_SHARES.values())) / 7)
        if name == "load":
            self.log.shard(0)
            time.sleep(share_s / SHARDS)
            self.log.shard(1)
        self._strike(name)
        if name == "load":
            for done in range(2, SHARDS + 1):
                time.sleep(share_s / SHARDS)
                self.log.shard(done)
        elif name != "ready":
            time.sleep(share_s)

    def leave(self, code: int) -> NoReturn:
        """End the process with `code`, after the text of STUB_LOG_TEXT if no phase printed that."""
        self.say_why()
        os._exit(code)

    def say_why(self) -> None:
        """Write the text of STUB_LOG_TEXT, once, unless a phase is to print it."""
        if self.faults.log_phase is None and not self.printed:
            self._print_text()

    def _strike(self, name: str) -> None:
        faults = self.faults
        if faults.log_phase == name:
            self._print_text()
        if faults.eat_memory_mb and faults.eat_memory_phase == name:
            self.eaten.extend(bytearray(b"\x01") * MB for _ in range(faults.eat_memory_mb))
        if faults.exit_phase == name:
            self.leave(self._exit_code())
        while faults.phase_hang == name:
            time.sleep(3600)

    def _exit_code(self) -> int:
        return 1 if self.faults.exit_code is None else self.faults.exit_code

    def _print_text(self) -> None:
        self.printed = True
        text = self.faults.log_text or ""
        write(STDERR, text if text.endswith("\n") or not text else text + "\n")

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        for line in ("INFO:     Shutting down", "INFO:     Application shutdown complete."):
            write(STDERR, f"{line}\n")
        os._exit(0)

    def _expire(self, _signal: int, _frame: FrameType | None) -> None:
        self.leave(self._exit_code())

    def _flood(self) -> None:
        start, written = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - start) * self.faults.log_flood_lines_per_s)
            write(STDOUT, "".join(f"INFO [flood.py:1] line {n} of a log flood\n" for n in range(written, due)))
            written = max(written, due)
            time.sleep(_FLOOD_TICK_S)


def spawn_orphan() -> int:
    """Leave a process in its own session, no child of ours, deaf to TERM, HUP and INT; returns its pid."""
    read_end, write_end = os.pipe()
    middle = os.fork()
    if not middle:
        _become_orphan(write_end)
    os.close(write_end)
    os.waitpid(middle, 0)
    with os.fdopen(read_end) as pipe:
        return int(pipe.read())


def _become_orphan(write_end: int) -> NoReturn:
    os.setsid()
    if orphan := os.fork():
        os.write(write_end, str(orphan).encode())
        os._exit(0)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, "-c", _ORPHAN, "vllm-stub-child"])  # noqa: S606 - an argument list

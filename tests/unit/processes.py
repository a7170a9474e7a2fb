"""Real processes for tests: started, waited for without a fixed time, and always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

DEADLINE_S = 30.0
"""How long a test waits for what must happen, on a machine that is busy with other things."""


def eventually(condition: Callable[[], object], what: str, within_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds; the test fails if it does not come true."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process exists and has not ended; one that waits to be reaped has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    return not alive(pid)


OF_TESTS = os.pathsep.join(map(str, Path(__file__).parents[:2]))
"""Where a process of its own finds the modules that tests share."""
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
"""What a process with an environment of its own must be given to be measured."""


def python(*words: str) -> list[str]:
    return [sys.executable, *words]


@contextlib.contextmanager
def started(argv: list[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, killed with all its kin when the context ends."""
    with subprocess.Popen[bytes](argv, start_new_session=True, **settings) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()


PROGRAM = r"""
import sys
path, *changes = sys.argv[1].split("\x1f")
text = open(path, encoding="utf-8").read()
for old, new in zip(changes[::2], changes[1::2]):
    assert old in text, old
    text = text.replace(old, new)
del sys.argv[1]
exec(compile(text, path, "exec"), {"__name__": "__main__"})
"""


def program(module: ModuleType, changes: Mapping[str, str]) -> list[str]:
    """The command that runs a module's text as a program of its own, after changes to it; lines keep their numbers."""
    words = [str(module.__file__), *(word for change in changes.items() for word in change)]
    return python("-u", "-c", PROGRAM, "\x1f".join(words))

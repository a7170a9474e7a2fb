"""A terminal that a command thinks it has."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import sys
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.kit.command import Orch

IN_A_TERMINAL = (
    sys.executable,
    "-c",
    (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    ),
)
"""Starts a program as the shell of a terminal does: leader of a session whose terminal is its standard input."""
CONTROL = re.compile(r"\x1b[\[\]()#;?]*[0-9;]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


@dataclass(frozen=True)
class Shown:
    """What a command wrote to its terminal, and its exit code."""

    text: str
    code: int


def in_terminal(orch: Orch, *args: str, width: int = 120, errors: bool = True, **variables: str) -> Shown:
    """Run a command whose standard input and output are a terminal, and standard error too unless said otherwise."""
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    options: dict[str, Any] = {"launcher": IN_A_TERMINAL, "stdin": its, "stdout": its}
    if errors:
        options["stderr"] = its
    env = {**orch.environ(), "TERM": "xterm-256color", **variables}
    started = orch.start(*args, env=env, **options)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return Shown(shown.decode(errors="replace").replace("\r\n", "\n"), started.wait())

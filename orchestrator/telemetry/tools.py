"""Samples accelerators by the tools of their vendors: rarely, one call at a time, each with a hard end."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.accelerators.outputs.reading import read_output
from orchestrator.accelerators.outputs.values import Fault, Output
from orchestrator.accelerators.tools import Question, Tool
from orchestrator.telemetry.devices import device
from orchestrator.telemetry.samples import Gap, Look, Sample

LONGEST_S = 8.0
"""How long a call may take; one that is slower would disturb what it measures."""
GRACE_S = 1.0
"""How long a killed tool may take to be gone."""
LEFT_S = 2.0
"""How much longer a tool may live of which nobody waits for the end, because orch was killed."""
POLL_S = 0.2
ENDS_S = 0.005
LONGEST_DETAIL = 200
SERIAL = re.compile(r"\b(SN|Serial Number|Unique ID|UUID)\W+[\w-]+", re.IGNORECASE)
MOST = 2**20
"""Bytes that a tool may print."""


@dataclass(frozen=True)
class Answer:
    """What came of one call: what was printed, or why there is nothing."""

    text: str = ""
    gap: Gap | None = None
    left: subprocess.Popen[bytes] | None = None
    """A process that was killed and is not gone."""


def ask(argv: Sequence[str], ended: Callable[[], bool], longest_s: float = LONGEST_S) -> Answer:
    """Run a tool in a session of its own; it and what it has started are killed when the time is over.

    Args:
        argv: The command, with the path of the tool.
        ended: Says whether the answer is no longer wanted.
        longest_s: How long it may take.
    """
    if not os.access(argv[0], os.X_OK):
        return Answer(gap=Gap("not-started", argv[0]))
    guard = shutil.which("timeout")
    bounded = (guard, "-s", "KILL", f"{longest_s + LEFT_S:g}") if guard else ()  # for when orch itself is killed
    pipe, inlet = os.pipe()
    with os.fdopen(pipe, "rb", buffering=0) as outlet:
        try:
            process = subprocess.Popen(
                (*bounded, *argv), stdin=subprocess.DEVNULL, stdout=inlet, stderr=inlet, start_new_session=True
            )
        except OSError as error:
            return Answer(gap=Gap("not-started", f"{argv[0]}: {error.strerror}"))
        finally:
            os.close(inlet)
        gap, printed = _printed(outlet.fileno(), ended, time.monotonic() + longest_s)
    if gap is None and not _has_ended(process):  # it has closed its output and goes on
        gap = Gap("timeout", argv[0])
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(
            process.pid, signal.SIGKILL
        )  # and what it has left behind; it is not reaped, so the number is its own
    if not _has_ended(process):
        return Answer(gap=Gap("still-running", argv[0]), left=process)
    process.wait()
    return Answer(printed.decode(errors="replace"), gap)


class ToolLane:
    """One vendor's tool, which is asked its questions in turn."""

    def __init__(self, tool: Tool, argv0: str, ended: Callable[[], bool], longest_s: float = LONGEST_S) -> None:
        """Take a tool.

        Args:
            tool: The tool.
            argv0: Where it lies.
            ended: Says whether the recording has ended.
            longest_s: How long a call may take.
        """
        self._tool = tool
        self._argv0 = argv0
        self._ended = ended
        self._longest_s = longest_s
        self._left: subprocess.Popen[bytes] | None = None
        self._addresses: dict[tuple[int, int], str] | None = {} if tool.cards is None else None
        self._questions = list(tool.figures)
        self._answered: set[Question] = set()

    def read(self) -> Look:
        """Ask the next question; the cards' addresses are asked for before the first."""
        if self._left is not None:
            if self._left.poll() is None:
                return Look(gaps=(Gap("still-running", self._argv0),))
            self._left = None
        if self._addresses is None:
            output, gap = self._asked(self._tool.cards or Question())
            if gap is not None:
                return Look(gaps=(gap,))
            self._addresses = {
                (card.index, card.part): card.address
                for card in output.cards
                if card.address is not None and card.index is not None
            }
        question = self._questions[0]
        output, gap = self._asked(question)
        if gap is None:
            self._answered.add(question)
        unknown = gap is not None and gap.id == "refused" and question not in self._answered
        if len(self._questions) > 1:
            self._questions.pop(0)
            if not unknown:
                self._questions.append(question)
        return Look(gaps=(gap,)) if gap is not None else self._look(output)

    def _asked(self, question: Question) -> tuple[Output, Gap | None]:
        answer = ask((self._argv0, *question.arguments), self._ended, self._longest_s)
        self._left = answer.left
        if answer.gap is not None:
            return Output(), answer.gap
        output = read_output(answer.text, question.fields)
        if output.cards:
            return output, None
        fault = output.faults[0]
        gap = "no-driver" if fault.id == "no-driver" else "device-lost" if fault.id == "device-lost" else "refused"
        return output, Gap(gap, _told(fault))

    def _look(self, output: Output) -> Look:
        samples: list[Sample] = []
        gaps = [
            Gap("device-lost", fault.detail, fault.detail[-60:]) for fault in output.faults if fault.id == "device-lost"
        ]
        told = [fault for fault in output.faults if fault.id != "device-lost"]
        gaps += [Gap("refused", _told(told[0]), "parts")] if told else []
        known = self._addresses or {}
        for card in output.cards:
            number = (card.index if card.index is not None else -1, card.part)
            address = card.address or known.get(number) or known.get((number[0], 0))
            if address is None:
                gaps.append(Gap("card-unnamed", "", f"{self._tool.names[0]} {card.index}"))
                continue
            samples.append(device(f"{address}/{card.part}" if card.part else address, card.figures))
        return Look(tuple(samples), tuple(gaps))


def _told(fault: Fault) -> str:
    """Return what of an output could not be read, without what identifies a card to its maker."""
    return SERIAL.sub(r"\1 …", f"{fault.id}: {fault.detail}")[:LONGEST_DETAIL]


def found(tool: Tool, root: Path = Path("/")) -> str | None:
    """Return where a tool lies, or None."""
    for name in tool.names:
        for folder in tool.folders:
            path = root / folder.lstrip("/") / name
            if os.access(path, os.X_OK):
                return str(path)
        if root == Path("/") and (on_path := shutil.which(name)):
            return on_path
    return None


def _printed(pipe: int, ended: Callable[[], bool], end: float) -> tuple[Gap | None, bytes]:
    """Return what comes out of a pipe until it is closed, or why it was no longer waited for."""
    printed = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0 or ended():
                return Gap("timeout"), printed
            if not selector.select(min(left, POLL_S)):
                continue
            piece = os.read(pipe, 65536)
            if not piece:
                return None, printed
            printed += piece
            if len(printed) > MOST:
                return Gap("too-long"), b""


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait a little for the end of a process, and leave it to be reaped."""
    end = time.monotonic() + GRACE_S
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= end:
            return False
        time.sleep(ENDS_S)
    return True

"""Promise T2: the first signal is raised, later ones only hurry, and the exit code says which was the first."""

from __future__ import annotations

import signal
import subprocess

import pytest
from processes import python, started

from orchestrator.interruption import SIGNALS, Interruption

PROGRAM = """
import os, signal, sys
from orchestrator.errors import Interrupted
from orchestrator.interruption import Interruption

def say(*words):
    print(*words, flush=True)

def kill(*signums):
    for signum in signums:
        os.kill(os.getpid(), signum)

try:
    with Interruption() as interruption:
        {body}
except Interrupted as interrupted:
    say("interrupted by", interrupted.signum)
    {after}
    sys.exit(128 + interrupted.signum)
say("not interrupted")
{after}
"""


def run(body: str, after: str = "pass", ignoring: signal.Signals | None = None) -> tuple[int, list[str]]:
    """Run a body under an Interruption in a process of its own; return its exit code and what it said."""
    program = PROGRAM.format(body=body.strip().replace("\n", "\n        "), after=after)
    trap = f"trap '' {int(ignoring)}; " if ignoring else ""
    argv = ["sh", "-c", f'{trap}exec "$@"', "sh", *python("-c", program)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


TEARDOWN = """
try:
    kill({first})
    say("still here")
finally:
    kill(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    say("torn down", interruption.first, interruption.count, interruption.hurried())
"""


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_is_raised_and_later_ones_do_not_break_the_teardown(signum: signal.Signals) -> None:
    code, said = run(TEARDOWN.format(first=int(signum)))
    assert code == 128 + signum
    assert said == [f"torn down {int(signum)} 4 True", f"interrupted by {int(signum)}"]


def test_signals_after_the_end_do_not_change_the_exit_code() -> None:
    code, said = run("kill(signal.SIGTERM)", after="kill(signal.SIGINT, signal.SIGHUP)")
    assert (code, said) == (143, ["interrupted by 15"])


def test_a_signal_while_disarmed_is_raised_at_the_end() -> None:
    code, said = run("interruption.disarm()\nkill(signal.SIGHUP)\nsay('carried through', interruption.hurried())")
    assert (code, said) == (129, ["carried through False", "interrupted by 1"])


def test_a_signal_while_disarmed_does_not_hide_an_error() -> None:
    program = PROGRAM.format(body="interruption.disarm(); kill(signal.SIGHUP); raise LookupError('mine')", after="pass")
    done = subprocess.run(python("-c", program), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("LookupError: mine\n")


def test_a_signal_while_disarmed_is_raised_when_it_is_armed_again() -> None:
    code, said = run("interruption.disarm()\nkill(signal.SIGHUP)\nsay('still')\ninterruption.rearm()\nsay('never')")
    assert (code, said) == (129, ["still", "interrupted by 1"])


def test_armed_again_it_raises_signals_again() -> None:
    body = "interruption.disarm()\ninterruption.rearm()\nsay('armed')\nkill(signal.SIGTERM)\nsay('never')"
    assert run(body) == (143, ["armed", "interrupted by 15"])


def test_once_closed_signals_are_taken_no_notice_of() -> None:
    code, said = run("interruption.close()\nkill(signal.SIGTERM, signal.SIGINT)\nsay(interruption.first)")
    assert (code, said) == (0, ["None", "not interrupted"])


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_the_caller_ignores_stays_ignored(signum: signal.Signals) -> None:
    body = f"kill({int(signum)})\nsay(interruption.count)\nkill(signal.SIGTERM)"
    code, said = run(body, ignoring=signum)
    assert (code, said) == (143, ["0", "interrupted by 15"])


def test_without_a_signal_everything_is_as_before() -> None:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with Interruption() as interruption:
        assert [signal.getsignal(signum) for signum in SIGNALS] != before
    assert [signal.getsignal(signum) for signum in SIGNALS] == before
    assert (interruption.first, interruption.count, interruption.hurried()) == (None, 0, False)


def test_after_it_a_signal_ends_the_process_as_usual() -> None:
    with started(python("-c", PROGRAM.format(body="pass", after="kill(signal.SIGTERM)"))) as process:
        assert process.wait() == -signal.SIGTERM


def test_a_signal_breaks_a_wait() -> None:
    body = "import threading, time\nthreading.Timer(0.05, kill, [signal.SIGQUIT]).start()\ntime.sleep(600)"
    assert run(body) == (131, ["interrupted by 3"])

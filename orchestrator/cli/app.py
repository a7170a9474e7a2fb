"""The `orch` command: a group of thin commands over the jobs; here alone errors become exit codes.

Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from orchestrator import __version__
from orchestrator.cli.commands import deployments, files, jobs
from orchestrator.cli.output import say
from orchestrator.errors import ExitCode, Interrupted, OrchError, OutputError
from orchestrator.text import Text

GARBAGE = 100_000
"""Objects made and not dropped before garbage is looked for; Python's own 700 is for programs that start with few."""

NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""Without it pydantic reads what every installed package says of itself, to find plugins that orch has no use for."""


class Orch(click.Group):
    """The group of all commands; a reader that goes away ends it as it ends other programs."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line, which may already write a help text."""
        with _written():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _written():
            return super().invoke(ctx)


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Let everything reach standard output; raise Interrupted if its reader is gone, OutputError if a disk is full."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        _no_more_output()
        raise Interrupted(signal.SIGPIPE) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _no_more_output()
        raise OutputError(
            Text("standard output cannot be written: {strerror}", strerror=error.strerror), "Free some space."
        ) from error


def _no_more_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Orch, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="orch")
@click.option("--debug", is_flag=True, envvar="ORCH_DEBUG", help="Show a traceback with every error.")
def orch(debug: bool) -> None:
    """Serve a model with vLLM in a container, benchmark it, and leave the node as it was.

    \b
    orch run cpu-tiny                         the whole job, with guaranteed teardown
    orch up ds-671b-awq && orch bench         the same in steps
    """  # noqa: D301 - click wants the control character
    click.get_current_context().meta["debug"] = debug


for command in (jobs.run, jobs.up, jobs.bench, deployments.down, deployments.status, deployments.ps, deployments.logs,
                deployments.gc, files.plan, jobs.search, files.profile, files.results):  # fmt: skip
    orch.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process with the exit code that the outcome stands for.

    What is imported stays to the end: looking for garbage among it while it is made, and taking it apart at the end,
    would be a good part of the time in which a command answers. The kernel frees a process at once.
    """
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    os.environ.setdefault(*NO_PLUGINS)
    code = _run()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone
            stream.flush()
    os._exit(code)


def _run() -> int:
    debug = "--debug" in sys.argv or bool(os.environ.get("ORCH_DEBUG"))
    try:
        outcome = orch.main(standalone_mode=False)
    except SystemExit as ended:  # click, once it has completed what was typed
        outcome = ended.code
    except click.exceptions.Abort:
        return _ended_by(signal.SIGINT)
    except Interrupted as interruption:
        return _ended_by(interruption.signum)
    except click.ClickException as error:
        error.show(sys.stderr)
        return ExitCode.USAGE
    except OrchError as error:
        if debug:
            _show_traceback()
        say(describe(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets one clear line
        if debug:
            _show_traceback()
        say(f"orch: this is a fault of orch itself: {type(error).__name__}: {error}")
        say(f"      Report it, with the traceback {'above' if debug else 'of: orch --debug …'}")
        return ExitCode.RUN_FAILED
    return outcome if isinstance(outcome, int) else ExitCode.OK


def _show_traceback() -> None:
    import traceback

    traceback.print_exc()


def describe(error: OrchError) -> str:
    """Return an error as the lines that a person reads: what and where, then what to do next."""
    lines = [f"orch: {error.message}"]
    if error.hint:
        lines.append("      " + error.hint.replace("\n", "\n      "))
    return "\n".join(lines)


def _ended_by(signum: int) -> int:
    if signum not in (signal.SIGINT, signal.SIGPIPE):  # whoever pressed Ctrl-C or went away knows
        say(f"orch: ended by {signal.Signals(signum).name}")
    return 128 + signum

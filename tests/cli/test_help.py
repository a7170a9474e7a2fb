"""C5, C4: help of every command answers at once, and says what the command is for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from samples import a_profile, a_run

from orchestrator import __version__
from orchestrator.cli.app import orch as group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.kit.command import Orch

HEAVY = ("docker", "requests", "pydantic", "rich", "yaml", "tenacity", "psutil")
"""Packages that only commands which work need."""


def commands(command: click.Command = group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))


def imported(*args: str, **variables: str) -> set[str]:
    """Return the top-level packages that a command line imports."""
    program = (
        "import json, os, sys\n"
        "def leave(code):\n"
        "    print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
        "    sys.exit(code)\n"
        "os._exit = leave\n"
        "sys.argv = ['orch', *sys.argv[1:]]\n"
        "from orchestrator.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        encoding="utf-8",
        env=variables,
        timeout=120,
        check=False,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("path", list(commands()), ids=lambda path: " ".join(path) or "orch")
def test_every_command_has_help(path: tuple[str, ...], orch: Orch) -> None:
    for flag in ("--help", "-h"):
        done = orch(*path, flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Usage: {' '.join(('orch', *path))} ")
        assert "\\b" not in done.stdout
        assert "\b" not in done.stdout


def test_the_first_page_lists_every_command_and_how_to_begin(orch: Orch) -> None:
    page = orch.ok("--help")
    assert "  orch run cpu-tiny                         the whole job, with guaranteed teardown\n" in page
    assert "  orch up ds-671b-awq && orch bench         the same in steps\n" in page
    for name in group.commands:
        assert f"\n  {name} " in page


def test_without_a_command_help_is_shown(orch: Orch) -> None:
    done = orch()
    assert done.returncode == 2
    assert "Usage: orch [OPTIONS] COMMAND [ARGS]..." in done.stdout + done.stderr


def test_the_module_is_the_command(orch: Orch) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "--version"],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert done.stdout == orch.ok("--version") == f"orch, version {__version__}\n"


@pytest.mark.parametrize("args", [("--help",), ("run", "--help"), ("--version",), ("no-such-command",)])
def test_help_imports_nothing_that_it_does_not_need(args: tuple[str, ...]) -> None:
    assert imported(*args) & set(HEAVY) == set()


def test_completing_a_profile_imports_neither_the_engine_nor_the_schema() -> None:
    asked = {"_ORCH_COMPLETE": "bash_complete", "COMP_WORDS": "orch up cpu", "COMP_CWORD": "2"}
    assert imported(**asked) & {"docker", "requests", "pydantic", "rich"} == set()


def test_a_list_of_runs_imports_neither_the_engine_nor_what_reads_profiles(tmp_path: Path) -> None:
    run = a_run(tmp_path, a_profile(), done=0)
    assert run.manifest().varied == {}
    loaded = imported("results", "list", ORCH_RUNS_DIR=str(tmp_path))
    assert "pydantic" in loaded
    assert loaded & {"docker", "requests", "yaml", "rich"} == set()

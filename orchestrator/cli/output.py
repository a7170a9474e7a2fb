"""How commands speak: data to standard output, remarks to standard error, tables only where a person reads.

Colour is used on a terminal unless NO_COLOR is set and not empty; JSON is never coloured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # every command speaks, few write a table
    from collections.abc import Callable, Mapping

    from orchestrator.cli.grid import Grid

SCHEMA_VERSION = 2
UNSTYLED = ("dumb", "unknown")
"""Terminals that show control characters as they are."""


def say(line: str) -> None:
    """Write a remark to standard error; where that is gone, as with a closed terminal, nobody misses it."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)


def emit(text: str) -> None:
    """Write data to standard output."""
    click.echo(text)


def emit_json(kind: str, body: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output; `kind` names its shape, whose version is `schema_version`."""
    document = {"schema_version": SCHEMA_VERSION, "kind": kind, **body}
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def emit_table(table: Grid, narrow: Callable[[], Grid] | None = None) -> None:
    """Write a table to standard output, or the one that `narrow` makes where the terminal is too small for it.

    No figure is ever cut: a table that is wider than its terminal is written as wide as it is.
    """
    terminal = sys.stdout.isatty()
    if narrow is not None and terminal and table.width > shutil.get_terminal_size().columns:
        table = narrow()
    styled = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in UNSTYLED
    click.echo("\n".join(table.lines(styled=styled)), color=styled)

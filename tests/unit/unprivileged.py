"""What an ordinary user meets in the folders of others, also where root runs the tests."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Whatever is looked at meanwhile is looked at without root's privileges."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextlib.contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder with a file in it that nobody but root may enter, in one that everybody may; pytest's own is closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "closed"
        folder.mkdir()
        (folder / "file.jsonl").write_text("x", encoding="utf-8")
        Path(name).chmod(0o755)
        folder.chmod(0)
        try:
            yield folder
        finally:
            folder.chmod(0o700)

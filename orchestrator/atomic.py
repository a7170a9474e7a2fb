"""Files that are complete or absent: written under a temporary name, synced, renamed, and the folder synced."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from orchestrator.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


def write_atomic(path: Path, content: bytes | str, mode: int = 0o644) -> None:
    """Put a whole file in place of whatever was there; raise OutputError if the disk refuses, leaving the old file."""
    data = content.encode() if isinstance(content, str) else content
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - the temporary name is a string
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108 - the temporary name is a string
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}",
            "Check free space and permissions, or choose another folder.",
        ) from error


def make_folder(path: Path, mode: int = 0o777) -> Path:
    """Make a folder and its parents if they are not there; raise OutputError if that is impossible."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {path}: {error.strerror}", "Check permissions, or choose another folder."
        ) from error
    return path


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files: whether they are there, for a user who may not enter every folder; written, they are complete or absent.

`Path.exists` and its kin raise PermissionError in a closed folder below Python 3.14, and from then on say that nothing
is there. What is written goes under a temporary name, is synced and renamed, and the folder is synced.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from orchestrator.errors import EnvironmentFault, OutputError
from orchestrator.text import Text


def write_atomic(path: Path, content: bytes | str, mode: int = 0o644, *, synced: bool = True) -> None:
    """Put a whole file in place of whatever was there; raise OutputError if the disk refuses, leaving the old file.

    What is not synced is complete or absent whatever becomes of orch, but not after a power cut; see `sync_files`.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                if synced:
                    os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if synced:
            sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            Text("cannot write {path}: {strerror}", path=path, strerror=error.strerror),
            "Check free space and permissions, or choose another folder.",
        ) from error


def make_folder(path: Path, mode: int = 0o777) -> Path:
    """Make a folder and its parents if they are not there; raise OutputError if that is impossible."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            Text("cannot make the folder {path}: {strerror}", path=path, strerror=error.strerror),
            "Check permissions, or choose another folder.",
        ) from error
    return path


def sync_files(folder: Path) -> None:
    """Make the files in a folder, and their names, survive a power cut; raise OutputError if the disk refuses."""
    try:
        for path in folder.iterdir():
            if path.is_file():
                _sync(path)
        _sync(folder)
    except OSError as error:
        raise OutputError(
            Text("cannot write {path}: {strerror}", path=folder, strerror=error.strerror),
            "Check free space and permissions, or choose another folder.",
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def may_exist(path: Path) -> bool:
    """Say whether something is there; also where we may not look, because the engine may, and will say."""
    try:
        return _mode(path) is not None
    except PermissionError:
        return True


def may_be_mounted(path: Path) -> bool:
    """Say whether it is a file or a folder, not a socket or a device; also where we may not look."""
    try:
        mode = _mode(path)
    except PermissionError:
        return True
    return mode is not None and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_file(path: Path) -> bool:
    """Say whether it is a file that is ours to read; raise EnvironmentFault where we may not look."""
    try:
        mode = _mode(path)
    except PermissionError as error:
        raise EnvironmentFault(
            Text("{path} cannot be read: {strerror}", path=path, strerror=error.strerror),
            "Run orch as the user it belongs to, or as root.",
        ) from None
    return mode is not None and stat.S_ISREG(mode)


def is_open_file(path: Path) -> bool:
    """Say whether it is a file, for a list of what we may look at: what lies behind closed doors is passed over."""
    try:
        return is_file(path)
    except EnvironmentFault:
        return False


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except PermissionError:
        raise
    except (OSError, ValueError):  # a name with a null in it is that of nothing
        return None

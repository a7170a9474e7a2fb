"""Whether a file is there, for a user who may not enter every folder.

`Path.exists` and its kin raise PermissionError there below Python 3.14, and from then on say that nothing is there.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from orchestrator.errors import EnvironmentFault

if TYPE_CHECKING:
    from pathlib import Path


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
            f"{path} cannot be read: {error.strerror}", "Run orch as the user it belongs to, or as root."
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

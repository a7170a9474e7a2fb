"""The folders that the environment asks for: the one place of the command line that reads it."""

from __future__ import annotations

import os

from orchestrator.folders import Folders, folders


def settings() -> Folders:
    """Return the folders of this user on this node."""
    return folders(os.environ)

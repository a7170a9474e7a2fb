"""Programs that run inside the container: each stands alone on what the image has.

What the container's command names lies as a file in the deployment's folder, which the container sees: the command
stays short. What is started later in a container, whoever made it, is sent as text.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from orchestrator.inside import supervisor

SUPERVISOR = Path(supervisor.__file__)
SOURCE = SUPERVISOR.with_name("source.sh")
FILES = (SUPERVISOR, SOURCE)
"""The programs that lie in a deployment's folder, under their own names."""


def in_container(file: Path) -> str:
    """Return where the container sees one of the files."""
    return f"{supervisor.FOLDER}/{file.name}"


def program_text(module: ModuleType) -> str:
    """Return a module's source text without its docstring, blank lines and comments at the ends of lines."""
    lines = inspect.getsource(module).split('"""', 2)[2].splitlines()
    return "\n".join(line.split("  # ")[0] for line in lines if line.strip()) + "\n"


def shell_text() -> str:
    """Return the shell program that sources files without its comments, to be given to `bash -c`."""
    lines = SOURCE.read_text(encoding="ascii").splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))

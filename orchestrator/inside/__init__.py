"""Programs that run inside the container: each stands alone on the standard library, and is sent as text."""

from __future__ import annotations

import inspect
from types import ModuleType


def program_text(module: ModuleType) -> str:
    """Return a module's source text without its docstring, blank lines and comments at the ends of lines."""
    lines = inspect.getsource(module).split('"""', 2)[2].splitlines()
    return "\n".join(line.split("  # ")[0] for line in lines if line.strip()) + "\n"

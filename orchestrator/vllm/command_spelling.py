"""What stands in a server's command as a shell would read it, where no shell does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
BACKGROUND = re.compile(r"(?<!&)&\s*$")


def spelling_problem(command: Sequence[str]) -> str | None:
    """Return why a command does not start what it names, with the way out; None if it does for all that is seen."""
    first, last = command[0], command[-1]
    if ASSIGNMENT.match(first):
        return f"begins with '{first}', a variable, which no shell sets here; write it in server.env"
    if first.split()[1:]:
        return f"holds '{first}' as one word; write [{', '.join(first.split())}]; a script is for bash -c"
    if '"$@"' in last and BACKGROUND.search(last):
        script = shlex.quote(last.rstrip().removesuffix("&").rstrip().removeprefix("nohup "))
        return f"its script leaves the server in the background and ends, and the container with it; write {script}"
    return None

"""Becomes a command with the deployment's secrets in its environment, as the supervisor starts the server with them.

The text of this module is executed in the container (`python3 -c`), so it stands alone and runs on any Python from 3.7.
Secrets come from the deployment's folder: a command line or an environment that the engine is told would show them.
"""

from __future__ import annotations

import json
import os
import sys

SECRETS = "/run/orch/secrets.json"


def main(argv: list[str]) -> None:
    with open(SECRETS, encoding="utf-8") as file:
        env = dict(os.environ, **json.load(file))
    try:
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        sys.exit("orch: cannot start %s: %s" % (argv[0], error.strerror))


if __name__ == "__main__":
    main(sys.argv[1:])

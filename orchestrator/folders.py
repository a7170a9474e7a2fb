"""Where orch looks and writes, as the environment says.

Without HOME the user's folders come from the password database; the state folder needs no home at all, because a
deployment's lease must lie on a local file system and be found by cron as well as by the user's shell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

import orchestrator

RUNS_DIR = "ORCH_RUNS_DIR"
STATE_DIR = "ORCH_STATE_DIR"
LOCKS_DIR = "ORCH_LOCKS_DIR"
PROFILES_DIR = "ORCH_PROFILES_DIR"


@dataclass(frozen=True)
class Folders:
    """Folders of this user on this node."""

    runs: Path
    """Run directories."""
    state: Path
    """Deployments that orch made on this node: leases and records."""
    locks: Path
    """Locks on the node's devices, in a folder that all users share."""
    cache: Path
    """What can be found out again; may be deleted at any time."""
    profiles: tuple[Path, ...]
    """Where profiles are looked for by name, first match wins; the package's own come last."""
    environ: Mapping[str, str] = field(repr=False)
    """The environment that secrets are read from."""


def folders(environ: Mapping[str, str]) -> Folders:
    """Return the folders that an environment asks for."""
    package = Path(orchestrator.__file__).parent
    shipped = package / "profiles"
    runs = environ.get(RUNS_DIR)
    state = environ.get(STATE_DIR)
    locks = environ.get(LOCKS_DIR)
    own = environ.get(PROFILES_DIR)
    return Folders(
        runs=Path(runs).absolute() if runs else platformdirs.user_data_path("orch") / "runs",
        state=Path(state).absolute() if state else Path("/var/tmp") / f"orch-{os.getuid()}",  # owner checked on use
        locks=Path(locks).absolute() if locks else Path("/var/tmp/orch-locks"),  # sticky; opened with care
        cache=platformdirs.user_cache_path("orch"),
        profiles=(
            *([Path(own).absolute()] if own else []),
            Path("profiles").absolute(),
            platformdirs.user_config_path("orch") / "profiles",
            shipped if shipped.is_dir() else package.parent / "profiles",
        ),
        environ=dict(environ),
    )

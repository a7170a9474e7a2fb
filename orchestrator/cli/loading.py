"""Profiles as the command line names them."""

from __future__ import annotations

from orchestrator.cli.settings import settings
from orchestrator.profile.inherited import with_values
from orchestrator.profile.reading.load import load_profile, load_resolved
from orchestrator.profile.reading.node_files import ReadPath
from orchestrator.profile.schema.profile import Profile


def load(profile: str, sets: tuple[str, ...], *, to_start: bool = False) -> Profile:
    """Return the resolved profile of a name or a path; to start it, with the variables that the shell passes on."""
    here = settings()
    loaded = load_profile(profile, here.profiles, sets)
    return with_values(loaded, here.environ) if to_start else loaded


def read_paths(profile: str, sets: tuple[str, ...]) -> tuple[ReadPath, ...]:
    """Return what was made of the paths that a profile does not write out."""
    return load_resolved(profile, settings().profiles, sets).paths

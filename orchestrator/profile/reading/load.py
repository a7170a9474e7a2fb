"""Loads a profile: a name or a path becomes the resolved profile, or an error that lists all faults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import ProfileError
from orchestrator.profile.reading.resolve import Resolved, resolve
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.find import find_profile


def load_profile(name_or_path: str, search: Sequence[Path], sets: Sequence[str] = ()) -> Profile:
    """Return the resolved profile of a name or a path.

    Args:
        name_or_path: a path if it holds a slash or ends in .yaml or .yml, else a name to look for.
        search: folders that names are looked for in, first match wins.
        sets: overrides such as `server.port=8010`, laid over the file in their order.

    Raises:
        ProfileError: there is no such profile, its file cannot be read, or it has faults; all are listed.
    """
    profile = load_resolved(name_or_path, search, sets).profile
    assert profile is not None  # noqa: S101 - there are no faults
    return profile


def load_resolved(name_or_path: str, search: Sequence[Path], sets: Sequence[str] = ()) -> Resolved:
    """Return the same with what was found on the way; see `load_profile`."""
    resolved = resolve(find_profile(name_or_path, search), search, sets)
    if resolved.profile is None:
        faults = resolved.faults
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise ProfileError(
            "\n".join([f"profile '{name_or_path}' has {count}", *map(str, faults)]),
            "`orch profile schema` and docs/profile.md tell every key",
        )
    return resolved

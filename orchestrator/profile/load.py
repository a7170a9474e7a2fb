"""Loads and lists profiles: what the rest of orch asks of this package.

Listing, which shell completion does at each key press, imports neither the schema nor pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import ProfileError
from orchestrator.profile.find import ProfileSummary, find_profile, list_profiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.profile.resolve import Resolved
    from orchestrator.profile.schema import Profile

__all__ = ["ProfileSummary", "find_profile", "list_profiles", "load_profile", "load_resolved"]


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
    from orchestrator.profile.resolve import resolve  # noqa: PLC0415 - see the module's docstring

    resolved = resolve(find_profile(name_or_path, search), search, sets)
    if resolved.profile is None:
        faults = resolved.faults
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise ProfileError(
            "\n".join([f"profile '{name_or_path}' has {count}", *map(str, faults)]),
            "`orch profile schema` and docs/profile.md tell every key",
        )
    return resolved

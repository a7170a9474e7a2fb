"""Reads a profile that a run or a deployment keeps: what it was begun with, not what is to be begun.

A record of the past is read by its structure and never refused, whatever this version asks of a new profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import ProfileError
from orchestrator.profile.checking.faults import faults_of
from orchestrator.profile.merging.merge import without_nulls
from orchestrator.profile.reading.structure import Aside, read_model
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.document import parse_profile, read_text
from orchestrator.profile.text.tree import Fault, Mark, Node, plain, show_keys

BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
"""Errors of a number that is beyond a bound: what was begun with it can go on with it."""


@dataclass(frozen=True)
class Stored:
    """A profile as it was written down, as far as this version has a place for it."""

    profile: Profile
    root: Node
    """All of it."""
    aside: tuple[Aside, ...] = ()
    """What has no place in the profile."""
    faults: tuple[Fault, ...] = ()
    """What of the file itself cannot be read."""
    unreadable: str = ""
    """Why nothing of it can be read."""

    def note(self) -> str:
        """Return one line about what could not be read; empty where all was."""
        if self.unreadable:
            return f"the profile on record is not known: {self.unreadable}"
        keys = [show_keys(aside.keys) for aside in self.aside] + [fault.key for fault in self.faults]
        names = ", ".join(dict.fromkeys(keys))
        return f"the profile on record has what this version of orch does not know: {names}" if names else ""

    def refused(self) -> tuple[Fault, ...]:
        """Return what a new profile would be refused for, but for numbers that are beyond a bound of today."""
        try:
            Profile.model_validate(plain(self.root))
        except ValidationError as error:
            errors = [item for item in error.errors(include_url=False) if item["type"] not in BOUNDS]
            return (*self.faults, *faults_of(errors, self.root, incomplete=False))
        return self.faults


def read_stored(path: Path) -> Stored:
    """Return the resolved profile that a file keeps; a file that cannot be read is an empty profile with the reason."""
    nothing = Node(Mark(str(path), 1, 1), {})
    try:
        document = parse_profile(read_text(path), str(path))
    except ProfileError as error:
        return Stored(read_model(Profile, {})[0], nothing, unreadable=error.message)
    if document.root is None:
        reason = "; ".join(map(str, document.faults))
        return Stored(read_model(Profile, {})[0], nothing, faults=document.faults, unreadable=reason)
    root = without_nulls(document.root)
    profile, aside = read_model(Profile, plain(root))
    return Stored(profile, root, aside, document.faults)

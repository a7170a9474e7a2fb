"""Remarks on a valid profile: what a careful engineer would look at twice.

A remark is never an error and nothing depends on it; no remark repeats the value of a variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.profile import lint_container, lint_server, lint_sweep

if TYPE_CHECKING:
    from orchestrator.profile.schema import Profile


@dataclass(frozen=True)
class Remark:
    """Something worth a second look."""

    key: str
    """Dotted path of the key that it is about."""
    text: str


def lint(profile: Profile) -> list[Remark]:
    """Return the remarks on a resolved profile, in the order of its sections."""
    rules = (*lint_container.RULES, *lint_server.RULES, *lint_sweep.RULES)
    return [Remark(key, text) for rule in rules for key, text in rule(profile)]

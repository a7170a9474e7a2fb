"""Remarks on a valid profile: what a careful engineer would look at twice.

A remark is never an error and nothing depends on it; no remark repeats the value of a variable.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.lint import blind as lint_blind
from orchestrator.lint import container as lint_container
from orchestrator.lint import server as lint_server
from orchestrator.lint import sweep as lint_sweep
from orchestrator.profile import flags
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.parser import ImageParsers


@dataclass(frozen=True)
class Remark:
    """Something worth a second look."""

    key: str
    """Dotted path of the key that it is about."""
    text: str


def lint(profile: Profile, parsers: ImageParsers | None = None) -> list[Remark]:
    """Return the remarks on a resolved profile, in the order of its sections; with what its image's parsers know."""
    found = [item for rule in (*lint_container.RULES, *lint_server.RULES) for item in rule(profile)]
    found += flags.remarks(profile, parsers)
    found += [item for rule in (*lint_sweep.RULES, *lint_blind.RULES) for item in rule(profile)]
    if parsers is not None:
        found += (*lint_sweep.unmeasurable(profile, parsers), *flags.not_asked(profile, parsers))
    return [Remark(key, text) for key, text in found]

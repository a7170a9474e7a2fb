"""Writes a resolved profile as YAML that loads back to an equal profile, whatever its texts hold."""

from __future__ import annotations

import yaml

from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.scalars import Dumper


def dump_profile(profile: Profile) -> str:
    """Return a resolved profile as YAML: every key, defaults included, in the schema's order."""
    text: str = yaml.dump(
        profile.model_dump(mode="json"),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
        default_flow_style=False,
    )
    return text

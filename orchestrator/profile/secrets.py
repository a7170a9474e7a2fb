"""Secrets: read from where the profile says when a deployment is made, and written into nothing but its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import EnvironmentFault
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.values import FromEnv, SecretRef
from orchestrator.text import Text

SHORTEST = 4
"""Characters that a secret has at least; a shorter one occurs in logs by chance."""


def read_secrets(profile: Profile, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets' values by variable name; raise EnvironmentFault naming one that is not there."""
    values = {name: _value(name, reference, environ) for name, reference in profile.secrets().items()}
    for name, value in values.items():
        if 0 < len(value) < SHORTEST:
            raise EnvironmentFault(
                Text(
                    "the secret {name} has {count} characters: masking so short a text would hide half of every log",
                    name=name,
                    count=len(value),
                ),
                Text("If it is none, pass it on as it is: container.env: {{{name}: {{inherit: true}}}}", name=name),
            )
    return values


def readable_secrets(profile: Profile, environ: Mapping[str, str]) -> dict[str, str]:
    """Return those of the secrets' values that are there, for whoever can do without the others."""
    found = {}
    for name, reference in profile.secrets().items():
        with contextlib.suppress(EnvironmentFault):
            found[name] = _value(name, reference, environ)
    return found


def _value(name: str, reference: SecretRef, environ: Mapping[str, str]) -> str:
    if isinstance(reference, FromEnv):
        if reference.from_env not in environ:
            raise EnvironmentFault(
                Text(
                    "the secret {name} comes from the variable {from_env}, which is not set",
                    name=name,
                    from_env=reference.from_env,
                ),
                Text(
                    "export {from_env}=…   (cron does not read your shell's profile; from_file works there)",
                    from_env=reference.from_env,
                ),
            )
        return environ[reference.from_env]
    try:
        text = Path(reference.from_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EnvironmentFault(
            Text(
                "the secret {name} comes from the file {from_file}, which cannot be read: {reason}",
                name=name,
                from_file=reference.from_file,
                reason=reason,
            ),
            "Check the path and its permissions.",
        ) from error
    return text.removesuffix("\n")

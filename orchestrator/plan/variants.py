"""The variants of a profile: the different servers that its `vary` section comes to, in the order they are started in.

Combinations with the same container and server are one variant, so each server is started once; variants of one image
follow one another. A profile that varies nothing is its own only variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.errors import UsageError
from orchestrator.plan.container import serving_hash
from orchestrator.plan.naming import label
from orchestrator.profile.merging.combinations import text_of, varied_keys
from orchestrator.profile.reading.variants import profiles_of
from orchestrator.profile.schema.keys import split_key
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text


@dataclass(frozen=True)
class Variant:
    """One server that the sweep is run against."""

    profile: Profile
    """The profile with the variant's values in it; it varies nothing itself."""
    varied: Mapping[str, str | None]
    """What it has at each key that varies, as text; None where it has nothing."""

    @property
    def label(self) -> str:
        """Return what sets it apart, such as `max-num-seqs=64 image=a:1`."""
        return label(self.varied)


def variants(profile: Profile) -> tuple[Variant, ...]:
    """Return the variants of a resolved profile, as many as there are different containers and servers."""
    if profile.vary is None:
        return (Variant(profile, {}),)
    own = profile.model_dump(mode="json")
    unvaried = {key: _text_at(own, split_key(key)) for key in varied_keys(profile.vary)}
    found: dict[str, Variant] = {}
    for combination, made in profiles_of(profile):
        chosen = {key: None if choice.value is None else text_of(choice.value) for key, choice in combination.items()}
        found.setdefault(serving_hash(made), Variant(made, {**unvaried, **chosen}))
    images = [variant.profile.container.image for variant in found.values()]
    return tuple(sorted(found.values(), key=lambda variant: images.index(variant.profile.container.image)))


def only_variant(profile: Profile) -> Profile:
    """Return the profile of the one server that a profile comes to; raise UsageError if it varies and comes to more."""
    found = variants(profile)
    if len(found) == 1:
        return found[0].profile
    chosen = " ".join(f"--set {key}=…" for key in found[0].varied)
    raise UsageError(
        Text("the profile {profile} varies: it comes to {count} servers", profile=profile.name, count=len(found)),
        Text("All of them, one after the other: orch run PROFILE   One of them: --set vary= {chosen}", chosen=chosen),
    )


def _text_at(data: JsonValue, path: tuple[str, ...]) -> str | None:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return None if data is None else text_of(data)

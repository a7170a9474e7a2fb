"""Looks up the way out of a fault: the one place that decides which there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from orchestrator.profile.checking.ways import docker, flags, pods, values
from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.text.tree import Keys

Family = Callable[[Keys, object], WayOut | None]

Wrong = Literal["unknown key", "shape", "value", "no value"]
"""What is wrong at a place: a key that no profile has, a value of another type than its key's, a value of the type that
is refused all the same, a key without a value."""

FAMILIES: Mapping[Wrong, tuple[Family, ...]] = {
    "unknown key": (docker.of_key, flags.of_key, pods.of_key),
    "shape": (values.of_limit, values.of_shape),
    "value": (values.of_limit, values.of_empty),
    "no value": (values.of_nothing,),
}
"""The families that know a way out of each; the first that knows one is heard."""


def way_out(wrong: Wrong, keys: Keys, given: object = None) -> WayOut | None:
    """Return what to write instead; None where no family knows.

    Args:
        wrong: What is wrong.
        keys: Where in a profile it stands.
        given: The value that stands there.
    """
    found = (family(keys, given) for family in FAMILIES[wrong])
    return next((way for way in found if way is not None), None)

"""The `vary` section of a profile: which keys of the container and the server take several values, one server each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue

from orchestrator.profile.schema.values import AXIS_PATTERN, Section

Axis = Annotated[str, Field(pattern=AXIS_PATTERN)]
"""A dotted key such as `server.flags.max-num-seqs`, `server.env.NAME` or `container.image`."""


class Vary(Section):
    """Values that keys of the server and the container take in turn; each different server is started once."""

    axes: Mapping[Axis, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Lists of values by key, such as `server.flags.max-num-seqs: [64, 128]`; each combination is one variant.

    A value is laid over the profile as `--set` lays it, so null takes a key away.
    """
    linked: tuple[Annotated[tuple[Axis, ...], Field(json_schema_extra={"minItems": 2})], ...] = ()
    """Groups of axes that vary together: the first values of all, then the second ones, and so on."""
    exclude: tuple[Annotated[Mapping[Axis, JsonValue], Field(json_schema_extra={"minProperties": 1})], ...] = ()
    """Combinations to leave out: all that have these values."""
    include: tuple[Mapping[Axis, JsonValue], ...] = ()
    """Combinations to add, with keys that need not be axes; a key that is left out keeps the profile's own value."""

"""What a machine's sensors and counters report: a value, its unit, and how far it can be believed."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Quality(enum.Enum):
    """How far a reading can be believed; the values are the letters of the recorded format."""

    OK = "."
    IMPLAUSIBLE = "?"
    """The source reported it, and it contradicts what the source reports beside it, or nature."""
    ABSENT = "-"
    """The source does not have it, or did not report it this time."""
    LATE = "~"
    """It came later than it was due, so that it belongs to no certain moment."""


class Kind(enum.Enum):
    """How the values of a column hang together over time."""

    GAUGE = "gauge"
    """A value at a moment, or the mean since the reading before."""
    COUNTER = "counter"
    """A total that only rises, and begins anew where its source does."""
    STATE = "state"
    """A word."""


@dataclass(frozen=True)
class Column:
    """What one figure is."""

    name: str
    unit: str
    """Such as W, B, C, MHz, %; empty for words and counts."""
    kind: Kind = Kind.GAUGE


@dataclass(frozen=True)
class Reading:
    """One figure as it was read. A missing value is None, never 0."""

    value: float | str | None
    quality: Quality = Quality.OK


ABSENT = Reading(None, Quality.ABSENT)


def reading(value: float | str | None) -> Reading:
    """Return the reading of a value that is believed, or ABSENT for None."""
    return ABSENT if value is None else Reading(value)

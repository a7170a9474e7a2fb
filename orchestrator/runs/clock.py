"""The time as records hold it."""

from __future__ import annotations

import datetime as dt


def now() -> str:
    """Return the time in UTC as ISO 8601."""
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds")

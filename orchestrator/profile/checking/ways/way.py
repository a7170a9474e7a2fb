"""The value of one way out, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WayOut:
    """What to write in place of something that a profile does not take: a key, what to do, or nothing at all."""

    key: str = ""
    """Name of the key that says the same."""
    how: str = ""
    """What to do, or why nothing is to be done."""
    leave_out: bool = False
    """Whether nothing need be written."""

    def __str__(self) -> str:
        """Return the sentence, without a full stop."""
        here = f"here it is {self.key}" if self.key else ""
        return "; ".join(filter(None, (here, self.how, "leave it out" if self.leave_out else "")))

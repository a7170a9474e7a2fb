"""The search for the highest load that meets all objectives: doubling, bisection, repetitions at the boundary.

The search is pure: it takes the result of a load and returns the next load to try. It assumes that a load above a
missed one is missed too; the repetitions at the boundary show where this assumption is wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

CONFIDENCE = 0.95


@dataclass
class CapacitySearch:
    """A search over whole steps of load, such as concurrency."""

    lowest: int
    """First load to try."""
    highest: int
    """Load beyond which nothing is tried."""
    repetitions: int
    """How often each side of the boundary is measured in the end."""
    resolution: float = 0.0
    """The search ends when the two sides are no further apart than this part of the load; 0 means one step."""
    _met: Counter[int] = field(default_factory=Counter)
    _missed: Counter[int] = field(default_factory=Counter)

    def tell(self, load: int, *, met: bool) -> None:
        """Record the result of a measurement."""
        (self._met if met else self._missed)[load] += 1

    def next(self) -> int | None:
        """Return the load to measure next, or None when the search is over."""
        below, above = self.capacity(), self.limit()
        if below is None:
            return self.lowest if above is None else self._again(above)
        if above is None:
            return self._again(below) if below >= self.highest else min(2 * below, self.highest)
        if above - below > max(1, int(self.resolution * below)):
            return (below + above) // 2
        return self._again(below, above)

    def capacity(self) -> int | None:
        """Return the highest load that met the objectives more often than not, below the limit; None if none did."""
        limit = self.limit()
        met = [load for load in self._met if not self._is_missed(load) and (limit is None or load < limit)]
        return max(met, default=None)

    def limit(self) -> int | None:
        """Return the lowest load that missed them at least as often as it met them; None if none did."""
        return min((load for load in self._missed if self._is_missed(load)), default=None)

    def statement(self, unit: str, bounds: str = "objectives") -> str:
        """Return what the search has found, and how sure that is; `bounds` is what met and missed refer to.

        The bound is the one-sided Clopper-Pearson bound for n of n: alpha ** (1 / n).
        """
        below, above = self.capacity(), self.limit()
        parts = [self._side(load, unit) for load in (below, above) if load is not None]
        if below is None:
            return f"not even the lowest {unit} that was tried meets the {bounds}: {', '.join(parts)}"
        if above is None:
            parts.append(f"no higher {unit} than {below} was tried")
        times = self._met[below]
        if not self._missed[below]:
            sure = (1.0 - CONFIDENCE) ** (1.0 / times)
            parts.append(
                f"with {CONFIDENCE:.0%} confidence {unit} {below} meets them in at least {sure:.0%} of measurements"
            )
        meets = "that meets" if self.next() is None else "known to meet"
        between = above is not None and above - below > 1 and self.next() is None
        found = f"at least {below} and less than {above}" if between else str(below)
        return f"the highest {unit} {meets} the {bounds} is {found}: {', '.join(parts)}"

    def _again(self, *loads: int) -> int | None:
        return next((load for load in loads if self._met[load] + self._missed[load] < self.repetitions), None)

    def _is_missed(self, load: int) -> bool:
        return self._missed[load] >= max(self._met[load], 1)

    def _side(self, load: int, unit: str) -> str:
        times = self._met[load] + self._missed[load]
        return f"met in {self._met[load]} of {times} at {unit} {load}"

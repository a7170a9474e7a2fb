"""The search for the highest load that meets all objectives: doubling, bisection, repeats at the boundary.

The search is pure: it takes the result of a load and returns the next load to try. It assumes that a load above a
missed one is missed too; the repeats show where this assumption is wrong.

What is said of a load rests on its repeats alone, in which the two sides of the boundary take turns. The measurement by
which the search came to the load is no evidence: it was chosen for its result. The bound is exact for repeats that are
independent of each other on this server start: whatever the true chances are, it is wrong in at most 5 % of searches.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from orchestrator.results.distributions import at_least

CONFIDENCE = 0.95
LATER = 0.2
"""Part of the allowance for error that is kept for a second load, should the first be refuted; and so on."""


@dataclass
class CapacitySearch:
    """A search over whole steps of load, such as concurrency."""

    lowest: int
    """First load to try."""
    highest: int
    """Load beyond which nothing is tried."""
    repetitions: int
    """How often each side of the boundary is measured again in the end."""
    resolution: float = 0.0
    """The search ends when the two sides are no further apart than this part of the load; 0 means one step."""
    _outcomes: defaultdict[int, list[bool]] = field(default_factory=lambda: defaultdict(list))
    """Whether the objectives were met, for each load in the order of its measurements."""
    _candidates: dict[int, int] = field(default_factory=dict)
    """Loads whose repeats as the capacity began, in that order, and how often each had been measured before."""

    def tell(self, load: int, *, met: bool) -> None:
        """Record the result of a measurement."""
        self._outcomes[load].append(met)
        below = self.capacity()
        if below is not None and self._is_closed_in() and below not in self._candidates:
            self._candidates[below] = len(self._outcomes[below])

    def next(self) -> int | None:
        """Return the load to measure next, or None when the search is over."""
        below, above = self.capacity(), self.limit()
        if not self._is_closed_in():
            if below is None:
                return self.lowest
            return min(2 * below, self.highest) if above is None else (below + above) // 2
        sides = [load for load in (below, above) if load is not None]
        left = [load for load in sides if len(self.repeats(load)) < self.repetitions]
        return min(left, key=lambda load: len(self.repeats(load)), default=None)

    def capacity(self) -> int | None:
        """Return the highest load that meets the objectives more often than not, below the limit; None if none does."""
        limit = self.limit()
        tried = [load for load in self._outcomes if not self._is_missed(load) and (limit is None or load < limit)]
        return max(tried, default=None)

    def limit(self) -> int | None:
        """Return the lowest load that misses them at least as often as it meets them; None if none does."""
        return min((load for load in self._outcomes if self._is_missed(load)), default=None)

    def repeats(self, load: int) -> list[bool]:
        """Return whether the objectives were met in each measurement of a load that did not choose it."""
        return self._outcomes[load][self._candidates.get(load, 1) :] if load in self._outcomes else []

    def at_least(self, load: int) -> float | None:
        """Return in what part of measurements a load meets the objectives at least; None for one not measured again.

        It is the one-sided bound of Clopper and Pearson. The allowance for error is shared out in advance over the
        loads that may become the capacity one after the other, so that the bound of the last one holds too.
        """
        repeats = self.repeats(load)
        if load not in self._candidates or not repeats:
            return None
        earlier = list(self._candidates).index(load)
        allowed = (1.0 - CONFIDENCE) * (1.0 - LATER) * LATER**earlier
        return at_least(sum(repeats), len(repeats), 1.0 - allowed)

    def statement(self, unit: str, bounds: str = "objectives", values: str = "") -> str:
        """Return what the search has found, and how sure that is.

        Args:
            unit: What the load is, such as `concurrency`.
            bounds: What met and missed refer to.
            values: What the repeats at the capacity have measured, in words.
        """
        below, above = self.capacity(), self.limit()
        parts = [self._side(load, unit) for load in (below, above) if load is not None]
        if below is None:
            return f"not even the lowest {unit} that was tried meets the {bounds}: {', '.join(parts)}"
        if values:
            parts[0] += f" ({values})"
        if above is None:
            parts.append(f"no higher {unit} than {below} was tried")
        sure = self.at_least(below)
        if sure is not None:
            parts.append(
                f"with {CONFIDENCE:.0%} confidence {unit} {below} meets them in at least {sure:.0%} of measurements on "
                "this server start"
            )
        meets = "that meets" if self.next() is None else "known to meet"
        between = above is not None and above - below > 1 and self.next() is None
        found = f"at least {below} and less than {above}" if between else str(below)
        return f"the highest {unit} {meets} the {bounds} is {found}: {', '.join(parts)}"

    def _is_closed_in(self) -> bool:
        """Say whether nothing is left but to measure both sides of the boundary again."""
        below, above = self.capacity(), self.limit()
        if below is None:
            return above is not None
        if above is None:
            return below >= self.highest
        return above - below <= max(1, int(self.resolution * below))

    def _is_missed(self, load: int) -> bool:
        """Say whether a load counts as missed: by its first measurement until its repeats can only say otherwise.

        The repeats of a capacity count with the measurement that chose it; those of a limit may clear it once all of
        them are in.
        """
        outcomes = self._outcomes[load]
        if load in self._candidates:
            repeats = self.repeats(load)
            left = self.repetitions - len(repeats)
            return repeats.count(False) >= 1 + repeats.count(True) + max(left, 0)
        if len(outcomes) <= self.repetitions:
            return not outcomes[0]
        return outcomes.count(False) >= outcomes.count(True)

    def _side(self, load: int, unit: str) -> str:
        repeats = self.repeats(load)
        if not repeats:
            times = "met" if self._outcomes[load][0] else "missed"
            return f"{times} in the one measurement at {unit} {load}"
        return f"met in {sum(repeats)} of {len(repeats)} at {unit} {load}"

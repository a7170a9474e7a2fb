"""How far a measurement can be trusted: VALID, SUSPECT or INVALID, with every reason, notes, and what was not checked.

A measurement is INVALID if it is not what was asked for, and SUSPECT if its figures may mislead. Nothing is repaired
and nothing is hidden: figures stay, with the reasons beside them. Each module holds the rules that look at one thing.
"""

from __future__ import annotations

from orchestrator.results.validity.assessing import LOOKS, assess
from orchestrator.results.validity.percentiles import SAMPLES_FOR, samples_for, thin_of, thin_percentiles
from orchestrator.results.validity.values import Assessment, Note, Reason, Unchecked, Verdict

RULES = 2
"""Version of the rules: a verdict is comparable with one by the same rules."""

__all__ = [
    "LOOKS", "RULES", "SAMPLES_FOR", "Assessment", "Note", "Reason", "Unchecked", "Verdict", "assess", "samples_for",
    "thin_of",
    "thin_percentiles",
]  # fmt: skip

"""What the mark before a percentile of too few requests means."""

from __future__ import annotations

from orchestrator.metrics.objectives import THIN_MARK
from orchestrator.results.validity import SAMPLES_FOR

_FIRST, *_OTHERS = ((name.upper(), needed) for name, needed in SAMPLES_FOR.items())
_WANTED = ", ".join([f"{_FIRST[0]} wants {_FIRST[1]}", *(f"{name} {needed}" for name, needed in _OTHERS)])
LEGEND = f"{THIN_MARK} marks a percentile of too few requests to be relied on ({_WANTED})"

"""Which tool of a vendor is asked what, and where it lies: nothing that changes a card or lists processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NVIDIA_FIELDS = (
    "pci.bus_id",
    "power.draw",
    "enforced.power.limit",
    "utilization.gpu",
    "utilization.memory",
    "memory.used",
    "memory.total",
    "temperature.gpu",
    "clocks.sm",
    "clocks.mem",
)


@dataclass(frozen=True)
class Question:
    """One call of a tool."""

    arguments: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What a query asked for, where the answer does not repeat it."""


@dataclass(frozen=True)
class Tool:
    """A tool, by any of its names."""

    vendor: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    """Where it lies beside the search path."""
    figures: tuple[Question, ...]
    """What is asked for figures, in turn; of one that is not understood, no more is asked."""
    cards: Question | None = None
    """What is asked first: the PCI addresses of the numbers that the tool gives to cards."""


def _query(*fields: str) -> Question:
    return Question((f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"), fields)


TOOLS: Mapping[str, tuple[Tool, ...]] = {
    "Hygon": (
        Tool(
            "Hygon",
            ("hy-smi", "hcu-smi", "rocm-smi"),  # DTK brings the same tool under the last name
            ("/opt/hyhal/bin", "/usr/local/hyhal/bin", "/opt/dtk/bin"),
            # Without flags it prints its table in a tenth of a second; flags that average over a second cost one each.
            (Question(),),
            Question(("--showbus",)),
        ),
    ),
    "AMD": (
        Tool(
            "AMD",
            ("amd-smi",),
            ("/opt/rocm/bin",),
            (Question(("monitor", "--violation")), Question(("monitor", "-p", "-t", "-u", "-v"))),
            Question(("list", "--json")),
        ),
        Tool("AMD", ("rocm-smi",), ("/opt/rocm/bin",), (Question(),), Question(("--showbus",))),
    ),
    "NVIDIA": (
        Tool(
            "NVIDIA",
            ("nvidia-smi",),
            (),
            (
                _query(*NVIDIA_FIELDS, "clocks_event_reasons.active"),
                _query(*NVIDIA_FIELDS, "clocks_throttle_reasons.active"),
            ),
        ),
    ),
}
"""By vendor; the first tool that is there is asked."""

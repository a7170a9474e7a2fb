"""The one place that knows accelerator vendors: which devices a profile uses, and what a deployment therefore holds."""

from orchestrator.accelerators.held import Held, Surroundings, held_by, holding
from orchestrator.accelerators.names import ALL, collide, together
from orchestrator.accelerators.node import has_unlike_nvidia_cards, node_accelerators

__all__ = [
    "ALL",
    "Held",
    "Surroundings",
    "collide",
    "has_unlike_nvidia_cards",
    "held_by",
    "holding",
    "node_accelerators",
    "together",
]

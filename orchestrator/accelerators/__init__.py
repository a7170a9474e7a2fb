"""The one place that knows accelerator vendors: which devices a profile uses, and what a deployment therefore holds."""

from orchestrator.accelerators.held import Held, Surroundings, held_by, holding
from orchestrator.accelerators.names import ALL, collide, together
from orchestrator.accelerators.node import node_accelerators, node_cards, node_makers
from orchestrator.accelerators.visible import Cards

__all__ = [
    "ALL",
    "Cards",
    "Held",
    "Surroundings",
    "collide",
    "held_by",
    "holding",
    "node_accelerators",
    "node_cards",
    "node_makers",
    "together",
]

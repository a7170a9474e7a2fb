"""The one place that knows accelerator vendors: how cards reach a container, and which names mean the same."""

from orchestrator.accelerators.names import ALL, collide, together
from orchestrator.accelerators.node import node_accelerators, node_cards, node_makers
from orchestrator.accelerators.visible import Cards

__all__ = ["ALL", "Cards", "collide", "node_accelerators", "node_cards", "node_makers", "together"]

"""The one place that knows accelerator vendors: how cards reach a container, and which names mean the same."""

from orchestrator.accelerators.names import ALL, collide, together
from orchestrator.accelerators.node import has_unlike_nvidia_cards, node_accelerators

__all__ = ["ALL", "collide", "has_unlike_nvidia_cards", "node_accelerators", "together"]

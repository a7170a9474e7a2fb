"""What the node adds of a deployment's devices: the engine's default runtime, the image's variables, its cards."""

from __future__ import annotations

from orchestrator.accelerators import node_cards, node_makers
from orchestrator.accelerators.addresses import node_addresses
from orchestrator.node.node import Node
from orchestrator.plan.claims import Held, Surroundings, holding
from orchestrator.profile.schema.profile import Profile


def held_on(node: Node, profile: Profile) -> Held:
    """Return what a deployment of a profile holds on a node, and why: what the profile says, or more."""
    around = Surroundings(
        default_runtime=node.engine.default_runtime(),
        image_env=node.engine.image_env(profile.container.image),
        cards=node_cards(node.root),
        makers=node_makers(node.root),
        addresses=node_addresses(node.root),
    )
    return holding(profile, around)

"""What the node adds of a deployment's devices: the engine's default runtime, the image's variables, its cards."""

from __future__ import annotations

from orchestrator.accelerators import node_accelerators, node_cards, node_makers
from orchestrator.engine import Engine
from orchestrator.plan.claims import Held, Surroundings, holding
from orchestrator.profile.schema.profile import Profile


def held_on(engine: Engine, profile: Profile) -> Held:
    """Return what a deployment of a profile holds on this node, and why: what the profile says, or more."""
    accelerators = node_accelerators()
    around = Surroundings(
        default_runtime=engine.default_runtime(),
        image_env=engine.image_env(profile.container.image),
        cards=node_cards(accelerators),
        makers=node_makers(accelerators),
    )
    return holding(profile, around)

"""What the node adds of a deployment's devices: the engine's default runtime, the image's variables, its cards."""

from __future__ import annotations

from pathlib import Path

from orchestrator.accelerators import node_addresses, node_cards, node_makers
from orchestrator.engine import Engine
from orchestrator.plan.claims import Held, Surroundings, holding
from orchestrator.profile.schema.profile import Profile

ROOT = Path("/")


def held_on(engine: Engine, profile: Profile) -> Held:
    """Return what a deployment of a profile holds on this node, and why: what the profile says, or more."""
    around = Surroundings(
        default_runtime=engine.default_runtime(),
        image_env=engine.image_env(profile.container.image),
        cards=node_cards(ROOT),
        makers=node_makers(ROOT),
        addresses=node_addresses(ROOT),
    )
    return holding(profile, around)

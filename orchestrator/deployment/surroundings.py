"""What the node adds of a deployment's devices: the engine's default runtime, the image's variables, its cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.accelerators import Surroundings, has_unlike_nvidia_cards, holding, node_accelerators

if TYPE_CHECKING:
    from orchestrator.accelerators import Held
    from orchestrator.engine import Engine
    from orchestrator.profile.schema import Profile


def held_on(engine: Engine, profile: Profile) -> Held:
    """Return what a deployment of a profile holds on this node, and why: what the profile says, or more."""
    around = Surroundings(
        default_runtime=engine.default_runtime(),
        image_env=engine.image_env(profile.container.image),
        unlike_cards=has_unlike_nvidia_cards(node_accelerators()),
    )
    return holding(profile, around)

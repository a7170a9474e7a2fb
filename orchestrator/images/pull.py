"""The image of a profile on this node, pulled as the profile says."""

from __future__ import annotations

from orchestrator.engine import Engine, ImageFacts
from orchestrator.errors import ImageMissing
from orchestrator.events import Listener
from orchestrator.profile.schema.profile import Container
from orchestrator.text import Text
from orchestrator.vllm.phases import Phase, PhaseReached


def ensure_image(engine: Engine, container: Container, deadline_s: float, tell: Listener) -> ImageFacts:
    """Return the image's facts, pulling it as the profile says; raise ImageMissing."""
    tell(PhaseReached(Phase.IMAGE, container.image))
    if container.pull != "always":
        try:
            return engine.image(container.image)
        except ImageMissing as error:
            if container.pull == "never":
                hint = Text(
                    "Build it (make images, in a checkout of orch), load it (docker load) or pull it: {hint}",
                    hint=error.hint,
                )
                raise ImageMissing(error.message, hint) from error
    engine.pull(container.image, deadline_s, lambda text: tell(PhaseReached(Phase.IMAGE, text)), container.platform)
    return engine.image(container.image)

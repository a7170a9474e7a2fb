"""Asks the parsers of an image which flags they know, once for each way to ask, in a throw-away container under guard.

The container holds what a deployment of the profile would hold. An answer is cached unless a parser cannot be built.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.deployment.folder import logs_folder, make_deployment_folder, new_identity
from orchestrator.deployment.guard import guarded
from orchestrator.deployment.hold import take
from orchestrator.engine import ImageFacts
from orchestrator.errors import OutputError
from orchestrator.events import unheard
from orchestrator.files import make_folder, write_atomic
from orchestrator.images.question import ASK_S, answer_file, asking_spec, known_parsers, read_answer
from orchestrator.interruption import Interruption
from orchestrator.mask import Mask
from orchestrator.node.node import Node
from orchestrator.node.surroundings import held_on
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.secrets import readable_secrets
from orchestrator.vllm.parser import ImageParsers

POLL_S = 0.1


@dataclass(frozen=True)
class Asker:
    """The node, the folders and the environment that asking an image needs."""

    node: Node
    state: Path
    """State folder of this user on this node."""
    cache: Path
    """Folder of what is known about images."""
    environ: Mapping[str, str]
    """Environment of the watchdog, and where secrets may come from."""
    interruption: Interruption

    def ask(self, profile: Profile) -> ImageParsers:
        """Return what the parsers of a profile's image know, from the cache or from the image itself.

        Raises:
            ImageMissing: The image is not on this node; it is never pulled for this.
            Busy: Somebody else holds the devices that asking would touch.
            EnvironmentFault: The image cannot be asked.
        """
        image = self.node.engine.image(profile.container.image)
        known = known_parsers(self.cache, profile, image)
        if known is None:
            known = self._answer(profile, image)
            if known.serve.problem or known.bench.problem:  # it may be the node's, and be mended
                return known
            with contextlib.suppress(OutputError):  # it will be asked again
                path = answer_file(self.cache, profile, image)
                make_folder(path.parent)
                write_atomic(path, known.model_dump_json())
        return known

    def _answer(self, profile: Profile, image: ImageFacts) -> ImageParsers:
        who = f"pid {os.getpid()}, asking the image {profile.container.image}"
        held = held_on(self.node, profile)
        hold = take(held.names, self.node, who, None, unheard)
        try:
            identity = new_identity(self.state, f"{profile.name}-ask")
            identity = dataclasses.replace(identity, name=f"{identity.name}-{identity.launch}")
            secrets = readable_secrets(profile, self.environ)
            make_deployment_folder(self.state, identity, profile, secrets)
            log = make_folder(logs_folder(self.state)) / "watchdog.log"
            with guarded(self.node.engine, identity, self.interruption, self.environ, log, hold) as guard:
                container = guard.create(asking_spec(profile, image, identity, held))
                self.node.engine.start(container)
                return read_answer(profile.container.image, *self._wait(container), Mask(secrets.values()))
        finally:
            hold.release()

    def _wait(self, container: str) -> tuple[int | None, bytes]:
        """Return the exit code and the output of a container that has ended; no code if its time was up."""
        end = time.monotonic() + ASK_S
        while (state := self.node.engine.state(container)).running and time.monotonic() < end:
            time.sleep(POLL_S)
        output = b"".join(self.node.engine.logs(container, follow=False))
        return None if state.running else state.exit_code, output

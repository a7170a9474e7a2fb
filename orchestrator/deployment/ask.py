"""Asks an image's own parsers which flags they know: once in the same way, in a throw-away container under guard.

The container has the profile's devices, mounts, sourced files, environment and secrets (those that are there), because
vLLM may build its parsers only where it finds its devices and libraries, and it holds what a deployment of the profile
would hold. It can do less: no
network, nothing writable of the node, no privileges, a bound on its memory.

The answer is kept in a cache by the image's id and by all that the profile puts into the question, unless it is that a
parser cannot be built: a profile is judged by its own question alone, whoever has asked the image before. A torn or
foreign file there counts as none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.access import may_be_mounted, may_exist
from orchestrator.atomic import make_folder, write_atomic
from orchestrator.deployment.folder import logs_folder, make_deployment_folder, new_identity
from orchestrator.deployment.guard import guarded
from orchestrator.deployment.hold import take
from orchestrator.deployment.surroundings import held_on
from orchestrator.errors import EnvironmentFault, OutputError
from orchestrator.inside import parsers, program_text
from orchestrator.mask import NOTHING_HIDDEN, Mask
from orchestrator.plan import labels
from orchestrator.plan.container import Identity, container_argv, container_spec
from orchestrator.profile.devices import CdiDevice
from orchestrator.profile.schema import Container
from orchestrator.profile.secrets import readable_secrets
from orchestrator.vllm.parser import ImageParsers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.accelerators import Held
    from orchestrator.engine import Engine, ImageFacts
    from orchestrator.interruption import Interruption
    from orchestrator.plan.container import ContainerSpec
    from orchestrator.profile.devices import DeviceSpec
    from orchestrator.profile.schema import Profile

ASK_S = 600.0
"""How long an image may take to answer; importing vLLM takes ten seconds, on a busy node minutes."""
MEMORY = 8 * 2**30
"""Bytes that asking may use; importing vLLM takes less than one."""
POLL_S = 0.1
REPEATABLE = {"PYTHONHASHSEED": "0"}
"""Makes the answer the same each time: vLLM 0.8.5 takes the choices of a flag by chance from one of two sets."""
ANYBODY = Identity("", "", "/")
"""Who asks, where it makes no difference."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and with what at hand."""

    engine: Engine
    state: Path
    """State folder of this user on this node."""
    locks: Path
    """Folder of the node's locks, which all users share."""
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
        image = self.engine.image(profile.container.image)
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
        held = held_on(self.engine, profile)
        hold = take(held.names, self.locks, self.engine, who, None, lambda _: None)
        try:
            identity = new_identity(self.state, f"{profile.name}-ask")
            identity = dataclasses.replace(identity, name=f"{identity.name}-{identity.launch}")
            secrets = readable_secrets(profile, self.environ)
            make_deployment_folder(self.state, identity, profile, secrets)
            log = make_folder(logs_folder(self.state)) / "watchdog.log"
            with guarded(self.engine, identity, self.interruption, self.environ, log, hold) as guard:
                container = guard.create(asking_spec(profile, image, identity, held))
                self.engine.start(container)
                return read_answer(profile.container.image, *self._wait(container), Mask(secrets.values()))
        finally:
            hold.release()

    def _wait(self, container: str) -> tuple[int | None, bytes]:
        """Return the exit code and the output of a container that has ended; no code if its time was up."""
        end = time.monotonic() + ASK_S
        while (state := self.engine.state(container)).running and time.monotonic() < end:
            time.sleep(POLL_S)
        output = b"".join(self.engine.logs(container, follow=False))
        return None if state.running else state.exit_code, output


def known_parsers(cache: Path, profile: Profile, image: ImageFacts) -> ImageParsers | None:
    """Return what an image has answered before to a profile's question; None if it was never asked that."""
    try:
        return ImageParsers.model_validate_json(answer_file(cache, profile, image).read_bytes())
    except (OSError, ValueError):
        return None


def asking_spec(profile: Profile, image: ImageFacts, identity: Identity, held: Held | None = None) -> ContainerSpec:
    """Return a container with the question in the server's place, of what the profile asks for and this node has."""
    asked = profile.container
    mounts = [
        mount.model_copy(update={"read_only": True})
        for mount in asked.mounts
        if mount.type == "bind" and may_be_mounted(Path(mount.source))
    ]
    container = Container(
        image=asked.image,
        devices=tuple(device for device in asked.devices if _may_be_given(device)),
        gpus=asked.gpus,
        mounts=tuple(mounts),
        shm_size=asked.shm_size,
        network="none",
        memory=min(asked.memory or MEMORY, MEMORY),
        runtime=asked.runtime,
        user=asked.user,
        env={**asked.env, **REPEATABLE},
        source=asked.source,
        platform=asked.platform,
        workdir=asked.workdir,
    )
    asking = profile.model_copy(update={"container": container})
    entrypoint, *command = container_argv(asking, ["python3", "-c", program_text(parsers)])
    spec = container_spec(asking, identity, held)
    kept = {name: value for name, value in spec.labels.items() if name != labels.PROFILE_HASH}  # no server runs in it
    return dataclasses.replace(
        spec, image=image.id, entrypoint=entrypoint, command=tuple(command), labels=kept, publish=None, secrets=()
    )


def _may_be_given(device: DeviceSpec | CdiDevice) -> bool:
    return isinstance(device, CdiDevice) or may_exist(Path(device.source))


def read_answer(image: str, code: int | None, output: bytes, mask: Mask = NOTHING_HIDDEN) -> ImageParsers:
    """Return the answer in the output of the container that was asked; raise EnvironmentFault if there is none.

    The mask hides the secrets that the container had, in all that is told of the output; the answer itself is data.
    """
    lines = output.decode(errors="replace").splitlines()
    answer = next((line.removeprefix(parsers.ANSWER) for line in lines if line.startswith(parsers.ANSWER)), None)
    hint = "The flags are then checked by the server alone, when it starts."
    if answer is None:
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
        last = mask.text(last)
        how = f"it did not answer within {ASK_S:.0f} s" if code is None else f"it ended with exit code {code}: {last}"
        raise EnvironmentFault(f"the image {image} cannot be asked about its flags: {how}", hint)
    said = json.loads(answer)
    if said["vllm"] is None:
        why = mask.text(said["problem"])
        raise EnvironmentFault(
            f"the image {image} cannot be asked about its flags: its python3 has no vLLM ({why})", hint
        )
    for parser in (said["serve"], said["bench"]):
        parser["problem"] = mask.text(parser["problem"])
    return ImageParsers.model_validate(said)


def answer_file(cache: Path, profile: Profile, image: ImageFacts) -> Path:
    """Return where the answer of an image to just this question is kept.

    The question is the whole container, less who asks: what one profile sources, mounts or sets may keep an image from
    answering that answers another.
    """
    asked = dataclasses.replace(asking_spec(profile, image, ANYBODY), labels={})
    question = hashlib.sha256(repr(asked).encode()).hexdigest()[:12]
    return cache / "parsers" / f"{image.id.removeprefix('sha256:')}-{question}.json"

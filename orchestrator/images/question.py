"""The question to an image which flags its own parsers know, and the answers that were kept.

The container that is asked has the profile's devices, mounts, sourced files, environment and secrets (those that are
there), because vLLM may build its parsers only where it finds its devices and libraries. It can do less: no network,
nothing writable of the node, no privileges, a bound on its memory.

An answer is kept by the image's id and by all that the profile puts into the question: a profile is judged by its own
question alone, whoever has asked the image before. A torn or foreign file there counts as none.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from orchestrator.engine import ImageFacts
from orchestrator.errors import EnvironmentFault
from orchestrator.files import may_be_mounted, may_exist
from orchestrator.inside import parsers, program_text
from orchestrator.mask import NOTHING_HIDDEN, Mask
from orchestrator.plan import labels
from orchestrator.plan.claims import Held
from orchestrator.plan.container import ContainerSpec, Identity, container_argv, container_spec
from orchestrator.profile.schema.devices import CdiDevice, DeviceSpec
from orchestrator.profile.schema.profile import Container, Profile
from orchestrator.text import Text
from orchestrator.vllm.parser import ImageParsers

ASK_S = 600.0
"""How long an image may take to answer; importing vLLM takes ten seconds, on a busy node minutes."""
MEMORY = 8 * 2**30
"""Bytes that asking may use; importing vLLM takes less than one."""
REPEATABLE = {"PYTHONHASHSEED": "0"}
"""Makes the answer the same each time: vLLM 0.8.5 takes the choices of a flag by chance from one of two sets."""
ANYBODY = Identity("", "", "/")
"""Who asks, where it makes no difference."""


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
    container = Container.model_construct(  # of values that are checked
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
        raise EnvironmentFault(
            Text("the image {image} cannot be asked about its flags: {how}", image=image, how=how), hint
        )
    said = json.loads(answer)
    if said["vllm"] is None:
        why = mask.text(said["problem"])
        raise EnvironmentFault(
            Text(
                "the image {image} cannot be asked about its flags: its python3 has no vLLM ({why})",
                image=image,
                why=why,
            ),
            hint,
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

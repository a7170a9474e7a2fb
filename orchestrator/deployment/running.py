"""A healthy deployment: its identity, its members, and the address of its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.engine import ImageFacts
from orchestrator.errors import EnvironmentFault
from orchestrator.node.node import Member
from orchestrator.plan.container import Identity
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.api import Api
from orchestrator.vllm.flags import api_key


@dataclass(frozen=True)
class Deployment:
    """A healthy server in its containers."""

    identity: Identity
    members: tuple[Member, ...]
    """Its containers; exactly one today."""
    image: ImageFacts
    docker_run: str
    """The line that makes the same container by hand."""
    api: Api
    vllm_version: str | None
    """As the server says."""
    max_model_len: int | None
    """Longest context in tokens, as the server says."""

    @property
    def member(self) -> Member:
        """Return the only member."""
        (only,) = self.members
        return only


def server_api(profile: Profile, secrets: Mapping[str, str]) -> Api:
    """Return where the server of a profile answers, and with which key; one on all addresses is asked on this node."""
    server = profile.server
    key = api_key(server.flags, {**profile.container.env, **server.env, **secrets})
    if key is not None and not (key.isascii() and key.isprintable()):
        raise EnvironmentFault(
            "the server's API key has characters that no HTTP header can carry", "Is there a line break at its end?"
        )
    return Api(server.reached_at, server.port, key=key)

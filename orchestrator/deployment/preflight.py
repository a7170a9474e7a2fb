"""What must be true of the node before a container is made."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from orchestrator.errors import EnvironmentFault, ImageMissing, PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine import Engine, ImageFacts
    from orchestrator.profile.schema import Container


def check_port(host: str, port: int) -> None:
    """Raise PortTaken if somebody listens there.

    The trial bind goes without SO_REUSEPORT: vLLM up to 0.24 sets it, and two servers would share the port in silence.
    SO_REUSEADDR is set, so that connections that have just ended do not count.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"port {port} on {host} is in use",
                    f"See by whom: ss -ltnp 'sport = :{port}'   Or choose another: --set server.port={port + 1}",
                ) from error
            raise EnvironmentFault(
                f"the server cannot listen on {host}:{port}: {error.strerror}", "Check server.host."
            ) from error


def ensure_image(
    engine: Engine, container: Container, deadline_s: float, progress: Callable[[str], None]
) -> ImageFacts:
    """Return the image's facts, pulling it as the profile says; raise ImageMissing."""
    if container.pull != "always":
        try:
            return engine.image(container.image)
        except ImageMissing as error:
            if container.pull == "never":
                hint = f"Build it (make images, in a checkout of orch), load it (docker load) or pull it: {error.hint}"
                raise ImageMissing(error.message, hint) from error
    engine.pull(container.image, deadline_s, progress)
    return engine.image(container.image)

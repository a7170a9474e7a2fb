"""Where an engine is: orch works with that of its own machine alone.

Devices, ports, locks, leases, health and facts are looked at where orch runs. With an engine elsewhere they would be
another machine's, and nothing of what was found would hold for the container.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from orchestrator.errors import EngineError
from orchestrator.text import Text

HERE = "unix:///var/run/docker.sock"
"""The engine that is used when none is named, as docker's client does."""


def check_is_here(url: str) -> None:
    """Raise EngineError if a URL, as in DOCKER_HOST, is no URL or names an engine that is not on this machine.

    An engine behind ssh counts as elsewhere. What a local port or a socket is forwarded to cannot be seen.
    """
    try:
        parts = urlsplit(url if "://" in url else f"tcp://{url}")
        over_tcp = parts.scheme in ("tcp", "http", "https")
        has_port = over_tcp and parts.port is not None  # ValueError for what is no port's number
    except ValueError as error:
        raise EngineError(
            Text("DOCKER_HOST is no address of a Docker engine: {error}", error=error),
            Text("Such as {here}", here=HERE),
        ) from None
    named = parts.hostname if over_tcp and ("://" in url or has_port) else None
    if parts.scheme == "ssh" or (named is not None and not is_own_host(named)):
        raise EngineError(
            Text(
                "the Docker engine {sub} is not on this machine: orch looks at devices, ports, locks, "
                "leases and health on the machine that it runs on",
                sub=re.sub("//[^/]*@", "//", url),
            ),
            Text(
                "Run orch on that machine, or use the engine of this one: unset DOCKER_HOST, or DOCKER_HOST={here}",
                here=HERE,
            ),
        )


def is_own_host(host: str) -> bool:
    """Say whether all addresses of a host are this machine's; what cannot be looked up is not."""
    if host == "localhost":
        return True
    try:
        found = socket.getaddrinfo(host, 1, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return all(_is_own(family, address) for family, *_, address in found)


def _is_own(family: int, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> bool:
    """Say whether an address is this machine's: then it is also where packets to it come from."""
    if ipaddress.ip_address(address[0]).is_loopback:
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)  # chooses a route and sends nothing
        except OSError:
            return False
        return bool(probe.getsockname()[0] == probe.getpeername()[0])

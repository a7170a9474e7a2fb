"""From a configuration to a listening server: the phases in order, and the starts that fail."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from vllm_stub.faults import PHASES
from vllm_stub.server import Server

if TYPE_CHECKING:
    from vllm_stub.faults import Faults
    from vllm_stub.flags import ServeConfig
    from vllm_stub.style import Style

_NO_MODEL = (
    "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or "
    "'namespace/repo_name': '{0}'. Use `repo_type` argument if needed."
)
_NO_MODEL_OLD = (
    "ValueError: Invalid repository ID or local directory specified: '{0}'.\n"
    "Please verify the following requirements:\n"
    "1. Provide a valid Hugging Face repository ID.\n"
    "2. Specify a local directory that contains a recognized configuration file."
)


def serve(config: ServeConfig, faults: Faults, style: Style, *, dev_mode: bool = False) -> int:
    """Start up and serve; returns only if the start fails, with the exit code."""
    server = Server(config, faults, style, dev_mode=dev_mode)
    server.startup.arm()
    try:
        server.startup.phase("platform")
        server.startup.phase("api")
        listener = _bind(config, style)
        if config.model.startswith("/missing"):
            server.log.traceback(
                "entrypoints/cli/serve", (_NO_MODEL_OLD if style.old else _NO_MODEL).format(config.model)
            )
            return 1
        for phase in PHASES[2:-1]:
            server.startup.phase(phase)
        asyncio.run(server.serve(listener))
    except OSError as error:
        server.log.traceback("entrypoints/openai/api_server", f"OSError: {error}")
    return 1


def _bind(config: ServeConfig, style: Style) -> socket.socket:
    """A bound socket that does not listen yet, as vLLM has during its start."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # the protocol by name: only then does asyncio set TCP_NODELAY, without which tokens arrive in heaps
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if style.reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((config.host, config.port))
    return listener

"""What must be true of the node before a container is made; docker itself says much of it late, or never."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import EnvironmentFault, PortTaken
from orchestrator.files import is_file, may_exist
from orchestrator.node.node import Node
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.devices import nodes
from orchestrator.profile.schema.profile import Container, Profile
from orchestrator.text import Text

NODE_SHM = "/dev/shm"
LEAST_DISK = 200 * 2**20
"""Bytes that must be free where results and logs are written."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken if somebody listens there.

    The trial bind goes without SO_REUSEPORT: vLLM up to 0.24 sets it, and two servers would share the port in silence.
    SO_REUSEADDR is set, so that connections that have just ended do not count.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    Text("port {port} on {host} is in use", port=port, host=host),
                    Text(
                        "See by whom: ss -ltnp 'sport = :{port}'   Or choose another: --set server.port={other}",
                        port=port,
                        other=port + 1,
                    ),
                ) from error
            raise EnvironmentFault(
                Text(
                    "the server cannot listen on {host}:{port}: {strerror}",
                    host=host,
                    port=port,
                    strerror=error.strerror,
                ),
                "Check server.host.",
            ) from error


def check_node(node: Node, profile: Profile, *folders: Path) -> None:
    """Raise EnvironmentFault with everything on a node that the profile cannot do without.

    Args:
        node: Where the server will run.
        profile: The resolved profile.
        folders: Where results and logs will be written.
    """
    missing = [*_missing(node, profile.container), *_no_dataset(node, profile.bench)]
    missing += [*_too_small(node, profile.container), *_no_room(folders)]
    if missing:
        lines = "\n".join(f"  {line}" for line in missing)
        raise EnvironmentFault(
            Text("this node is not what the profile {profile} asks for:\n{lines}", profile=profile.name, lines=lines),
            "Is the driver loaded?  Are the paths right?  Change the profile, or override keys with --set.",
        )


def _missing(node: Node, container: Container) -> Iterator[str]:
    for device in nodes(container.devices):
        if not may_exist(node.path(device.source)):
            yield Text("container.devices: {source} does not exist", source=device.source)
    for mount in container.mounts:
        if mount.type == "bind" and not may_exist(node.path(mount.source)):
            yield Text("container.mounts: {source} does not exist", source=mount.source)


def _no_dataset(node: Node, bench: Bench | None) -> Iterator[str]:
    file = bench.dataset.node_file if bench is not None else None
    try:
        if file is not None and not is_file(node.path(file)):
            yield Text(
                "bench.dataset.file: {file} {value}",
                file=file,
                value="is not a file" if may_exist(node.path(file)) else "does not exist",
            )
    except EnvironmentFault as fault:
        yield Text("bench.dataset.file: {fault}", fault=fault.message)


def _too_small(node: Node, container: Container) -> Iterator[str]:
    """With the node's IPC namespace it is the node's /dev/shm that must be large enough, whatever `shm_size` says."""
    there = node.path(NODE_SHM)
    if container.ipc == "host" and container.shm_size is not None and there.is_dir():
        size = shutil.disk_usage(there).total
        if size < container.shm_size:
            yield (
                Text(
                    "container.shm_size: with ipc: host it has no effect; {node_shm} of the node has {there} "
                    "of the {asked} asked for (mount -o remount,size=… {node_shm})",
                    node_shm=NODE_SHM,
                    there=_gib(size),
                    asked=_gib(container.shm_size),
                )
            )


def _no_room(folders: tuple[Path, ...]) -> Iterator[str]:
    for folder in folders:
        existing = next((path for path in (folder, *folder.parents) if may_exist(path)), None)
        if existing is None:
            continue
        if not os.access(existing, os.W_OK):
            yield Text("{folder} cannot be written", folder=folder)
        elif shutil.disk_usage(existing).free < LEAST_DISK:
            yield Text(
                "{folder} has less than {least_disk} MiB of free disk", folder=folder, least_disk=LEAST_DISK // 2**20
            )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"

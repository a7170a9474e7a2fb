"""Replaces group names that the image lacks by the node's numbers, because Docker would refuse the container."""

from __future__ import annotations

import dataclasses
import grp
from collections.abc import Mapping
from typing import Protocol

from orchestrator.errors import EnvironmentFault
from orchestrator.plan.container import ContainerSpec
from orchestrator.text import Text

GROUP_FILE = "/etc/group"


class Reader(Protocol):
    """Reads files of images."""

    def read_image_file(self, reference: str, path: str, labels: Mapping[str, str]) -> bytes:
        """Return a file of an image, or nothing if it is absent; the container for it gets the labels."""


def with_known_groups(reader: Reader, spec: ContainerSpec) -> ContainerSpec:
    """Return the container with the node's number in place of each group name that its image lacks.

    The group opens devices of the node, so the node's number is the right one.

    Raises:
        EnvironmentFault: For a name that neither the image nor the node knows.
    """
    names = [group for group in spec.group_add if not group.isdecimal()]
    if not names:
        return spec
    listed = reader.read_image_file(spec.image, GROUP_FILE, spec.labels)
    known = {line.partition(":")[0] for line in listed.decode(errors="replace").splitlines()}
    groups = tuple(group if group.isdecimal() or group in known else _number(group) for group in spec.group_add)
    return dataclasses.replace(spec, group_add=groups)


def _number(name: str) -> str:
    try:
        return str(grp.getgrnam(name).gr_gid)
    except KeyError:
        raise EnvironmentFault(
            Text("the group {name} of container.group_add exists neither in the image nor on this node", name=name),
            "Give the number that owns the device: stat -c %g /dev/kfd",
        ) from None

"""S3: every setting that weakens the container's isolation is named, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.plan.weakening import weakenings
from orchestrator.profile.schema.profile import Container

SOCKET = "whoever reaches the engine's socket controls the node"


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, []),
        ({"privileged": True}, ["privileged: every capability and every device of the node"]),
        ({"ipc": "host"}, ["ipc host: shared memory of the node"]),
        ({"ipc": "container:x"}, ["ipc container:x: shared memory of another container"]),
        ({"ipc": "private"}, []),
        ({"network": "host"}, ["network host: every address and port of the node"]),
        ({"network": "mine"}, []),
        ({"security_opt": ["seccomp=unconfined"]}, ["security_opt seccomp=unconfined: no system call is filtered"]),
        ({"security_opt": ["seccomp:unconfined"]}, ["security_opt seccomp:unconfined: no system call is filtered"]),
        ({"security_opt": ["apparmor=unconfined", "label=disable"]}, [
            "security_opt apparmor=unconfined: no AppArmor profile confines it",
            "security_opt label=disable: SELinux does not confine it",
        ]),
        ({"security_opt": ["no-new-privileges", "seccomp=/p.json", "label=type:x"]}, []),
        ({"security_opt": ["systempaths=unconfined"]}, ["security_opt systempaths=unconfined: the kernel's files under /proc and /sys are writable"]),
        ({"cap_add": ["SYS_ADMIN", "cap_sys_ptrace", "SYS_NICE", "ALL"]}, [
            "cap_add SYS_ADMIN: a capability that reaches beyond the container",
            "cap_add cap_sys_ptrace: a capability that reaches beyond the container",
            "cap_add ALL: a capability that reaches beyond the container",
        ]),
        ({"mounts": ["/var/run/docker.sock:/s:ro"]}, [f"mount /var/run/docker.sock: {SOCKET}"]),
        ({"mounts": ["/run:/r:ro", "/var/:/v", "/:/host:ro"]}, [f"mount /run: {SOCKET}", f"mount /var/: {SOCKET}", f"mount /: {SOCKET}"]),
        ({"mounts": ["/data/../etc:/e", "//usr/local:/u"]}, [
            "mount /data/../etc: a system folder of the node, writable",
            "mount //usr/local: a system folder of the node, writable",
        ]),
        ({"mounts": ["/opt/hyhal:/opt/hyhal:ro", "/etc/ssl:/etc/ssl:ro", "/data:/data", "/optional:/x", "/home/u:/h"]}, []),
        ({"devices": ["/dev/kfd", "/dev/sda:/dev/x", "/dev/mem", "/dev"]}, [
            "device /dev/sda: the node's disks or memory",
            "device /dev/mem: the node's disks or memory",
            "device /dev: the node's disks or memory",
        ]),
        ({"devices": ["/dev/dri", "/dev/mkfd"]}, []),
    ],
)  # fmt: skip
def test_weakening_settings_are_named_with_what_they_give_away(container: dict[str, Any], expected: list[str]) -> None:
    assert weakenings(Container.model_validate({"image": "i", **container})) == expected

"""Words of a Kubernetes pod that a profile says otherwise, or has no need of, each with what to write.

A word is looked up in small letters.
"""

from __future__ import annotations

from orchestrator.profile.checking.ways.docker import SECTIONS
from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.text.tree import Keys

_PROBE = "orch asks the server itself whether it is healthy; how long it may take is health.deadline"
_ALONE = "one container serves and is measured, on this node; write what is said of that container"
_PLACE = "the container runs on the node where orch does; leave it out"
_STOP = "orch itself starts and stops the server; leave it out"

WORDS = {
    **dict.fromkeys(("livenessprobe", "readinessprobe", "startupprobe"), _PROBE),
    **dict.fromkeys(("containers", "initcontainers", "metadata", "replicas", "spec", "template"), _ALONE),
    **dict.fromkeys(("affinity", "nodename", "nodeselector", "priorityclassname", "schedulername"), _PLACE),
    **dict.fromkeys(("serviceaccountname", "tolerations"), _PLACE),
    **dict.fromkeys(("lifecycle", "restartpolicy", "terminationgraceperiodseconds"), _STOP),
    "containerport": "the server's port in the container is server.container_port, that on the node server.port",
    "envfrom": "files of variables are container.env_file",
    "hostipc": "write container.ipc: host",
    "hostnetwork": "write container.network: host",
    "hostpid": "write container.pid: host",
    "imagepullpolicy": "here it is container.pull: always, missing or never",
    "imagepullsecrets": "log in to the registry with docker login; leave it out",
    "runtimeclassname": "the runtime is container.runtime",
    "securitycontext": "here it is container.privileged, cap_add, cap_drop, user, group_add and security_opt",
    "volumedevices": "here it is container.devices",
    "volumemounts": "here it is container.mounts, and container.shm_size for an emptyDir at /dev/shm",
    "workingdir": "here it is container.workdir",
}


def of_key(keys: Keys, _: object) -> WayOut | None:
    """Return what to write for a key that a profile does not have; None for a word that a pod has neither."""
    how = WORDS.get(str(keys[-1]).lower()) if keys[:-1] in SECTIONS else None
    return None if how is None else WayOut(how=how)

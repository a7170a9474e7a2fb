"""The judge: what is on the engine, asked by processes of their own with the docker client, never through orch."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

FIELDS = ("ID", "Names", "State", 'Label "orch.deployment"', 'Label "orch.launch"')
GONE_S = 15.0
"""What orch promises: so long after a kill nothing of it is left."""


@dataclass(frozen=True)
class Seen:
    """A container as the docker client lists it."""

    id: str
    name: str
    state: str
    deployment: str
    launch: str


def docker(*args: str, both: bool = False, timeout_s: float = 120.0) -> str:
    """Run the docker client and return what it prints, on standard error too if both are asked for."""
    done = subprocess.run(["docker", *args], capture_output=True, encoding="utf-8", timeout=timeout_s, check=False)
    assert done.returncode == 0, f"docker {' '.join(args)}:\n{done.stderr}"
    return done.stdout + (done.stderr if both else "")


def listed(prefix: str) -> list[Seen]:
    """Return all containers, running or not, of deployments whose name begins so."""
    template = "\t".join(f"{{{{.{name}}}}}" for name in FIELDS)
    lines = docker("ps", "--all", "--no-trunc", "--filter", "label=orch.deployment", "--format", template)
    seen = [Seen(*line.split("\t")) for line in lines.splitlines()]
    return [container for container in seen if container.deployment.startswith(prefix)]


def left_after(prefix: str, deadline_s: float = GONE_S) -> list[Seen]:
    """Return what is still there when the deadline is over; return at once when nothing is."""
    end = time.monotonic() + deadline_s
    while (found := listed(prefix)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def only(prefix: str) -> Seen:
    """Return the only container of deployments whose name begins so."""
    found = listed(prefix)
    assert len(found) == 1, found
    return found[0]


def wait_for_running(prefix: str, deadline_s: float = 120.0) -> Seen:
    """Return the only container of deployments whose name begins so, once it runs."""
    end = time.monotonic() + deadline_s
    while not (found := [container for container in listed(prefix) if container.state == "running"]):
        assert time.monotonic() < end, f"no container of {prefix} runs"
        time.sleep(0.1)
    (only_one,) = found
    return only_one


def inspect(container: str) -> dict[str, Any]:
    """Return all that the engine knows about a container."""
    return dict(json.loads(docker("inspect", container))[0])


def processes(container: str) -> list[str]:
    """Return the command lines of the processes in a container."""
    return docker("top", container, "-eo", "pid,args").splitlines()[1:]


def remove(containers: list[Seen]) -> None:
    """Remove containers, whatever they do."""
    if containers:
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", *(container.id for container in containers)],
            capture_output=True,
            timeout=120,
            check=False,
        )

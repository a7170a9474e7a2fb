"""The benchmark command of one measurement: which server it is aimed at, and where in the container it writes."""

from __future__ import annotations

from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.client import ClientDialect, Target, client_argv
from orchestrator.vllm.flags import lookup, served_model
from orchestrator.workload.point import Measurement

FOLDER = "/tmp/orch-bench"


def bench_argv(
    client: str,
    target: Target,
    measurement: Measurement,
    dialect: ClientDialect,
    options: frozenset[str] | None = None,
    container: str = "",
) -> list[str]:
    """Return the command with which a client takes a measurement, in a container as far as that is known."""
    return client_argv(client, dialect, target, measurement, job_folder(job_name(measurement), container), options)


def client_target(profile: Profile) -> Target:
    """Return the server as a client inside its own container reaches it."""
    server = profile.server
    return Target(
        host=server.reached_at if profile.container.network == "host" else "127.0.0.1",
        port=server.port_inside,
        model=server.model,
        served_model=served_model(server.model, server.flags),
        trust_remote_code=lookup(server.flags, "trust-remote-code") is True,
    )


def job_name(measurement: Measurement) -> str:
    """Return the name of a measurement's job in the container."""
    return f"{measurement.point.id}-r{measurement.repetition}"


def job_folder(job: str, container: str = "") -> str:
    """Return the folder in the container that a job's client writes to."""
    return f"{_own_folder(container)}/{job}"


def sent_folder(container: str) -> str:
    """Return the folder in a container that bears a mark for each seed whose prompts were sent to its server."""
    return f"{_own_folder(container)}/sent"


def _own_folder(container: str) -> str:
    """Return a container's folder; its id sets it apart from that of others that have the same /tmp mounted."""
    return f"{FOLDER}/{container[:12]}" if container else FOLDER

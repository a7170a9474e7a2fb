"""The benchmark command of one measurement: which server it is aimed at, and where in the container it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.vllm.client import ClientDialect, Target, client_argv
from orchestrator.vllm.flags import lookup, served_model

if TYPE_CHECKING:
    from orchestrator.profile.schema import Profile
    from orchestrator.sweep import Measurement

FOLDER = "/tmp/orch-bench"  # noqa: S108 - in the container, which is ours


def bench_argv(
    client: str,
    target: Target,
    measurement: Measurement,
    dialect: ClientDialect,
    options: frozenset[str] | None = None,
) -> list[str]:
    """Return the command with which a client takes a measurement."""
    return client_argv(client, dialect, target, measurement, job_folder(job_name(measurement)), options)


def client_target(profile: Profile) -> Target:
    """Return the server as a client inside its own container reaches it."""
    server = profile.server
    inside = profile.container.network != "host" or server.host == "0.0.0.0"  # noqa: S104 - recognised, not bound
    return Target(
        host="127.0.0.1" if inside else server.host,
        port=server.port,
        model=server.model,
        served_model=served_model(server.model, server.flags),
        trust_remote_code=lookup(server.flags, "trust-remote-code") is True,
    )


def job_name(measurement: Measurement) -> str:
    """Return the name of a measurement's job in the container."""
    return f"{measurement.point.id}-r{measurement.repetition}"


def job_folder(job: str) -> str:
    """Return the folder in the container that a job's client writes to."""
    return f"{FOLDER}/{job}"


def sent_folder(container: str) -> str:
    """Return the folder in a container that bears a mark for each seed whose prompts were sent to its server.

    It has the container's id in its name, so that a mounted /tmp does not show the marks of others.
    """
    return f"{FOLDER}/sent-{container[:12]}"

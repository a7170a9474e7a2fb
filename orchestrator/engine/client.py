"""The engine calls that orch makes, each with its own deadline and each raising only orch's own errors.

A deadline is how long the engine may stay silent. It belongs to the call: docker-py keeps one in the client, which
threads share, so each call has a client of its own over the shared connections.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import docker.utils

from orchestrator.engine.address import HERE, check_is_here
from orchestrator.engine.create import create_arguments
from orchestrator.engine.faults import translated
from orchestrator.engine.session import ExecSession
from orchestrator.errors import Busy, ContainerGone, EngineError, EnvironmentFault, ImageMissing
from orchestrator.plan.container import ContainerSpec
from orchestrator.text import Text

CONNECT_S = 5
CALL_S = 30
"""Of a call that needs nothing but the engine's memory."""
CREATE_S = 120
"""Of a call that waits for a disk: create, start, copy, remove."""
PULL_SILENCE_S = 300
DATED_LATE_S = 0.1
"""How much later than its first output the engine may date a start; it does so once the process runs already."""
_MOMENT = re.compile(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class ImageFacts:
    """What identifies an image."""

    id: str
    """Content hash of its configuration."""
    digests: tuple[str, ...]
    """Its registry digests, if it came from a registry."""


@dataclass(frozen=True)
class State:
    """A container's state at one moment."""

    status: str
    """`created`, `running`, `exited`, `dead`, …"""
    exit_code: int
    oom_killed: bool
    error: str
    """What the engine says went wrong at the start, if anything."""
    started_at: str
    """Time of the start as the engine writes it."""

    @property
    def running(self) -> bool:
        """Say whether the container's process is alive."""
        return self.status in ("running", "paused", "restarting")

    @property
    def output_since(self) -> float | None:
        """Return when the output of this start began, in seconds since the epoch; None if there was no start."""
        moment = _MOMENT.fullmatch(self.started_at)
        if moment is None:
            return None
        second, fraction, zone = moment.groups("0")
        started = dt.datetime.fromisoformat(second + zone.replace("Z", "+00:00")).timestamp() + float(fraction)
        return started - DATED_LATE_S if started > 0 else None


@dataclass(frozen=True)
class Found:
    """A container in a listing."""

    id: str
    name: str
    status: str
    created: float
    """Seconds since the epoch."""
    labels: Mapping[str, str]


class OneCall(docker.APIClient):
    """A client over the connections of another, with its own deadline, also where docker-py would wait for ever."""

    def __init__(self, shared: docker.APIClient, seconds: float) -> None:
        self.__dict__.update(shared.__dict__, timeout=seconds)

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a request with its deadline; a pull of docker-py asks for none."""
        return {**kwargs, "timeout": kwargs.get("timeout") or self.timeout}


class Engine:
    """A connection to one Docker engine."""

    def __init__(self, api: docker.APIClient, url: str) -> None:
        self._api = api
        self.url = url

    def _within(self, seconds: float) -> docker.APIClient:
        """Return a client for one call: the shared connections, with a deadline that no other call sees."""
        return OneCall(self._api, seconds)

    def version(self) -> str:
        """Return the engine's version."""
        with translated("asking for its version"):
            return str(self._within(CALL_S).version()["Version"])

    def image(self, reference: str) -> ImageFacts:
        """Return the facts of a local image; raise ImageMissing."""
        try:
            with translated(f"looking for the image {reference}"):
                found: dict[str, Any] = self._within(CALL_S).inspect_image(reference)  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            raise ImageMissing(
                Text("the image {reference} is not on this node", reference=reference),
                Text("docker pull {reference}", reference=reference),
            ) from None
        return ImageFacts(found["Id"], tuple(found.get("RepoDigests") or ()))

    def image_env(self, reference: str) -> dict[str, str] | None:
        """Return the variables that a local image sets; None if the image is not there."""
        try:
            with translated(f"looking for the image {reference}"):
                found: dict[str, Any] = self._within(CALL_S).inspect_image(reference)  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            return None
        pairs = (line.partition("=") for line in (found.get("Config") or {}).get("Env") or ())
        return {name: value for name, _, value in pairs}

    def default_runtime(self) -> str:
        """Return the name of the OCI runtime that containers get which ask for none."""
        with translated("asking for its default runtime"):
            return str(self._within(CALL_S).info().get("DefaultRuntime") or "runc")

    def pull(
        self, reference: str, deadline_s: float, progress: Callable[[str], None], platform: str | None = None
    ) -> None:
        """Pull an image within a deadline; raise ImageMissing when no registry has it or none answers."""
        end = time.monotonic() + deadline_s
        repository, tag = docker.utils.parse_repository_tag(reference)
        hint = Text(
            "Build or load it on this node, or check the name and the registry: docker pull {reference}",
            reference=reference,
        )
        try:
            with translated(f"pulling {reference}"):
                for event in self._within(PULL_SILENCE_S).pull(
                    repository, tag=tag or "latest", stream=True, decode=True, platform=platform
                ):
                    if "error" in event:
                        raise ImageMissing(
                            Text(
                                "the image {reference} cannot be pulled: {error}",
                                reference=reference,
                                error=event["error"],
                            ),
                            hint,
                        )
                    progress(f"{event.get('status', '')} {event.get('progress', '')}".strip())
                    if time.monotonic() > end:
                        raise ImageMissing(
                            Text(
                                "pulling {reference} took longer than {deadline_s:.0f} s",
                                reference=reference,
                                deadline_s=deadline_s,
                            ),
                            Text(
                                "Pull it before: docker pull {reference}   Or raise health.deadline, which limits it.",
                                reference=reference,
                            ),
                        )
        except docker.errors.NotFound as error:
            raise ImageMissing(
                Text(
                    "no registry has the image {reference}: {explanation}",
                    reference=reference,
                    explanation=error.explanation,
                ),
                hint,
            ) from error
        except EngineError as error:
            if isinstance(error, ImageMissing):
                raise
            raise ImageMissing(
                Text(
                    "the image {reference} is not on this node and cannot be pulled: {error}",
                    reference=reference,
                    error=error.message,
                ),
                hint,
            ) from error

    def read_image_file(self, reference: str, path: str, labels: Mapping[str, str]) -> bytes:
        """Return a file of an image, empty if the image has none; the container that this takes bears the labels."""
        api = self._within(CREATE_S)
        with translated(f"reading {path} of the image {reference}"):
            created = api.create_container(reference, command=["true"], labels=dict(labels))["Id"]
            try:
                pieces, _ = api.get_archive(created, path)
                with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                    member = archive.extractfile(archive.next() or "")
                    return b"" if member is None else member.read()
            except docker.errors.NotFound:
                return b""
            finally:
                api.remove_container(created, force=True, v=True)

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id; raise Busy if its name is taken."""
        try:
            with translated(f"creating the container {spec.name}"):
                api = self._within(CREATE_S)
                created = api.create_container(**create_arguments(api, spec))
        except docker.errors.NotFound:
            raise ImageMissing(
                Text("the image {image} is not on this node", image=spec.image),
                Text("docker pull {image}", image=spec.image),
            ) from None
        except EngineError as error:
            if "is already in use by container" in error.message:
                raise Busy(
                    Text("a container named {spec} exists", spec=spec.name),
                    "See: orch ps   Then: orch down, or choose another --name",
                ) from error
            raise
        return str(created["Id"])

    def start(self, container: str) -> None:
        """Start a created container.

        Raises:
            EnvironmentFault: With the engine's words, when the node cannot give the container what it needs.
        """
        try:
            with self._gone_is_an_error(), translated("starting the container"):
                self._within(CREATE_S).start(container)
        except EngineError as error:
            raise EnvironmentFault(
                error.message, error.hint or "Compare the container section of the profile with this node."
            ) from error

    def restart(self, container: str, grace_s: float) -> None:
        """Stop a container's process if it lives, and start it again."""
        with self._gone_is_an_error(), translated("restarting the container"):
            self._within(CREATE_S).restart(container, timeout=round(grace_s))  # docker-py adds the grace

    def state(self, container: str) -> State:
        """Return the state of a container."""
        state = self.inspect(container)["State"]
        return State(
            status=state["Status"],
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            error=state["Error"],
            started_at=state["StartedAt"],
        )

    def inspect(self, container: str) -> dict[str, Any]:
        """Return everything that the engine knows about a container."""
        with self._gone_is_an_error(), translated("inspecting the container"):
            return dict(self._within(CALL_S).inspect_container(container))

    def find(self, labels: Sequence[str]) -> list[Found]:
        """Return all containers, running or not, that bear every one of these labels (`name` or `name=value`)."""
        with translated("listing containers"):
            listed = self._within(CALL_S).containers(all=True, filters={"label": list(labels)})
        return [
            Found(
                item["Id"],
                item["Names"][0].lstrip("/") if item["Names"] else "",
                item["State"],
                item["Created"],
                item["Labels"],
            )
            for item in listed
        ]

    def logs(
        self,
        container: str,
        *,
        follow: bool,
        tail: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[bytes]:
        """Yield a container's output, both streams in one, piece by piece; following ends with the container.

        Args:
            container: Its id; the output of all its starts is one.
            follow: Go on until the container ends.
            tail: Only the last lines.
            since: Only what it wrote from then on, in seconds since the epoch.
            until: Only what it wrote up to then.
        """
        with self._gone_is_an_error(), translated("reading the container's log"):
            wanted: dict[str, Any] = {"tail": "all" if tail is None else tail, "since": since, "until": until}
            if follow:
                yield from self._within(CALL_S).logs(container, stream=True, follow=True, **wanted)
            else:  # in one answer: docker-py takes every deadline off a stream
                yield self._within(CALL_S).logs(container, stream=False, follow=False, **wanted)

    def run_session(self, container: str, argv: Sequence[str]) -> ExecSession:
        """Start a process in a running container and return the lines to and from it."""
        with self._gone_is_an_error(), translated("starting a process in the container"):
            api = self._within(CALL_S)
            created = api.exec_create(container, list(argv), stdin=True)
            return ExecSession(api.exec_start(created["Id"], socket=True))

    def remove(self, container: str, grace_s: float) -> None:
        """Stop a container, kill it after the grace, remove it with its anonymous volumes; harmless if it is gone."""
        with contextlib.suppress(docker.errors.NotFound):
            if grace_s > 0:
                with translated("stopping the container"):
                    self._within(CALL_S).stop(container, timeout=round(grace_s))
            with translated("removing the container"):
                try:
                    self._within(CALL_S).remove_container(container, force=True, v=True)
                except docker.errors.APIError as error:
                    if "already in progress" not in str(error.explanation):
                        raise

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    @contextlib.contextmanager
    def _gone_is_an_error(self) -> Iterator[None]:
        try:
            yield
        except docker.errors.NotFound as error:
            raise ContainerGone(
                Text("the container is gone: {explanation}", explanation=error.explanation),
                "See what is there: orch ps",
            ) from error


def connect(environ: Mapping[str, str]) -> Engine:
    """Return a connection to the engine that DOCKER_HOST and its kin name.

    Raises:
        EngineError: None answers, or it is not on this machine.
    """
    url = environ.get("DOCKER_HOST") or HERE
    check_is_here(url)
    with translated(f"connecting to {url}"):
        settings = docker.utils.kwargs_from_env(environment=dict(environ))
        api = docker.APIClient(**settings, version="auto", timeout=CONNECT_S)
    return Engine(api, url)

"""Errors of docker-py and of the requests library beneath it, turned into orch's own in one place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker.errors
import requests.exceptions
import urllib3.exceptions

from orchestrator.errors import EngineError, EngineRefusal
from orchestrator.text import Text

SILENT_HINT = "The engine accepts connections but does not answer; see its log (journalctl -u docker)."
ENGINE_HINT = "Is it running, and may you use it?  Try: docker version   (group docker, or DOCKER_HOST)"


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise EngineError for whatever the engine or the way to it answers while `doing` something.

    An answer of the engine keeps its own words; `NotFound` passes through for callers that know what is missing.
    """
    try:
        yield
    except docker.errors.NotFound:
        raise
    except docker.errors.APIError as error:
        raise EngineRefusal(
            Text(
                "the Docker engine refused {doing}: {explanation}", doing=doing, explanation=error.explanation or error
            )
        ) from error
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ) as error:
        if timed_out(error):
            raise EngineError(
                Text("the Docker engine did not answer in time while {doing}", doing=doing), SILENT_HINT
            ) from error
        raise EngineError(
            Text("no Docker engine answers while {doing}: {innermost}", doing=doing, innermost=innermost(error)),
            ENGINE_HINT,
        ) from error


def timed_out(error: BaseException) -> bool:
    """Say whether a deadline is anywhere in a chain of errors; docker-py wraps it when it asks for the version."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, urllib3.exceptions.NewConnectionError):
            return False  # for urllib3 a refused connection is a timeout
        if isinstance(seen, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def innermost(error: BaseException) -> str:
    """Return the text at the root of a chain of connection errors, such as `No such file or directory`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        nested = next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = seen.__cause__ or seen.__context__ or nested
    return str(error)

"""What a vLLM server answers over HTTP: health, the model it serves, its version.

Until a server is ready its port refuses connections; then all endpoints answer at once (seen on 0.8.5 to 0.33).
"""

from __future__ import annotations

import enum
import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any

from orchestrator.vllm.counters import sample_totals


@dataclass(frozen=True)
class ServedModel:
    """One entry of `/v1/models`."""

    id: str
    root: str | None
    """The path or hub name it was loaded from."""
    max_model_len: int | None
    """Longest context in tokens."""


PIECE = 65536


class Health(enum.Enum):
    """What `/health` says."""

    OK = "ok"
    REFUSED = "refused"
    """Nobody accepts the connection: not ready yet, or dead."""
    ERROR = "error"
    """An error status: 503, or 500 up to 0.10.2, once the engine is dead."""
    SILENT = "silent"
    """No answer in time: hanging, or only busy."""


@dataclass(frozen=True)
class Api:
    """The address of a server; every request has a deadline."""

    host: str
    port: int
    timeout_s: float = 2.0
    key: str | None = field(default=None, repr=False)
    """What the server wants to be shown, if it was started with a key."""

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def health(self) -> Health:
        """Return what `/health` says."""
        try:
            status, _ = self._get("/health")
        except TimeoutError:
            return Health.SILENT
        except (OSError, http.client.HTTPException):
            return Health.REFUSED
        return Health.OK if status == http.client.OK else Health.ERROR

    def healthy(self) -> bool:
        """Say whether `/health` answers 200."""
        return self.health() is Health.OK

    def samples(self) -> dict[str, float] | None:
        """Return the samples of `/metrics`, taken together over their labels, or None if the server does not say."""
        try:
            status, body = self._get("/metrics")
        except (OSError, http.client.HTTPException):
            return None
        return sample_totals(body.decode(errors="replace")) if status == http.client.OK else None

    def models(self) -> list[ServedModel]:
        """Return the models it offers; empty if it does not answer as vLLM does."""
        body = self._json("/v1/models")
        entries = body.get("data") if isinstance(body, dict) else None
        return [
            ServedModel(str(entry["id"]), entry.get("root"), entry.get("max_model_len"))
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and "id" in entry
        ]

    def version(self) -> str | None:
        """Return the version that the server says it is, or None."""
        body = self._json("/version")
        return str(body["version"]) if isinstance(body, dict) and "version" in body else None

    def _json(self, path: str) -> Any:
        try:
            status, body = self._get(path)
            return json.loads(body) if status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def _get(self, path: str) -> tuple[int, bytes]:
        end = time.monotonic() + self.timeout_s
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"} if self.key else {})
            response = connection.getresponse()
            body = b""
            while piece := response.read1(PIECE):
                body += piece
                if time.monotonic() > end:
                    raise TimeoutError
            if response.length:  # the connection broke off
                raise http.client.IncompleteRead(body, response.length)
            return response.status, body
        finally:
            connection.close()

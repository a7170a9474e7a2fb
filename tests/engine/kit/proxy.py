"""A way to the real engine that can be slow: it passes every byte on, and notes the requests."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
_REQUEST = re.compile(rb"(GET|POST|DELETE|HEAD|PUT) (\S+) HTTP/1\.1\r\n")
_CREATE = "/containers/create"
_BODY = b'{"message": "driver failed to remove root filesystem: device or resource busy"}'
REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


class Proxy:
    """Listens on a socket of its own until it is closed.

    A request to create a container waits before it goes on to the engine, and reaches it even if whoever asked has
    died meanwhile, as with an engine that is slow by itself. A request whose method and path hold `refuses` is answered
    in the engine's stead: it cannot.
    """

    def __init__(self, path: Path, create_delay_s: float = 0.0, refuses: str = "\0") -> None:
        self.url = f"unix://{path}"
        self.requests: list[str] = []
        """Method and path of each request so far."""
        self.created: list[int] = []
        """Status of each answer to a create so far."""
        self._delay_s = create_delay_s
        self._refuses = refuses
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def wait_for_request(self, part: str, timeout_s: float = 240.0) -> None:
        """Wait until a request has come whose method and path hold a text."""
        end = time.monotonic() + timeout_s
        while not any(part in request for request in self.requests):
            assert time.monotonic() < end, f"no request with '{part}' in {self.requests}"
            time.sleep(0.01)

    def wait_for_created(self, timeout_s: float = 240.0) -> None:
        """Wait until the engine has answered a create."""
        end = time.monotonic() + timeout_s
        while not self.created:
            assert time.monotonic() < end, "the engine has not answered a create"
            time.sleep(0.01)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(ENGINE)
        creating = threading.Event()
        back = threading.Thread(target=self._answer, args=(engine, client, creating), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                request = _REQUEST.match(chunk)
                if request is not None:
                    method, target = request[1].decode(), request[2].decode()
                    self.requests.append(f"{method} {target}")
                    if self._refuses in self.requests[-1]:
                        client.sendall(REFUSAL)
                        continue
                    if _CREATE in target:
                        creating.set()
                        time.sleep(self._delay_s)
                engine.sendall(chunk)
        while creating.is_set() and back.is_alive():  # the engine goes on with what it was asked for
            time.sleep(0.02)
        for side in (engine, client):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        back.join()
        engine.close()
        client.close()

    def _answer(self, engine: socket.socket, client: socket.socket, creating: threading.Event) -> None:
        while True:
            try:
                chunk = engine.recv(65536)
            except OSError:
                return
            if not chunk:
                break
            if creating.is_set() and chunk.startswith(b"HTTP/1.1 "):
                self.created.append(int(chunk.split()[1]))
                creating.clear()
            with contextlib.suppress(OSError):
                client.sendall(chunk)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)

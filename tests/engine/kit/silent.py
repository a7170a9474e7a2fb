"""Something that accepts connections and never answers: a hung engine, or a registry behind a broken line.

One that knows its version says that much, as an engine whose storage hangs does, and answers nothing else.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BODY = b'{"Version": "28.0", "ApiVersion": "1.41", "MinAPIVersion": "1.24"}'
VERSION = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class Silent:
    """Listens on a path, or else on a port of 127.0.0.1, until it is closed."""

    def __init__(self, path: Path | None = None, *, knows_version: bool = False) -> None:
        self._knows_version = knows_version
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listener.bind(str(path) if path else ("127.0.0.1", 0))
        self._listener.listen(64)
        self._accepted: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def wait_for_visitor(self, timeout_s: float = 240.0) -> None:
        """Wait until somebody has connected."""
        end = time.monotonic() + timeout_s
        while not self._accepted:
            assert time.monotonic() < end, "nobody connects"
            time.sleep(0.02)

    def close(self) -> None:
        """Let go of everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in (self._listener, *self._accepted):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._accepted.append(connection)
            if self._knows_version:
                threading.Thread(target=self._tell_version, args=(connection,), daemon=True).start()

    @staticmethod
    def _tell_version(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while request := connection.recv(65536):
                if b"/version " in request.partition(b"\r\n")[0]:
                    connection.sendall(VERSION)

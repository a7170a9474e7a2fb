"""A process in a container that is spoken to in lines: its standard input stays open as long as we live.

When orch ends, however it ends, the engine closes that input, and the process can end itself. Reading is done by one
thread, so that every wait of the caller has a deadline.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
from typing import Any

from orchestrator.errors import EngineError
from orchestrator.text import Text

_HEADER = struct.Struct(">BxxxL")
_STDOUT = 1
SEND_S = 30
"""How long a line may wait for its reader; longer than any stall of a working engine."""


class ExecSession:
    """Lines to the standard input of a process in a container, lines from its standard output."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - docker-py hands out whatever the transport uses
        self._connection = connection
        response = getattr(connection, "_response", None)
        # The first output can sit in the buffer that read the response's head, so the buffer is read, not the socket.
        self._reader = response.raw._fp.fp if response is not None else connection  # noqa: SLF001 - docker-py offers no other
        self._socket: socket.socket = getattr(connection, "_sock", connection)
        self._socket.settimeout(None)  # of reading, which has its own thread; writing has the deadline of the socket
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self.errors = bytearray()
        """What the process wrote to its standard error so far."""
        threading.Thread(target=self._read, name="exec-session", daemon=True).start()

    def send(self, line: bytes) -> None:
        """Write one line; raise EngineError if the process or the engine is gone, or takes nothing for SEND_S."""
        try:
            self._socket.sendall(line + b"\n")
        except BlockingIOError:
            raise EngineError(
                Text("the process in the container has read nothing for {send_s} s", send_s=SEND_S),
                "Is the container frozen, or the engine hung?  See: orch status, docker ps",
            ) from None
        except OSError as error:
            raise EngineError(
                Text("the process in the container is gone: {strerror}", strerror=error.strerror or error)
            ) from error

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next line without its end, None once the output has ended; raise TimeoutError when time is up."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            self._lines.put(None)
        return line

    def close(self) -> None:
        """End the process's standard input and let go of the connection; harmless when already closed."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._connection.close()

    def _read(self) -> None:
        pending = b""
        try:
            while True:
                head = self._exactly(_HEADER.size)
                if head is None:
                    break
                stream, size = _HEADER.unpack(head)
                payload = self._exactly(size)
                if payload is None:
                    break
                if stream != _STDOUT:
                    self.errors += payload
                    continue
                *lines, pending = (pending + payload).split(b"\n")
                for line in lines:
                    self._lines.put(line)
        finally:
            self._lines.put(None)

    def _exactly(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self._reader.read1(size - len(data))
            except (OSError, ValueError):  # closed by us, or by the engine's end
                return None
            if not chunk:
                return None
            data += chunk
        return bytes(data)

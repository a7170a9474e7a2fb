"""A real HTTP server on this machine that answers as a test tells it to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Answer = bytes | dict[str, Any] | int | Callable[[Mapping[str, str]], int]
    """A body, JSON, a status without one, or the status for a request's headers."""

VLLM: Mapping[str, Answer] = {
    "/health": 200,
    "/version": {"version": "0.32.0"},
    "/v1/models": {"object": "list", "data": [{"id": "tiny", "root": "/models/tiny", "max_model_len": 2048}]},
}
"""What a healthy vLLM answers."""


@contextlib.contextmanager
def answering(answers: Mapping[str, Answer]) -> Iterator[int]:
    """Yield the port of a server that gives these answers by path, and 404 for others; they may change meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path, 404)
            answer = answer(dict(self.headers)) if callable(answer) else answer
            body = (
                answer if isinstance(answer, bytes) else b"" if isinstance(answer, int) else json.dumps(answer).encode()
            )
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def saying(greeting: bytes) -> Iterator[int]:
    """Yield the port of a server that says the same to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

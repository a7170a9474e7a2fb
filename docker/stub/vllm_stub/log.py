"""The log of the server, with the prefixes of the emulated version.

Everything goes out through `os.write`, whole lines at a time, so that a signal handler and a flooding
thread may write too.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from vllm_stub.metrics import KV_BLOCKS, KV_TOKENS
from vllm_stub.phases import lines_of

if TYPE_CHECKING:
    from vllm_stub.flags import ServeConfig
    from vllm_stub.http1 import Request
    from vllm_stub.style import Style

STDOUT, STDERR = 1, 2
SHARDS = 4
_PROCESSES = {"api": "APIServer", "core": "EngineCore", "worker": "Worker"}
_SHARDS_BAR = "Loading safetensors checkpoint shards"
_CAPTURE = "Capturing CUDA graphs (decode, FULL): 100%|██████████| 35/35 [00:00<00:00, 99.41it/s]"


def write(fd: int, text: str) -> None:
    """Write all of `text` to `fd`; a closed reader is not an error of the writer."""
    data = text.encode(errors="replace")
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(fd, data) :]


@dataclass(frozen=True)
class Log:
    """The log of one server."""

    style: Style
    config: ServeConfig

    def say(self, process: str, where: str, text: str, level: str = "INFO") -> None:
        """Write one line of the logger of `process` ("api", "core" or "worker")."""
        prefix = "" if self.style.old else f"({_PROCESSES[process]} pid={os.getpid()}) "
        write(STDOUT, f"{prefix}{level} {time.strftime('%m-%d %H:%M:%S')} [{where}] {text}\n")

    def access(self, address: str, request: Request, status: int) -> None:
        """Write uvicorn's line about the answer to `request`."""
        phrase = HTTPStatus(status).phrase
        write(STDOUT, f'INFO:     {address} - "{request.method} {request.path} HTTP/1.1" {status} {phrase}\n')

    def traceback(self, module: str, error: str) -> None:
        """Write the traceback of an error that ends the server: `error` is its last line (or lines)."""
        for line in (
            "Traceback (most recent call last):",
            '  File "/usr/local/bin/vllm", line 8, in <module>',
            "    sys.exit(main())",
            f'  File "/usr/local/lib/python3/dist-packages/vllm/{module}.py", line 42, in run',
            *error.splitlines(),
        ):
            write(STDERR, f"{line}\n")

    def phase(self, name: str, startup_s: float) -> None:
        """Write the lines of the phase `name` of a start-up that takes `startup_s` seconds."""
        if name in ("graphs", "compile") and self.config.eager:
            return
        if name == "graphs":
            write(STDERR, f"{_CAPTURE}\n")
        for origin, where, text in lines_of(name, self.style):
            filled = text.format_map(self._facts(startup_s))
            if origin == "uvicorn":
                write(STDERR, f"{filled}\n")
            else:
                self.say(origin, where, filled)

    def shard(self, done: int) -> None:
        """Write the progress bar of the safetensors shards, `done` of which are loaded."""
        share = 100 * done // SHARDS
        clock = f"[00:00<{'?' if not done else '00:00'}, {'?it/s' if not done else '9.41it/s'}]"
        write(STDERR, f"{_SHARDS_BAR}: {share:3d}% Completed | {done}/{SHARDS} {clock}\n")

    def _facts(self, startup_s: float) -> dict[str, object]:
        """What the lines of the phases are filled with."""
        config = self.config
        return {
            "version": self.style.version,
            "model": config.model,
            "host": config.host,
            "port": config.port,
            "argv": list(config.argv),
            "length": config.max_model_len,
            "pid": os.getpid(),
            "kv": KV_TOKENS,
            "blocks": KV_BLOCKS,
            "concurrency": KV_TOKENS / config.max_model_len,
            "loaded": 0.4 * startup_s,
            "graphs": 0.2 * startup_s,
            "warm": 0.5 * startup_s,
        }

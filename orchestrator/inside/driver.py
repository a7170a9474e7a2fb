"""Runs benchmark clients inside the container, one at a time, as it is told over its standard input.

The text of this module is given to the container's Python, so it stands alone and runs on any Python from 3.7. It
speaks JSON lines: first what it is, then an answer to each job. When its input ends, orch is gone: it kills the
client that is running and ends.

    → {"id": "…", "argv": […], "env": {…}, "folder": "/tmp/…", "result": "result.json", "deadline_s": 600}
    ← {"id": "…", "code": 0, "timed_out": false, "wall_s": 15.2, "result": "<base64>" or null, "log": "<base64>"}
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

TICK_S = 0.02
GRACE_S = 5.0
LOG = "client.log"


def versions() -> dict[str, object]:  # noqa: D103 - see the module
    try:
        from importlib.metadata import version  # noqa: PLC0415

        return {"python": sys.version.split()[0], "vllm": version("vllm")}
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the image's Python, orch must hear of it
        return {"python": sys.version.split()[0], "vllm": None, "problem": repr(error)}


def kill(client: subprocess.Popen[bytes]) -> None:  # noqa: D103 - see the module
    for signum, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(client.pid, signum)
            client.wait(wait_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def input_ended() -> bool:  # noqa: D103 - see the module
    ready, _, _ = select.select([0], [], [], TICK_S)
    return bool(ready) and os.read(0, 1) == b""


def read(path: str) -> str | None:  # noqa: D103 - see the module
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return base64.b64encode(file.read()).decode()
    except FileNotFoundError:
        return None


def run(job: dict[str, Any]) -> dict[str, object]:  # noqa: D103 - see the module
    folder = job["folder"]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)  # noqa: PTH103
    started = time.monotonic()
    timed_out = False
    with open(os.path.join(folder, LOG), "wb") as log:  # noqa: PTH118, PTH123
        try:
            client = subprocess.Popen(  # noqa: S603
                job["argv"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, **job["env"]),
                start_new_session=True,
            )
        except OSError as error:
            log.write(("cannot start %s: %s\n" % (job["argv"][0], error.strerror)).encode())  # noqa: UP031
            client = None
    while client is not None and client.poll() is None:
        if input_ended():
            kill(client)
            sys.exit(1)
        if time.monotonic() - started > job["deadline_s"]:
            timed_out = True
            kill(client)
    answer = {
        "id": job["id"],
        "code": 127 if client is None else client.returncode,
        "timed_out": timed_out,
        "wall_s": time.monotonic() - started,
        "result": read(os.path.join(folder, job["result"])),  # noqa: PTH118
        "log": read(os.path.join(folder, LOG)),  # noqa: PTH118
    }
    shutil.rmtree(folder, ignore_errors=True)
    return answer


def main() -> None:  # noqa: D103 - see the module
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing but answers may reach the real standard output
    pending = b""
    message = versions()
    while True:
        answers.write(json.dumps(message) + "\n")
        answers.flush()
        while b"\n" not in pending:
            piece = os.read(0, 65536)
            if not piece:
                return
            pending += piece
        line, _, pending = pending.partition(b"\n")
        message = run(json.loads(line.decode()))


if __name__ == "__main__":
    main()

"""Runs the server as its child inside the container, and stops it when its owner dies or its time is up.

This file lies in the deployment's folder, where the container's command starts it (`python3 -IS`): it stands alone and
runs on any Python from 3.7.

The owner holds an exclusive lock on the lease; however the owner ends, the kernel lets go of it. The lease then says
until when the server may go on: `null` for good, a time in seconds since the epoch, or nothing at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

FOLDER = "/run/orch"
GRACE_S = 1.0


def secrets() -> dict[str, str]:
    try:
        with open(FOLDER + "/secrets.json", encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}


def watch(server: subprocess.Popen[bytes]) -> None:
    with open(FOLDER + "/lease", encoding="utf-8") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        fcntl.flock(lease, fcntl.LOCK_UN)  # from now on the content counts, and others may lock to say that they use it
        while True:
            lease.seek(0)
            try:
                until = json.loads(lease.read() or "0")
            except ValueError:  # it is being written
                until = None
            if until is not None and until <= time.time():
                break
            time.sleep(0.2)
    sys.stderr.write("orch: the server's %s, stopping it\n" % ("time is up" if until else "owner is gone"))
    sys.stderr.flush()
    server.terminate()
    try:
        server.wait(GRACE_S)  # the main thread ends with it
    except subprocess.TimeoutExpired:
        os._exit(143)


def main(argv: list[str]) -> int:
    server = subprocess.Popen(argv, env=dict(os.environ, **secrets()))
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    if os.path.isfile(FOLDER + "/lease"):
        threading.Thread(target=watch, args=(server,), daemon=True).start()
    code = server.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # an interpreter that winds down may crash beneath the thread that watches

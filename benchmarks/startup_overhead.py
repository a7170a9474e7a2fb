"""What orch adds to a bare `docker run` and a curl loop until a server is healthy, and how soon it notices health.

Both ways start the same container with the same server, alternately, in one run. A third process polls the server
every 5 ms, so that the moment at which health became true is known independently of both. Times are in seconds:

    total      from the command's start to its end (orch up) or to the loop's first success (docker run, curl)
    noticed    from the moment health became true to the moment the command noticed it
    processor  what the command's processes used of it, which other work on the machine does not change as much

`--beside` names the `orch` of another checkout, with which the server is started in turns too.

    python benchmarks/startup_overhead.py [--rounds 10] [--startup 2] [--beside OTHER/.venv/bin/orch] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ORCH = Path(sys.executable).parent / "orch"
BY_HAND = "docker run + curl"
IMAGE = "orch-stub:dev"
LOOP = 'until curl -sf -o /dev/null "$1"; do sleep 0.1; done'


@dataclass(frozen=True)
class Taken:
    """One start of a server."""

    total_s: float
    noticed_s: float
    processor_s: float


class Poller(threading.Thread):
    """Finds the moment at which `/health` first answers 200."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.healthy_at = float("nan")

    def run(self) -> None:
        """Poll until healthy."""
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status == http.client.OK:
                    self.healthy_at = time.monotonic()
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.005)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def by_hand(startup_s: float) -> Taken:
    """Start the server as a person would."""
    port = free_port()
    poller = Poller(port)
    poller.start()
    began, used = time.monotonic(), processor_s()
    run = [
        "docker", "run", "--detach", "--init", "--publish", f"127.0.0.1:{port}:{port}", "--env",
        f"STUB_STARTUP_S={startup_s}", IMAGE, "vllm", "serve", "/models/m", "--host", "0.0.0.0", "--port", str(port),
    ]  # fmt: skip
    container = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["bash", "-c", LOOP, "loop", f"http://127.0.0.1:{port}/health"], check=True)
    ended, used = time.monotonic(), processor_s() - used
    subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)
    return Taken(ended - began, ended - poller.healthy_at, used)


def by_orch(orch: Path, startup_s: float, folder: Path) -> Taken:
    """Start the same server with `orch up`; noticed when it says so. What Python compiles is kept, as by `pip`."""
    port = free_port()
    profile = folder / "startup.yaml"
    profile.write_text(
        f"container: {{image: '{IMAGE}', pull: never, env: {{STUB_STARTUP_S: '{startup_s}'}}}}\n"
        f"server: {{model: /models/m, port: {port}}}\n"
    )
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "ORCH_STATE_DIR": str(folder / "state")}
    poller = Poller(port)
    poller.start()
    began, used = time.monotonic(), processor_s()
    with subprocess.Popen(
        [orch, "up", profile], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as up:
        noticed = float("nan")
        for line in up.stderr or ():
            if "ready http" in line:
                noticed = time.monotonic()
    ended, used = time.monotonic(), processor_s() - used
    subprocess.run([orch, "down", "startup"], env=environment, check=True, capture_output=True)
    return Taken(ended - began, noticed - poller.healthy_at, used)


def processor_s() -> float:
    """Return the processor time of all processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--startup", type=float, default=2.0, help="seconds that the server takes by itself")
    parser.add_argument("--beside", type=Path, metavar="ORCH", help="another orch, started in turns with this one")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    ways = {"orch up": ORCH, **({"the other orch up": arguments.beside.absolute()} if arguments.beside else {})}
    taken: dict[str, list[Taken]] = {name: [] for name in (BY_HAND, *ways)}
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as folder:
        for _ in range(arguments.rounds):
            taken[BY_HAND].append(by_hand(arguments.startup))
            for name, orch in ways.items():
                taken[name].append(by_orch(orch, arguments.startup, Path(folder)))
    if arguments.json:
        print(json.dumps({way: [vars(item) for item in items] for way, items in taken.items()}, indent=2))
        return
    print(
        f"{arguments.rounds} rounds, alternating; the server takes {arguments.startup:g} s by itself; medians (min-max)"
    )
    for way, items in taken.items():
        totals, noticed = [item.total_s for item in items], [item.noticed_s for item in items]
        used = statistics.median(item.processor_s for item in items)
        print(f"{way:<20} total {_range(totals)}   noticed {_range(noticed)}   processor {used:6.3f}")
    median = {way: statistics.median(item.total_s for item in items) for way, items in taken.items()}
    for way in ways:
        print(f"{way.removesuffix(' up')} adds {median[way] - median[BY_HAND]:+.3f} s")


def _range(values: list[float]) -> str:
    return f"{statistics.median(values):6.3f} ({min(values):.3f}-{max(values):.3f})"


if __name__ == "__main__":
    main()

"""How soon orch ends after the container of a server that failed: diagnosis, report and teardown included.

Each failure is a real one of real vLLM on the CPU. The engine's own event tells when the container ended, and the clock
stops with the process. Times are in seconds.

    python benchmarks/failure_latency.py [--rounds 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ORCH = Path(sys.executable).parent / "orch"
PROFILE, NAME, PORT = "cpu-tiny", "failure-latency", 18030
FAILURES = {
    "unknown flag": "server.flags.no-such-flag=1",
    "invalid JSON": 'server.flags.speculative-config="{num_speculative_tokens: 3"',
    "missing model": "server.model=/opt/models/nothing-here",
    "context too long": "server.flags.max-model-len=100000",
    "unknown quantization": "server.flags.quantization=no_such_method",
    "memory limit": "container.memory=400m",
}
"""What is changed in the profile."""


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {failure: [] for failure in FAILURES}
    for _ in range(arguments.rounds):
        for failure, change in FAILURES.items():
            taken[failure].append(latency(change))
    if arguments.json:
        print(json.dumps(taken, indent=2))
        return
    print(f"{'failure':<22} from the end of the container to the end of orch up")
    for failure, values in taken.items():
        print(f"{failure:<22} {'  '.join(f'{value:.2f}' for value in values)}")


def latency(change: str) -> float:
    """Let a start fail and return the seconds between the two ends."""
    event = ["docker", "events", "--filter", "event=die", "--filter", f"container=orch-{NAME}"]
    with (
        tempfile.TemporaryDirectory(prefix="orch-bench-") as state,
        subprocess.Popen([*event, "--format", "{{.TimeNano}}"], stdout=subprocess.PIPE, text=True) as events,
    ):
        sets = ["--set", change, "--set", f"server.port={PORT}"]
        environment = {**os.environ, "ORCH_STATE_DIR": state}
        done = subprocess.run(
            [ORCH, "up", PROFILE, "--name", NAME, *sets], env=environment, capture_output=True, text=True, check=False
        )
        ended = time.time()
        if done.returncode != 1 or events.stdout is None:
            sys.exit(f"orch up --set {change} ended with {done.returncode}:\n{done.stderr}")
        died = int(events.stdout.readline()) / 1e9
        events.terminate()
    return ended - died


if __name__ == "__main__":
    main()

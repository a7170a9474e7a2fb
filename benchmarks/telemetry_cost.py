"""What recording costs on a machine with eight cards: processor time as a part of one core, and memory.

The cards are fake files, read once a second as real ones are; the vendor's tool is a script that prints a table every
ten seconds; the server's page is as long as a real one (vLLM 0.32 writes some 700 lines) and comes over HTTP. Counted
are the processor time of this process and of the tools it has started, less what it uses without recording, and the
memory that recording adds to it. The kernel's own work for the files of a real driver is not in it.

    python benchmarks/telemetry_cost.py [--seconds 60] [--cards 8] [--json]
"""

from __future__ import annotations

import argparse
import http.server
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
import fake_cards

MOST_CORE, MOST_MIB = 0.02, 60.0
LINES = 700


class Page(http.server.BaseHTTPRequestHandler):
    """A server's `/metrics`."""

    body = "".join(
        [
            'vllm:num_requests_running{engine="0",model_name="m"} 8.0\n',
            'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5\n',
            *(
                f'vllm:e2e_request_latency_seconds_bucket{{engine="0",le="{line}.0",model_name="m"}} {line}.0\n'
                for line in range(LINES)
            ),
        ]
    ).encode()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve(port: Any) -> None:
    """Serve the page until the process is ended."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    port.value = server.server_port
    server.serve_forever()


def used_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in both)


def memory_mib() -> float:
    """Return the memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine(root: Path, cards: int) -> None:
    """Make a machine with cards, their tool and a container; processors are those of this machine."""
    fake_cards.cards(root, cards)
    fake_cards.tool(root, fake_cards.hy_smi(cards))
    group = root / f"sys/fs/cgroup/docker/{fake_cards.CONTAINER}"
    fake_cards.write(group / "cpu.stat", "usage_usec 1\nnr_throttled 0\nthrottled_usec 0")
    fake_cards.write(group / "memory.current", 1)
    (root / "proc").symlink_to("/proc")
    (root / "sys/devices").mkdir(parents=True, exist_ok=True)
    (root / "sys/devices/system").symlink_to("/sys/devices/system")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--cards", type=int, default=8)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    port = multiprocessing.get_context("spawn").Value("i", 0)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    before_mib = memory_mib()  # the modules of the room count as its cost

    from orchestrator.telemetry.format import FILE
    from orchestrator.telemetry.sources import recorded
    from orchestrator.vllm.api import Api

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "machine"
        machine(root, chosen.cards)
        idle = used_s()
        time.sleep(min(chosen.seconds / 6, 10.0))
        without = (used_s() - idle) / min(chosen.seconds / 6, 10.0)
        begun, used = time.monotonic(), used_s()
        with recorded(Path(folder), fake_cards.CONTAINER, Api("127.0.0.1", port.value).samples, root):
            time.sleep(chosen.seconds)
            added = memory_mib() - before_mib
        seconds = time.monotonic() - begun
        share = (used_s() - used) / seconds - without
        size = (Path(folder) / FILE).stat().st_size
    server.terminate()
    server.join()
    found = {
        "cards": chosen.cards,
        "seconds": round(seconds, 1),
        "core_share": round(share, 5),
        "memory_mib": round(added, 1),
        "file_bytes_per_s": round(size / seconds),
        "within": share < MOST_CORE and added < MOST_MIB,
    }
    if chosen.json:
        print(json.dumps(found))
    else:
        print(f"{chosen.cards} cards, {seconds:.0f} s: {share:.2%} of one core (at most {MOST_CORE:.0%}),")
        print(f"{added:.1f} MiB more memory (at most {MOST_MIB:.0f}), {size / seconds:.0f} bytes a second on disk")
    sys.exit(0 if found["within"] else 1)


if __name__ == "__main__":
    main()

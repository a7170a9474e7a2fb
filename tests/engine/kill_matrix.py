"""Kills orch again and again, at random moments and in every way, and counts what is left behind.

Lanes run side by side, each with its own folders. A lane starts `orch run` against the stub, ends it after a random
part of the time that a whole run takes, and then looks from outside, with the docker client, until nothing bears the
deployment's label any more. Where the watchdog is killed in the same instant, the server must have stopped by itself;
the container that is left is removed by `orch gc`, as the next orch would. Foreign containers and a second, living
deployment watch from beside.

    python tests/engine/kill_matrix.py [--kills 100] [--lanes 6] [--seed 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.kit import containers
from engine.kit.command import STUB, Orch

if TYPE_CHECKING:
    from engine.kit.command import Started

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
WAYS = (
    "kill",
    "kill",
    "kill group",
    "kill with watchdog",
    *(f"{stop.name} x{n}" for stop in STOPS for n in (1, 2, 10)),
)
"""Ways to end orch; `kill` stands twice because it is the one that nothing can catch."""


@dataclass(frozen=True)
class Kill:
    """One end of orch, and what came of it."""

    way: str
    moment: float
    """Part of a whole run's time after which it was ended."""
    code: int
    """Exit code, negative for a signal."""
    stopped_s: float
    """From the end of orch until no container of it was running."""
    clean_s: float
    """From the end of orch until no container, network or volume of it was there."""
    left: int
    """What was still there after the deadline."""
    whole: bool
    """Every file of the run can be read, and the run says how it ended."""


def main() -> int:
    """Run the matrix and print the distribution; return 1 if anything was left behind or torn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--lanes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    kills, foreign_untouched = run_matrix(arguments.kills, arguments.lanes, arguments.seed)
    if arguments.json:
        print(json.dumps([asdict(kill) for kill in kills], indent=2))
    else:
        print("\n".join(table(kills)))
        print(f"foreign containers and a living second deployment: {'untouched' if foreign_untouched else 'TOUCHED'}")
    return 0 if foreign_untouched and all(kill.left == 0 and kill.whole for kill in kills) else 1


def run_matrix(kills: int, lanes: int, seed: int) -> tuple[list[Kill], bool]:
    """Return what came of each kill, and whether what is not ours was left alone."""
    prefix = f"km{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="orch-kill-matrix-") as folder:
        bystander = Orch(Path(folder) / "bystander", f"{prefix}-bystander")
        bystander.folder.mkdir()
        living = bystander.profile("living")
        bystander.ok("up", living)
        decoy = containers.docker(
            "run", "--detach", "--name", f"orch-{prefix}-decoy", STUB, "sleep", "infinity"
        ).strip()
        watched = [decoy, containers.only(bystander.prefix).id]
        began = [containers.inspect(container)["State"]["StartedAt"] for container in watched]
        try:
            with ThreadPoolExecutor(lanes) as pool:
                parts = pool.map(
                    lambda lane: run_lane(Path(folder), f"{prefix}-{lane}", range(lane, kills, lanes), seed),
                    range(lanes),
                )
                found = [kill for part in parts for kill in part]
            now = [containers.inspect(container)["State"] for container in watched]
            untouched = all(state["Running"] for state in now) and [state["StartedAt"] for state in now] == began
        finally:
            bystander("down", living)
            containers.docker("rm", "--force", decoy)
    return found, untouched


def run_lane(folder: Path, prefix: str, numbers: range, seed: int) -> list[Kill]:
    """Return what came of a lane's kills."""
    orch = Orch(folder / prefix, prefix)
    orch.folder.mkdir()
    name = orch.profile(
        "run",
        server={"env": {"STUB_STARTUP_S": "0.5"}},
        bench={"lengths": [[8, 4], [8, 8]], "num_prompts": 4, "warmup": 1},
    )
    began = time.monotonic()
    orch.ok("run", name)
    whole_s = time.monotonic() - began
    return [kill_once(orch, name, random.Random(f"{seed}/{number}"), whole_s) for number in numbers]


def kill_once(orch: Orch, name: str, chance: random.Random, whole_s: float) -> Kill:
    """Start a run, end it, and watch what becomes of it."""
    way, moment = chance.choice(WAYS), chance.uniform(0.0, 1.05)
    started = orch.start("run", name, start_new_session=True)
    time.sleep(moment * whole_s)
    end(started, way)
    started.wait()
    ended = time.monotonic()
    stopped_s = clean_s = float("nan")
    while time.monotonic() - ended < containers.GONE_S:
        found = containers.listed(orch.prefix)
        if stopped_s != stopped_s and not any(seen.state == "running" for seen in found):  # noqa: PLR0124 - not yet
            stopped_s = time.monotonic() - ended
            if way == "kill with watchdog":
                orch("gc")
        elif not found:
            clean_s = time.monotonic() - ended
            break
        else:
            time.sleep(0.1)
    left = containers.listed(orch.prefix)
    kill = Kill(
        way, moment, started.process.returncode, stopped_s, clean_s, len(left) + others(orch.prefix), whole(orch)
    )
    containers.remove(left)
    return kill


def end(started: Started, way: str) -> None:
    """End orch in one of the ways."""
    if started.process.poll() is not None:
        return
    if way.startswith("SIG"):
        name, _, count = way.partition(" x")
        for _ in range(int(count)):
            started.signal(signal.Signals[name])
            time.sleep(0.01)
        return
    victims = [psutil.Process(started.pid)]
    if way == "kill with watchdog":
        victims += victims[0].children()
    if way == "kill group":
        os.killpg(started.pid, signal.SIGKILL)
        return
    for victim in reversed(victims):
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue


def others(prefix: str) -> int:
    """Return how many networks and volumes bear the label."""
    label = f"label=orch.deployment={prefix}-run"
    kinds = ("network", "volume")
    return sum(len(containers.docker(kind, "ls", "--quiet", "--filter", label).splitlines()) for kind in kinds)


def whole(orch: Orch) -> bool:
    """Say whether every run can be read and says how it ended; then forget the runs."""
    rows = orch.json("results", "list")["runs"]
    fine = all(row["state"] in ("done", "interrupted", "failed") for row in rows)
    for path in orch.runs.rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            fine = False
    subprocess.run(["rm", "-rf", str(orch.runs)], check=True)
    return fine


def table(kills: list[Kill]) -> list[str]:
    """Return the distribution as lines."""
    lines = [f"{'way':<20} {'kills':>5} {'left':>5} {'torn':>5}   stopped s (median / max)   clean s (median / max)"]
    for way in (*dict.fromkeys(WAYS), "all"):
        some = [kill for kill in kills if way in ("all", kill.way)]
        if some:
            stopped, clean = [kill.stopped_s for kill in some], [kill.clean_s for kill in some]
            left, torn = sum(kill.left for kill in some), sum(not kill.whole for kill in some)
            lines.append(
                f"{way:<20} {len(some):>5} {left:>5} {torn:>5}"
                f"   {statistics.median(stopped):>8.2f} / {max(stopped):<8.2f}      "
                f"{statistics.median(clean):>8.2f} / {max(clean):<8.2f}"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())

"""How long `orch results` takes over many runs: the list of 2,000 runs of 20 measurements, and one run of 1,000.

The runs are copies of a record as orch writes it, in a temporary folder; the time is that of the whole process, and
beside it that of the processor, which other work on the machine does not change as much. `of before` are runs whose
manifests do not yet say how many measurements were done. What Python compiles is kept, as `pip install` keeps it.

    python benchmarks/reading_results.py [--runs 2000] [--points 20] [--measurements 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from samples import a_measurement, a_profile, a_record, a_run  # noqa: E402 - the records of the tests

from orchestrator.runs.format.records import RunState  # noqa: E402

ORCH = Path(sys.executable).parent / "orch"


def make(folder: Path, name: str, count: int, *, counted: bool) -> None:
    """Make a run of so many measurements that are done."""
    taken = [dataclasses.replace(a_measurement(), repetition=number) for number in range(1, count + 1)]
    named = tuple((item.point.id, item.repetition) for item in taken)
    run = a_run(folder, a_profile(), id=name, measurements=named, state=RunState.DONE, done=count if counted else None)
    for item in taken:
        path = run.path / "points" / item.point.id / f"r{item.repetition}"
        path.mkdir(parents=True)
        (path / "record.json").write_text(a_record(item).model_dump_json(indent=2), encoding="utf-8")


def seconds(folder: Path, *args: str, rounds: int) -> str:
    """Return the median time of a command over the runs in a folder, and the median time of its processor."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken, used = [], []
    for _ in range(rounds):
        began, before = time.monotonic(), _processor_s()
        subprocess.run(
            [ORCH, "results", *args],
            env={**environ, "ORCH_RUNS_DIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        taken.append(time.monotonic() - began)
        used.append(_processor_s() - before)
    return f"{statistics.median(taken):6.2f} s   processor {statistics.median(used):5.2f} s"


def _processor_s() -> float:
    """Return the processor time of all processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--measurements", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        new, old, large = (Path(name) / kind for kind in ("new", "old", "large"))
        for number in range(asked.runs):
            run = f"20260101-{number:06d}-tiny-0a1b"
            make(new, run, asked.points, counted=True)
            make(old, run, asked.points, counted=False)
        make(large, "20260101-000000-tiny-0a1b", asked.measurements, counted=True)
        what = f"{asked.runs} runs of {asked.points} measurements"
        print(f"list, {what}              {seconds(new, 'list', rounds=asked.rounds)}")
        print(f"list --json, {what}       {seconds(new, 'list', '--json', rounds=asked.rounds)}")
        print(f"list, {what}, of before   {seconds(old, 'list', rounds=asked.rounds)}")
        print(f"show, {asked.measurements} measurements          {seconds(large, 'show', rounds=asked.rounds)}")
        print(f"show --json, the same            {seconds(large, 'show', '--json', rounds=asked.rounds)}")
        print(f"csv, the same                    {seconds(large, 'csv', rounds=asked.rounds)}")


if __name__ == "__main__":
    main()

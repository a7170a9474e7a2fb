"""How often the verdict rules are right on a simulated server: clean sweeps, and faults of half to double strength.

First the guide's sweep on a clean server, and other workloads on clean servers of three speeds: the share of points
that are SUSPECT. Then each fault of `tests/simulation/cases.py`: the share of trials in which it is named, and other
doubts beside it. Everything is seeded.
The server is a model whose speeds are assumptions (`tests/simulation/server.py`); the judging code is the real one.

    python benchmarks/verdicts.py [--trials 20] [--sweeps 5] [--seed 1] [--only TEXT] [--json] [--write docs/metrics.md]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from simulation.cases import CASES, DOUBT, NOTE, NOTHING, UNCHECKED, Case  # noqa: E402 - the server of the tests
from simulation.faults import SPEEDS, WORKLOADS, batch  # noqa: E402 - the server of the tests
from simulation.judged import Verdicts, take, verdicts_on  # noqa: E402 - the server of the tests
from simulation.server import Setup, setup  # noqa: E402 - the server of the tests

FOUND = 0.95
"""Share of trials in which a fault of full strength, or double, is to be named."""
WRONG = 0.02
"""Share of trials, and of points of a clean sweep, in which a doubt may be wrong."""
RARE = 5
"""How many times as many trials there are where nothing is due: few of them show no 2 %."""
BEGIN = "<!-- Written by `python benchmarks/verdicts.py --write docs/metrics.md` as far as the next comment. -->"
END = "<!-- As far as here. -->"
BATCHES = (2, 4, 6, 8, 10, 16, 20, 24, 32, 64)
LENGTHS = (512, 1024)
REPETITIONS = (1, 3, 5)
SCATTERS = (0.01, 0.03, 0.05)


@dataclass(frozen=True)
class Clean:
    """A clean sweep, so many times."""

    server: str
    speculation: bool
    repetitions: int
    scatter: float
    points: int
    suspect: int
    ids: dict[str, int]
    """How many points each doubt was said of."""

    @property
    def good(self) -> bool:
        """Whether doubts are as rare as they have to be."""
        return self.suspect <= WRONG * self.points


@dataclass(frozen=True)
class Workload:
    """A workload on clean servers of one speed, each so many times."""

    workload: str
    speed: str
    points: int
    suspect: int
    ids: dict[str, int]
    """How many points each doubt was said of."""

    @property
    def good(self) -> bool:
        """Whether doubts are as rare as they have to be."""
        return self.suspect <= WRONG * self.points


@dataclass
class Found:
    """A case at one strength, so many times."""

    case: str
    due: str
    ids: tuple[str, ...]
    strength: float
    trials: int
    found: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    """Trials with each doubt that is not due."""
    with_wrong: int = 0

    @property
    def good(self) -> bool:
        """Whether what is due is said, from full strength on, and nothing else."""
        said = self.due == NOTHING or self.strength < 1.0 or self.found >= FOUND * self.trials
        return said and self.with_wrong <= WRONG * self.trials


def servers(**speed: float) -> dict[str, tuple[Setup, Setup]]:
    """Return the servers without faults, without and with speculation."""
    return {
        "0.8.5 V0": (setup("0.8.5", "v0", **speed), setup("0.8.5", "v0", draft_tokens=3, **speed)),
        "0.8.5 V1": (setup("0.8.5", **speed), setup("0.8.5", draft_tokens=3, **speed)),
        "0.32": (setup("0.32.0", **speed), setup("0.32.0", draft_tokens=3, **speed)),
    }


def clean(sweeps: int, seed: int) -> list[Clean]:
    """Measure the guide's sweep on clean servers: with most repetitions, of which the first are judged alone, too."""
    points = [batch(size, length) for size in BATCHES for length in LENGTHS]
    found: dict[tuple[str, bool, float, int], list[Verdicts]] = defaultdict(list)
    kinds = [(name, *each) for name, pair in servers().items() for each in zip((False, True), pair, strict=True)]
    cells = itertools.product(kinds, SCATTERS, range(sweeps))
    for count, ((name, speculation, server), scatter, _) in enumerate(cells):
        records = take(server, points, max(REPETITIONS), seed + count, scatter=scatter)
        for repetitions in REPETITIONS:
            first = [record for record in records if record.repetition <= repetitions]
            found[name, speculation, scatter, repetitions] += verdicts_on(first)
    return [Clean(*cell[:2], cell[3], cell[2], *_suspects(verdicts)) for cell, verdicts in found.items()]


def _suspects(found: Sequence[Verdicts]) -> tuple[int, int, dict[str, int]]:
    """Return how many points there are, how many of them are doubted, and how many for each reason."""
    ids = Counter(doubt for verdicts in found for doubt in verdicts.doubts)
    return len(found), sum(bool(verdicts.doubts) for verdicts in found), dict(ids)


def workloads(trials: int, seed: int) -> list[Workload]:
    """Measure other workloads on clean servers, once each time."""
    rows = []
    for name, measured in WORKLOADS.items():
        for speed, figures in SPEEDS.items():
            found = [
                verdicts
                for server in itertools.chain.from_iterable(servers(**figures).values())
                for number in range(trials)
                for verdicts in verdicts_on(take(server, [measured(server)], 1, seed + number, scatter=0.01))
            ]
            rows.append(Workload(name, speed, *_suspects(found)))
    return rows


def faults(cases: list[Case], trials: int, seed: int) -> list[Found]:
    """Measure each case at its strengths."""
    rows = []
    for case in cases:
        count = trials * (RARE if case.kind == NOTHING else 1)
        for strength in case.strengths:
            row = Found(case.name, case.kind, case.ids, strength, count)
            for number in range(count):
                _count(row, case, _judged(case, strength, seed + number))
            rows.append(row)
    return rows


def _judged(case: Case, strength: float, seed: int) -> Verdicts:
    trial = case.trial(strength)
    (verdicts,) = verdicts_on(
        take(trial.setup, [trial.point], trial.repetitions, seed, scatter=trial.scatter, trouble=trial.trouble)
    )
    return verdicts


def _count(row: Found, case: Case, verdicts: Verdicts) -> None:
    due, said = set(case.ids), verdicts.doubts if case.kind == DOUBT else verdicts.ids - verdicts.doubts
    row.found += bool(verdicts.unchecked) if case.kind == UNCHECKED else bool(due & said)
    wrong = verdicts.doubts - set(case.beside) - (due if case.kind == DOUBT else set())
    row.wrong.update(wrong)
    row.with_wrong += bool(wrong)


def clean_lines(rows: list[Clean]) -> list[str]:
    """Return the clean sweeps as a table of Markdown."""
    heads = [f"{scatter:.0%}, {repetitions}×" for scatter in SCATTERS for repetitions in REPETITIONS]
    lines = [f"| server | {' | '.join(heads)} | doubts |", f"|---|{'---|' * len(heads)}---|"]
    for name in servers():
        for speculation in (False, True):
            own = [row for row in rows if (row.server, row.speculation) == (name, speculation)]
            shares = [f"{row.suspect / row.points:.0%}{'' if row.good else ' !'}" for row in own]
            ids: Counter[str] = Counter()
            for row in own:
                ids.update(row.ids)
            said = ", ".join(f"`{name}`" for name, _ in ids.most_common())
            lines.append(f"| {name}{', speculation' if speculation else ''} | {' | '.join(shares)} | {said} |")
    return lines


def workload_lines(rows: list[Workload]) -> list[str]:
    """Return the other workloads as a table of Markdown."""
    lines = [f"| workload | {' | '.join(SPEEDS)} | doubts |", f"|---|{'---|' * len(SPEEDS)}---|"]
    for name in WORKLOADS:
        own = [row for row in rows if row.workload == name]
        shares = [f"{row.suspect / row.points:.0%}{'' if row.good else ' !'}" for row in own]
        ids: Counter[str] = Counter()
        for row in own:
            ids.update(row.ids)
        said = ", ".join(f"`{each}`" for each, _ in ids.most_common())
        lines.append(f"| {name} | {' | '.join(shares)} | {said} |")
    return lines


def fault_lines(rows: list[Found]) -> list[str]:
    """Return the cases as a table of Markdown."""
    lines = ["| case | due | half | full | double | wrong beside it |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(row.case for row in rows):
        own = {row.strength: row for row in rows if row.case == name}
        row = own[1.0]
        due = {DOUBT: "", NOTE: "note ", UNCHECKED: "what could not be checked", NOTHING: "nothing"}[row.due]
        due += " or ".join(f"`{each}`" for each in row.ids)
        cells = [own.get(strength) for strength in (0.5, 1.0, 2.0)]
        shares = ["" if cell is None or cell.due == NOTHING else f"{cell.found / cell.trials:.0%}" for cell in cells]
        wrong: Counter[str] = Counter()
        for cell in own.values():
            wrong.update(cell.wrong)
        trials = sum(cell.trials for cell in own.values())
        beside = ", ".join(f"`{each}` {count / trials:.0%}" for each, count in wrong.most_common())
        mark = "" if all(cell.good for cell in own.values()) else " !"
        lines.append(f"| {name}{mark} | {due} | {' | '.join(shares)} | {beside} |")
    return lines


def report(asked: argparse.Namespace, tables: dict[str, list[Any]]) -> list[str]:
    """Return everything as Markdown."""
    lines = []
    if tables["clean"]:
        lines += [
            "The guide's sweep without faults: points that are SUSPECT, by scatter and number of repetitions.",
            "",
            *clean_lines(tables["clean"]),
            "",
            "Other workloads without faults: points that are SUSPECT, over all these servers.",
            "",
            *workload_lines(tables["workloads"]),
            "",
        ]
    return [
        *lines,
        "Faults: trials in which they are named, at half the strength that they are named after, at it, and at double.",
        "",
        *fault_lines(tables["cases"]),
        "",
        (
            f"`!` marks more than {WRONG:.0%} wrong, or less than {FOUND:.0%} found at full or double strength. "
            f"{20 * asked.sweeps} points a cell of the sweep, {asked.trials} trials of each fault, "
            f"{RARE * asked.trials} where nothing is due."
        ),
    ]


def write(path: Path, lines: list[str]) -> None:
    """Put lines between the marks of a page; raise ValueError for a page without them."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no mark {BEGIN!r} with {END!r} after it")
    path.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def main() -> int:
    """Measure and print; end with 1 if something is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="of each case at each strength")
    parser.add_argument("--sweeps", type=int, default=5, help="of 20 points, in each cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name holds this; nothing without faults")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="page whose tables are to be written anew")
    asked = parser.parse_args()
    tables: dict[str, list[Any]] = {
        "clean": [] if asked.only else clean(asked.sweeps, asked.seed),
        "workloads": [] if asked.only else workloads(max(asked.trials // 4, 1), asked.seed),
        "cases": faults([case for case in CASES if asked.only in case.name], asked.trials, asked.seed),
    }
    if asked.json:
        print(json.dumps({name: [asdict(row) for row in rows] for name, rows in tables.items()}, indent=2))
    else:
        print("\n".join(report(asked, tables)))
    if asked.write:
        write(asked.write, report(asked, tables))
    return 0 if all(row.good for rows in tables.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

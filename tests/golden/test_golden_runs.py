"""Promise D8: runs of earlier and present versions are shown to the byte, and gone on with, as before.

Where that is to change: look at `git diff` after `python tests/golden/make.py --expected`.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from golden.outputs import EXPECTED, RUNS, all_said, commands, copied, names, said

if TYPE_CHECKING:
    from pathlib import Path

FILES = (*commands(), "resume.json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("golden"))


def manifests() -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_bytes()) for path in sorted(RUNS.glob("*/manifest.json"))}


@pytest.mark.parametrize("file", commands())
def test_what_is_said_of_a_golden_run_is_what_was_said(runs: Path, file: str) -> None:
    assert said(runs, commands()[file]) == (EXPECTED / file).read_bytes().decode()


def test_going_on_with_a_golden_run_takes_what_it_took(runs: Path) -> None:
    assert all_said(runs)["resume.json"] == (EXPECTED / "resume.json").read_text(encoding="utf-8")


def test_looking_at_runs_that_have_ended_writes_nothing(runs: Path) -> None:
    def contents(folder: Path) -> dict[Path, bytes]:
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    all_said(runs)
    assert contents(runs) == contents(RUNS)


def test_nothing_is_expected_that_is_not_said() -> None:
    assert {str(path.relative_to(EXPECTED)) for path in EXPECTED.rglob("*") if path.is_file()} == set(FILES)


def test_the_golden_runs_end_in_every_way_and_are_of_every_kind() -> None:
    found = manifests()
    assert {manifest["state"] for manifest in found.values()} == {"done", "failed", "interrupted"}
    assert {manifest.get("kind", "sweep") for manifest in found.values()} == {"sweep", "search"}
    assert any(manifest.get("earlier") for manifest in found.values()), "one was resumed"
    assert any(manifest.get("study") for manifest in found.values())
    shown = "".join((EXPECTED / name / "wide.csv").read_text(encoding="utf-8") for name in names())
    assert all(f",{verdict}," in shown for verdict in ("VALID", "SUSPECT", "INVALID"))
    resume = json.loads((EXPECTED / "resume.json").read_bytes())
    refused = [name for name, lines in resume.items() if any("refuses its profile" in str(line) for line in lines)]
    assert [name for name in refused if "-refused-" in name]
    assert [name for name, lines in resume.items() if "-unbounded-" in name and lines and name not in refused]


def test_the_golden_runs_are_small_and_say_nothing_of_the_machine_that_they_were_made_on() -> None:
    files = [path for path in RUNS.parent.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 2 << 20
    for path in RUNS.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode()
            assert not any(word in text for word in ("/home/", "/root/", "/work/", "/tmp/golden")), path
    for manifest in manifests().values():
        assert manifest["node"]["hostname"] == "node"


@pytest.mark.parametrize("run", [path.parent.name for path in sorted(RUNS.glob("*/summary.csv"))])
def test_the_figures_are_those_that_the_run_s_own_version_wrote_in_its_table(run: str) -> None:
    then = list(csv.DictReader(io.StringIO((RUNS / run / "summary.csv").read_text(encoding="utf-8"))))
    now = list(csv.DictReader(io.StringIO((EXPECTED / run / "wide.csv").read_text(encoding="utf-8"))))
    judged = {"verdict", "doubts", "notes", "thin_percentiles"}  # these follow from the figures, by rules that grow
    assert [{key: row[key] for key in row if key not in judged} for row in then] == [
        {key: row[key] for key in earlier if key not in judged} for earlier, row in zip(then, now, strict=True)
    ]

"""C5: the shell completes commands, options, and the names of profiles and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from samples import a_manifest, a_profile

from orchestrator.runs.directory import create_run

if TYPE_CHECKING:
    from engine.kit.command import Orch


def completed(orch: Orch, line: str) -> list[str]:
    """Return what bash would offer for the last word of a line."""
    words = line.split(" ")
    asked = {"_ORCH_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = orch(env={**orch.environ(), **asked})
    assert (done.returncode, done.stderr) == (0, "")
    return [entry.partition(",")[2] for entry in done.stdout.splitlines() if entry]


@pytest.mark.parametrize("command", ["up", "run", "plan", "bench", "profile show", "profile lint"])
def test_profiles(orch: Orch, command: str) -> None:
    orch.profiles.mkdir()
    (orch.profiles / "cpu-mine.yaml").write_text("description: mine\n", encoding="utf-8")
    (orch.profiles / "_cpu-base.yaml").write_text("description: a base\n", encoding="utf-8")
    assert set(completed(orch, f"orch {command} cpu-")) == {"cpu-mine", "cpu-tiny", "cpu-tiny-0.8.5"}
    assert completed(orch, f"orch {command} zz") == []


def test_several_profiles_in_one_line(orch: Orch) -> None:
    assert set(completed(orch, "orch profile lint cpu-tiny ds-671b-")) == {"ds-671b-awq", "ds-671b-int8"}


@pytest.mark.parametrize("command", ["show", "csv"])
def test_runs(orch: Orch, command: str) -> None:
    for name in ("20261124-031500-cpu-tiny-3f9a", "20261125-031500-cpu-tiny-aaaa", "notes"):
        (orch.runs / name).mkdir(parents=True)
    for name in ("20261124-031500-cpu-tiny-3f9a", "20261125-031500-cpu-tiny-aaaa"):
        (orch.runs / name / "manifest.json").write_text("{", encoding="utf-8")
    assert completed(orch, f"orch results {command} 20261124") == ["20261124-031500-cpu-tiny-3f9a"]
    assert len(completed(orch, f"orch results {command} ")) == 2


def test_a_study_is_offered_before_its_runs(orch: Orch) -> None:
    study = "20261124-031500-cpu-tiny-3f9a"
    for number in (1, 2):
        manifest = a_manifest(id=f"{study}-0{number}", study=study)
        create_run(orch.runs, a_profile(), manifest)
    assert completed(orch, "orch results show 2026") == [study, f"{study}-01", f"{study}-02"]
    assert completed(orch, f"orch bench --resume {study}-") == [f"{study}-01", f"{study}-02"]


def test_commands_and_options(orch: Orch) -> None:
    assert set(completed(orch, "orch p")) == {"plan", "profile", "ps"}
    assert "--ttl" in completed(orch, "orch up --")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(orch: Orch, shell: str) -> None:
    done = orch(env={**orch.environ(), "_ORCH_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0, done.stderr
    assert "_ORCH_COMPLETE" in done.stdout

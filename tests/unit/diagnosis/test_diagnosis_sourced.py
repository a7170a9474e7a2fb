"""A file of container.source that ends the shell is named as the cause, in the words that the shell really writes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestrator.diagnosis import Evidence, diagnose
from orchestrator.plan.container import SOURCE_AND_RUN

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["echo no toolkit >&2\nexit 3\n", "exit 0\n", "set -u\n: $nowhere_set\n"])
@pytest.mark.parametrize("name", ["setup.sh", "set up.sh"])
def test_a_sourced_file_that_ends_the_shell_is_the_cause_in_every_way(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    ended = subprocess.run(
        ["bash", "-c", SOURCE_AND_RUN, "orch", str(file), "--", "true"], capture_output=True, check=False
    )
    found = diagnose(Evidence(exit_code=ended.returncode, log=ended.stderr))
    assert found.cause == "source-ends-shell"
    assert str(file) in found.title
    assert any("container.source" in advice for advice in found.advice)


def test_a_sourced_file_that_sets_variables_alone_is_no_cause(tmp_path: Path) -> None:
    file = tmp_path / "setup.sh"
    file.write_text("export A=1\nfalse\n")
    ended = subprocess.run(
        ["bash", "-c", SOURCE_AND_RUN, "orch", str(file), "--", "false"], capture_output=True, check=False
    )
    assert ended.returncode == 1
    assert diagnose(Evidence(exit_code=1, log=ended.stderr)).cause == "unknown"

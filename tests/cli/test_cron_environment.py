"""K2: it works as cron runs it: no home, no terminal, no language, a short path, no standard input, a tight umask."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from engine.kit.command import EXECUTABLE

if TYPE_CHECKING:
    from pathlib import Path

BARE = 'umask 077; cd /; exec env -i PATH=/usr/bin:/bin "$@" <&-'


def bare(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", BARE, "sh", *args],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize(
    "args",
    [
        ("--help",), ("--version",), ("profile", "list"), ("profile", "list", "--json"), ("plan", "ds-671b-awq"),
        ("plan", "cpu-tiny", "--json"), ("profile", "show", "--resolved", "cpu-tiny"), ("profile", "lint", "cpu-tiny"),
        ("profile", "schema"), ("results", "list"), ("run", "cpu-tiny", "--dry-run"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_work_in_a_bare_environment(args: tuple[str, ...]) -> None:
    done = bare(str(EXECUTABLE), *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    if "--json" in args:
        assert json.loads(done.stdout)["schema_version"] == 2


def test_other_than_ascii_survives_without_a_language(tmp_path: Path) -> None:
    path = tmp_path / "目录 naïve.yaml"
    path.write_text(
        "name: cron\ndescription: naïve 目录\ncontainer: {image: x}\nserver: {model: /模型}\n", encoding="utf-8"
    )
    done = bare(str(EXECUTABLE), "plan", str(path))
    assert done.returncode == 0, done.stderr
    assert "# Profile cron: naïve 目录" in done.stdout
    assert "'/模型'" in done.stdout


def test_an_error_is_one_plain_message(tmp_path: Path) -> None:
    done = bare("DOCKER_HOST=unix:///no/such.sock", f"ORCH_STATE_DIR={tmp_path}", str(EXECUTABLE), "ps", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("orch: no Docker engine answers")

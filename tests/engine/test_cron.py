"""K2: a whole run as cron starts it; with --quiet it says nothing unless something is wrong."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers
from engine.kit.command import EXECUTABLE
from engine.kit.terminal import CONTROL, in_terminal

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

BARE = 'umask 077; cd /; exec env -i PATH=/usr/bin:/bin "$@" <&-'


def bare(orch: Orch, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command as cron does, in the folders of this test."""
    own = [f"{name}={value}" for name, value in orch.environ().items() if name.startswith("ORCH_")]
    return subprocess.run(
        ["/bin/sh", "-c", BARE, "sh", *own, str(EXECUTABLE), *args],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


def test_a_run_in_a_bare_environment(orch: Orch) -> None:
    name = orch.profile("bare", bench={"lengths": [[8, 4]], "warmup": 1})
    done = bare(orch, "run", name)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert orch.manifest_of(name)["state"] == "done"
    assert [line for line in done.stderr.splitlines() if line.startswith("run: ")] == [f"run: {orch.run_of(name)}"]
    assert containers.listed(name) == []


def test_up_bench_and_down_in_a_bare_environment(orch: Orch) -> None:
    name = orch.profile("steps", bench={"lengths": [[8, 4]]})
    for words in (("up", name), ("status", name), ("bench", "--name", name), ("logs", name), ("down", name)):
        done = bare(orch, *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert containers.listed(name) == []


@pytest.mark.parametrize("command", ["run", "up", "bench"])
def test_quiet_says_nothing_when_all_is_well(orch: Orch, command: str) -> None:
    name = orch.profile("quiet")
    target = ["--name", name] if command == "bench" else [name]
    if command == "bench":
        orch.ok("up", name)
    done = bare(orch, command, *target, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    if command != "run":
        orch.ok("down", name)


def test_quiet_still_gives_the_data_that_is_asked_for(orch: Orch) -> None:
    done = bare(orch, "run", orch.profile("quiet"), "-q", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["manifest"]["state"] == "done"


def test_quiet_speaks_up_when_something_is_wrong(orch: Orch) -> None:
    done = bare(orch, "run", orch.profile("loud", server={"env": {"STUB_EXIT_PHASE": "memory"}}), "-q")
    assert (done.returncode, done.stdout) == (1, "")
    assert "orch: the server exited with code 1" in done.stderr
    failing = orch.profile("point", server={"env": {"STUB_SHORT_OUTPUT": "2"}})
    done = bare(orch, "run", failing, "-q")
    assert done.returncode == 5
    assert "8 of 16 output tokens" in done.stderr
    assert str(orch.run_of(failing)) in done.stderr


def test_a_run_in_a_terminal_shows_figures_whole(orch: Orch) -> None:
    name = orch.profile("shown", bench={"lengths": [[8, 4]], "num_prompts": 8})
    shown = in_terminal(orch, "run", name, width=80)
    assert shown.code == 0
    text = CONTROL.sub("", shown.text)
    assert "torn down" in text
    assert "…" not in text[text.index("torn down") :]


def test_json_of_a_run_in_a_terminal_with_forced_colours(orch: Orch) -> None:
    shown = in_terminal(orch, "run", orch.profile("coloured"), "--json", errors=False, FORCE_COLOR="1")
    assert shown.code == 0
    assert json.loads(shown.text)["kind"] == "run"

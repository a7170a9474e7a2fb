"""Promise K2: orch finds its folders with the environment that cron gives it, and with hardly any at all."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from processes import COVERAGE, python

PROGRAM = """
import json
from orchestrator.cli.settings import settings
here = settings()
print(json.dumps({
    "runs": str(here.runs), "state": str(here.state), "locks": str(here.locks),
    "profiles": [str(path) for path in here.profiles], "environ": dict(here.environ), "shown": repr(here),
}))
"""
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)


def settings(cwd: str = "/", **environ: str) -> dict[str, Any]:
    env = {"PATH": "/usr/bin:/bin", **COVERAGE, **environ}
    done = subprocess.run(
        python("-c", PROGRAM), env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert done.stderr == b""
    return dict(json.loads(done.stdout))


def test_without_home_the_user_s_folders_come_from_the_password_database() -> None:
    assert settings()["runs"] == str(HOME / ".local" / "share" / "orch" / "runs")
    assert str(HOME / ".config" / "orch" / "profiles") in settings()["profiles"]


def test_with_home_they_lie_there(tmp_path: Path) -> None:
    assert settings(HOME=str(tmp_path))["runs"] == f"{tmp_path}/.local/share/orch/runs"


def test_the_state_folder_needs_no_home_and_is_the_same_for_cron_and_shell(tmp_path: Path) -> None:
    assert settings()["state"] == settings(HOME=str(tmp_path), TMPDIR="/x")["state"] == f"/var/tmp/orch-{os.getuid()}"


def test_all_users_share_the_locks() -> None:
    assert str(os.getuid()) not in str(settings()["locks"])


def test_each_folder_can_be_put_elsewhere(tmp_path: Path) -> None:
    here = settings(
        cwd=str(tmp_path), ORCH_RUNS_DIR="r", ORCH_STATE_DIR="/s", ORCH_LOCKS_DIR="/l", ORCH_PROFILES_DIR="p"
    )
    assert (here["runs"], here["state"], here["locks"]) == (f"{tmp_path}/r", "/s", "/l")
    assert here["profiles"][0] == f"{tmp_path}/p"


def test_profiles_are_looked_for_here_then_at_home_then_in_the_package(tmp_path: Path) -> None:
    mine, home, shipped = settings(cwd=str(tmp_path), HOME=str(tmp_path / "home"))["profiles"]
    assert mine == f"{tmp_path}/profiles"
    assert home == f"{tmp_path}/home/.config/orch/profiles"
    assert (Path(shipped) / "ds-671b-awq.yaml").is_file()


def test_the_environment_is_kept_for_secrets_and_never_shown() -> None:
    here = settings(TOKEN="hidden-canary")  # noqa: S106 - made up
    assert here["environ"]["TOKEN"] == "hidden-canary"  # noqa: S105 - made up
    assert "hidden-canary" not in str(here["shown"])

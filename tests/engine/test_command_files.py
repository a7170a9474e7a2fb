"""Promise C3: the container's command is short, its programs are files that stay as long as it can be started again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers
from engine.kit.command import answers_at

from orchestrator.inside import FILES
from orchestrator.plan import labels

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

CANARY = "canary-by-file"
PROGRAMS = {file.name for file in FILES}


def sourced(orch: Orch, label: str, **container: object) -> str:
    """Return the name of a profile whose server needs a sourced file and a secret."""
    toolkit = orch.folder / "toolkit"
    toolkit.mkdir(exist_ok=True)
    (toolkit / "env.sh").write_text("export FROM_TOOLKIT=yes\n", encoding="utf-8")
    orch.variables = {**orch.variables, "ORCH_TEST_TOKEN": CANARY}
    return orch.profile(
        label,
        container={"mounts": [f"{toolkit}:/toolkit:ro"], "source": ["/toolkit/env.sh"], **container},
        server={"env": {"HF_TOKEN": {"from_env": "ORCH_TEST_TOKEN"}}},
    )


def folder_of(made: dict[str, dict[str, dict[str, str]]]) -> Path:
    return Path(made["Config"]["Labels"][labels.FOLDER])


def test_the_command_is_short_and_starts_again_as_long_as_the_container_is_there(orch: Orch) -> None:
    name = sourced(orch, "again")
    orch.ok("up", name)
    made = containers.inspect(f"orch-{name}")
    argv = [*made["Config"]["Entrypoint"], *made["Config"]["Cmd"]]
    assert argv[:7] == [
        *("python3", "-IS", "/run/orch/supervisor.py", "bash", "/run/orch/source.sh", "/toolkit/env.sh", "--")
    ]
    assert all(len(word) < 100 and "\n" not in word for word in argv)
    assert all((folder_of(made) / program).is_file() for program in PROGRAMS)
    for _ in range(2):
        containers.docker("restart", "--time", "3", f"orch-{name}")
        answers_at(orch.json("plan", name)["profile"]["server"]["port"])
    assert orch.json("status", name)["healthy"]
    orch.ok("down", name)
    assert not folder_of(made).exists()


def test_a_deployment_whose_folder_has_no_programs_is_measured_judged_and_ended(orch: Orch) -> None:
    """An orch that had them in the command made such folders."""
    name = sourced(orch, "older")
    orch.ok("up", name)
    folder = folder_of(containers.inspect(f"orch-{name}"))
    for program in PROGRAMS:
        (folder / program).unlink()
    assert orch.json("status", name)["healthy"]
    assert orch.json("bench", "--name", name)["results"][0]["completed"] == 4
    assert name in orch.ok("ps")
    assert orch.ok("down", name) == f"{name} is down\n"
    assert containers.listed(name) == []


def test_a_user_of_the_container_reads_them_whatever_the_umask_and_with_a_root_that_is_read_only(orch: Orch) -> None:
    name = orch.profile(
        "user",
        container={"user": "1000:1000", "read_only": True, "tmpfs": ["/tmp"]},
    )
    before = os.umask(0o077)
    try:
        orch.ok("up", name)
    finally:
        os.umask(before)
    assert orch.json("status", name)["healthy"]
    orch.ok("down", name)


def test_without_the_supervisor_nothing_of_orch_is_mounted(orch: Orch) -> None:
    toolkit = orch.folder / "env.sh"
    toolkit.write_text("export FROM_TOOLKIT=yes\n", encoding="utf-8")
    name = orch.profile(
        "plain",
        container={"supervise": False, "mounts": [f"{toolkit}:/env.sh:ro"], "source": ["/env.sh"]},
    )
    orch.ok("up", name)
    made = containers.inspect(f"orch-{name}")
    assert [mount["Destination"] for mount in made["Mounts"]] == ["/env.sh"]
    assert orch.json("bench", "--name", name)["results"][0]["completed"] == 4
    orch.ok("down", name)

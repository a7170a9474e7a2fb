"""E1 and S1: the client in a real container has the server's sourced files, variables and secrets, and hides these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

CANARY = "canary-beside '\"/+ $(x)"
ENV_SH = """
echo "toolkit for $(id -u)"; read -r eaten
[[ $- == *u* ]] || unset PYTHONPATH LEFTOVER
export FROM_TOOLKIT=yes LIBRARY=/toolkit/lib
false
"""
HIDDEN = "raise ImportError('libtoolkit.so.5: cannot open shared object file: No such file or directory')\n"
CLIENT = """
import os, sys
print({name: os.environ.get(name) for name in ("FROM_TOOLKIT", "LIBRARY", "LEFTOVER", "HF_ENDPOINT", "IN_CONTAINER")})
print("the token is", os.environ.get("HF_TOKEN"))
sys.argv[0] = "vllm"
sys.argv[1:1] = ["bench", "serve"]
from vllm_stub.cli import main
sys.exit(main())
"""
"""A client that prints its environment and then measures as the image's own does."""


@pytest.fixture
def toolkit(orch: Orch) -> Path:
    """Provide a folder with a file to be sourced, a vLLM that hides the image's until then, and a talkative client."""
    folder = orch.folder / "toolkit"
    for name, text in (("env.sh", ENV_SH), ("hidden/vllm/__init__.py", HIDDEN), ("client.py", CLIENT)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def profile(orch: Orch, label: str, toolkit: Path, *, sourced: bool = True, **bench: object) -> str:
    orch.variables = {**orch.variables, "ORCH_TEST_TOKEN": CANARY}
    return orch.profile(
        label,
        container={
            "mounts": [f"{toolkit}:/toolkit:ro"],
            "env": {"PYTHONPATH": "/toolkit/hidden", "LEFTOVER": "1", "IN_CONTAINER": "1"},
            "source": ["/toolkit/env.sh"] if sourced else [],
        },
        server={"env": {"HF_ENDPOINT": "https://mirror.example", "HF_TOKEN": {"from_env": "ORCH_TEST_TOKEN"}}},
        bench=bench,
    )


def test_a_client_measures_on_an_image_that_must_be_sourced(orch: Orch, toolkit: Path) -> None:
    name = profile(orch, "sourced", toolkit)
    assert orch("profile", "lint", "--image", name).returncode == 0
    told = orch.json("run", name)
    assert told["results"][0]["completed"] == 4
    assert told["manifest"]["deployment"]["client_mode"] == "fork"
    assert containers.listed(name) == []


def test_a_client_that_shows_its_environment_shows_the_server_s_and_no_secret(orch: Orch, toolkit: Path) -> None:
    name = profile(orch, "talkative", toolkit, client="/toolkit/client.py")
    orch.ok("up", name)
    done = orch("bench", "--name", name)
    assert done.returncode in (0, 5), done.stderr
    orch.ok("down", name)
    (log,) = (path for path in orch.run_directory().glob("points/**/client.log") if "warmup" not in str(path))
    text = log.read_text(encoding="utf-8")
    seen = {"FROM_TOOLKIT": "yes", "LIBRARY": "/toolkit/lib", "LEFTOVER": None}
    assert str({**seen, "HF_ENDPOINT": "https://mirror.example", "IN_CONTAINER": "1"}) in text
    assert "the token is ********\n" in text
    for path in (*orch.state.rglob("*"), *orch.runs.rglob("*")):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in done.stdout + done.stderr


def test_a_sourced_file_that_ends_the_shell_is_named(orch: Orch, toolkit: Path) -> None:
    (toolkit / "env.sh").write_text("echo no licence; exit 9\n", encoding="utf-8")
    done = orch("up", profile(orch, "ended", toolkit))
    assert done.returncode == 1
    assert "/toolkit/env.sh ended the shell" in done.stderr
    assert json.dumps(CANARY) not in done.stderr

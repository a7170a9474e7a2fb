"""`orch status` of what another user made says as much as may be known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine, listed
from samples import a_profile
from unprivileged import ordinary_user
from web import VLLM, answering

from orchestrator.cli.output import say
from orchestrator.cli.status import _facts
from orchestrator.deployment.folder import make_deployment_folder, new_identity
from orchestrator.jobs.state import status

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def facts(folder: Path) -> dict[str, Any]:
    found = status(FakeEngine(), listed(folder=folder))
    for fault in found.unreadable:
        say(fault.message)
    return _facts(found)


def test_a_deployment_with_secrets(everybodys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(VLLM) as port:
        profile = a_profile(server={"port": port})
        folder = make_deployment_folder(everybodys, new_identity(everybodys, "tiny"), profile, {"A": "1"})
        ours = facts(folder)
        assert (ours["healthy"], capsys.readouterr().err) == (True, "")
        (folder / "secrets.json").chmod(0)
        with ordinary_user():
            theirs = facts(folder)
    assert theirs == ours
    assert "another user's" in capsys.readouterr().err


def test_a_deployment_in_a_folder_that_is_closed(everybodys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_deployment_folder(everybodys, new_identity(everybodys, "tiny"), a_profile(), {})
    folder.parent.chmod(0)
    with ordinary_user():
        seen = facts(folder)
    folder.parent.chmod(0o755)
    assert (seen["healthy"], seen["url"], seen["status"]) == (False, None, "running")
    assert "profile.yaml cannot be read: Permission denied" in capsys.readouterr().err

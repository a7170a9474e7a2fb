"""F5: a failure is told by the lines of the file that it names, and advice that the profile follows is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_engine import FakeEngine, exited, member_of
from samples import a_profile

from orchestrator.deployment import failure as module
from orchestrator.deployment.failure import server_failed
from orchestrator.deployment.folder import PROFILE
from orchestrator.profile.dump import dump_profile

if TYPE_CHECKING:
    from pathlib import Path

EARLIER = b"INFO 11-24 04:06:57 [x.py:1] vLLM API server version 0.8.5\n" * 3
FAULT = b"RuntimeError: HIP error: an illegal memory access was encountered\n"
LATEST = b"INFO 11-24 04:06:57 [x.py:1] vLLM API server version 0.8.5\n" + FAULT


def told(tmp_path: Path, engine: FakeEngine) -> str:
    return server_failed(member_of(engine), tmp_path, "serving", tmp_path / "server.log").message


def test_after_a_restart_lines_are_those_of_the_file_that_holds_both_starts(tmp_path: Path) -> None:
    assert "root:  line 5: RuntimeError" in told(
        tmp_path, FakeEngine(output=[LATEST], earlier=[EARLIER], ended=exited(1))
    )
    assert "root:  line 2: RuntimeError" in told(tmp_path, FakeEngine(output=[LATEST], ended=exited(1)))


def test_of_a_huge_log_the_end_is_looked_at_and_its_lines_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 100)
    pieces = [b"INFO 11-24 04:06:57 [x.py:1] hello\n"] * 50
    assert "root:  line 51: RuntimeError" in told(tmp_path, FakeEngine(output=[*pieces, FAULT], ended=exited(1)))


@pytest.mark.parametrize("followed", [True, False])
def test_advice_that_the_profile_follows_already_is_left_out(tmp_path: Path, followed: bool) -> None:
    profile = a_profile(server={"flags": {"enforce-eager": followed}})
    (tmp_path / PROFILE).write_text(dump_profile(profile), encoding="utf-8")
    assert ("enforce-eager: true" in told(tmp_path, FakeEngine(output=[LATEST], ended=exited(1)))) is not followed


def test_what_a_profile_of_an_earlier_version_says_counts_too_and_a_torn_one_says_nothing(tmp_path: Path) -> None:
    text = dump_profile(a_profile(server={"flags": {"enforce-eager": True}}))
    (tmp_path / PROFILE).write_text(text.replace("container:\n", "container:\n  extra: {a: b}\n"), encoding="utf-8")
    assert module._settings(tmp_path)["server.flags.enforce-eager"] == "true"  # noqa: SLF001 - what advice is judged by
    (tmp_path / PROFILE).write_text("a: [", encoding="utf-8")
    assert module._settings(tmp_path) == {}  # noqa: SLF001 - what advice is judged by

"""What is there for a user who may not enter every folder is the same on every Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from unprivileged import closed_folder, ordinary_user

from orchestrator.errors import EnvironmentFault, ProfileError
from orchestrator.files import is_file, is_open_file, may_be_mounted, may_exist
from orchestrator.profile.text.find import find_profile, names
from orchestrator.runs.directory import find_run, list_runs


def test_what_can_be_looked_at_is_what_it_is(tmp_path: Path) -> None:
    file, missing = tmp_path / "file", tmp_path / "missing"
    file.touch()
    null = Path("/dev/null")
    assert [may_exist(path) for path in (file, tmp_path, null, missing, file / "below")] == [True] * 3 + [False] * 2
    assert [may_be_mounted(path) for path in (file, tmp_path, null, missing)] == [True, True, False, False]
    assert [is_file(path) for path in (file, tmp_path, null, missing)] == [True, False, False, False]
    assert [is_open_file(path) for path in (file, tmp_path, null, missing)] == [True, False, False, False]


def test_what_cannot_be_looked_at_may_be_there_for_the_engine_and_is_a_fault_for_us() -> None:
    with closed_folder() as folder, ordinary_user():
        assert may_exist(folder / "file.jsonl")
        assert may_be_mounted(folder / "file.jsonl")
        with pytest.raises(EnvironmentFault, match=r"closed/file\.jsonl cannot be read: Permission denied"):
            is_file(folder / "file.jsonl")
        assert not is_open_file(folder / "file.jsonl")


def test_closed_folders_are_passed_over_where_runs_and_profiles_are_listed() -> None:
    with closed_folder() as folder, ordinary_user():
        assert list_runs(folder.parent) == []
        assert names([folder]) == []
        with pytest.raises(ProfileError, match="unknown profile 'file'"):
            find_profile("file", [folder])
        with pytest.raises(EnvironmentFault, match=r"closed/manifest\.json cannot be read: Permission denied"):
            find_run(folder.parent, str(folder))

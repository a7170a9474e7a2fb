"""A deployment's folder: complete before anything starts, secrets for their owner alone, no trust in foreign files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from samples import CANARY, RECORDED, a_profile
from unprivileged import closed_folder, ordinary_user

from orchestrator.deployment.folder import (
    PROFILE,
    RECORD,
    SECRETS,
    drop_folder,
    logs_folder,
    make_deployment_folder,
    make_state_folder,
    new_identity,
    read_mask,
    read_record,
    read_values,
    write_record,
)
from orchestrator.errors import EnvironmentFault, OutputError
from orchestrator.inside import FILES
from orchestrator.profile.reading.load import load_profile

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_start_of_a_deployment_is_another_launch(tmp_path: Path) -> None:
    one, other = new_identity(tmp_path, "tiny"), new_identity(tmp_path, "tiny")
    assert one.launch != other.launch
    assert one.folder == str(tmp_path / "deployments" / f"tiny-{one.launch}")
    assert one.container == other.container == "orch-tiny"


def test_the_folder_holds_the_resolved_profile_and_can_be_read_by_the_container(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = make_deployment_folder(tmp_path / "state", new_identity(tmp_path / "state", "tiny"), a_profile(), {})
    finally:
        os.umask(before)
    assert sorted(path.name for path in folder.iterdir()) == sorted([PROFILE, *(file.name for file in FILES)])
    assert load_profile(str(folder / PROFILE), ()) == a_profile()
    assert [mode(path) for path in (folder, folder.parent, folder.parent.parent)] == [0o755] * 3
    assert {mode(path) for path in folder.iterdir()} == {0o644}


def test_the_programs_of_the_command_are_in_the_folder_whoever_supervises(tmp_path: Path) -> None:
    """A profile without a supervisor has its image asked under one."""
    profile = a_profile(container={"supervise": False})
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {})
    for file in FILES:
        assert (folder / file.name).read_bytes() == file.read_bytes()
        assert not (folder / file.name).is_symlink()


def test_secrets_lie_in_a_file_of_their_own_that_only_its_owner_can_read(tmp_path: Path) -> None:
    profile = a_profile(server={"env": {"HF_TOKEN": {"from_env": "TOKEN"}}})
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {"HF_TOKEN": CANARY})
    assert json.loads((folder / SECRETS).read_bytes()) == {"HF_TOKEN": CANARY}
    assert mode(folder / SECRETS) == 0o600
    others = b"".join(path.read_bytes() for path in folder.iterdir() if path.name != SECRETS)
    assert CANARY.encode() not in others
    assert json.dumps(CANARY).encode() not in others


@needs_root
@pytest.mark.parametrize("user", ["1234", "1234:5678", 1234])
def test_secrets_belong_to_the_container_s_user(tmp_path: Path, user: str | int) -> None:
    profile = a_profile(container={"user": user})
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {"A": "1"})
    assert (folder / SECRETS).stat().st_uid == 1234


@pytest.mark.parametrize("user", [None, "root", "0:0", str(os.getuid())])
def test_secrets_stay_ours_where_that_user_can_read_them(tmp_path: Path, user: str | None) -> None:
    profile = a_profile(container={"user": user})
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {"A": "1"})
    assert (folder / SECRETS).stat().st_uid == os.getuid()


def test_secrets_for_a_user_that_could_not_read_them_are_refused(tmp_path: Path) -> None:
    profile = a_profile(container={"user": "somebody"})
    with pytest.raises(EnvironmentFault, match="the user somebody"):
        make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {"A": "1"})
    assert not list(tmp_path.glob(f"deployments/*/{SECRETS}"))
    make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), profile, {})


def test_a_deployment_without_secrets_has_none(tmp_path: Path) -> None:
    assert read_values(tmp_path) == read_values(tmp_path / "gone") == {}


def test_the_secrets_of_another_user_are_a_fault_and_not_none(tmp_path: Path) -> None:
    (tmp_path / SECRETS).write_text('{"A": "1"}', encoding="utf-8")
    (tmp_path / SECRETS).chmod(0)
    with ordinary_user(), pytest.raises(EnvironmentFault, match="another user's") as caught:
        read_mask(tmp_path)
    assert "as root" in caught.value.hint


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_secrets_that_are_torn_are_a_fault_that_does_not_show_them(tmp_path: Path, content: str) -> None:
    (tmp_path / SECRETS).write_text(content, encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        read_values(tmp_path)


def test_a_state_folder_where_we_may_not_look_is_an_output_error() -> None:
    with closed_folder() as folder, ordinary_user(), pytest.raises(OutputError, match="Permission denied"):
        make_state_folder(folder / "below" / "state")


def test_a_state_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentFault, match="belongs to somebody else"):
        make_state_folder(tmp_path / "state")


@needs_root
def test_a_state_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 1234, -1)
    with pytest.raises(EnvironmentFault, match="belongs to somebody else") as caught:
        make_state_folder(tmp_path / "state")
    assert "ORCH_STATE_DIR" in caught.value.hint


def test_a_state_folder_that_cannot_be_made_is_an_output_error() -> None:
    with pytest.raises(OutputError):
        make_state_folder(Path("/proc/orch"))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path, RECORDED)
    assert read_record(tmp_path) == RECORDED


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b'{"name": "tiny"}', b"\xff\xfe"])
def test_a_foreign_record_is_no_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RECORD).write_bytes(content)
    assert read_record(tmp_path) is None


def test_a_missing_record_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_a_folder_can_be_dropped_twice(tmp_path: Path) -> None:
    folder = make_deployment_folder(tmp_path, new_identity(tmp_path, "tiny"), a_profile(), {"A": "1"})
    drop_folder(folder)
    assert not folder.exists()
    drop_folder(folder)


def test_logs_that_belong_to_no_run_outlive_the_deployment(tmp_path: Path) -> None:
    assert logs_folder(tmp_path).parent == tmp_path

"""Promises D1 and D5: a file is complete or absent, whatever happens to its writer and to the disk."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
from processes import eventually, python, started

from orchestrator.errors import ExitCode, OutputError
from orchestrator.files import make_folder, sync_files, sync_folder, write_atomic

WRITER = """
import itertools, json, sys
from pathlib import Path
from orchestrator.files import write_atomic
path = Path(sys.argv[1])
for number in itertools.count():
    write_atomic(path, json.dumps({"number": number, "filling": "x" * 100_000}), synced=json.loads(sys.argv[2]))
"""
"""Writes one file over and over, synced or not, until it is killed."""

LIMITED = """
import resource, signal, sys
from pathlib import Path
from orchestrator.files import write_atomic
from orchestrator.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(Path(sys.argv[1]), "x" * 5000)
except OutputError as error:
    print(error.message, error.hint, sep="|")
"""
"""Writes more than the system lets it."""


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_a_file_is_put_in_place_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "first — with more than ASCII\n")
    assert path.read_text(encoding="utf-8") == "first — with more than ASCII\n"
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "file", "", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("synced", ["true", "false"])
def test_a_file_parses_however_often_its_writer_is_killed(tmp_path: Path, synced: str) -> None:
    path = tmp_path / "file.json"
    for kill in range(50):
        path.unlink(missing_ok=True)
        with started(python("-c", WRITER, str(path), synced)) as writer:
            eventually(path.exists, "the first write")
            time.sleep(kill * 0.0005)  # a write takes about a millisecond: the kills fall all over it
            writer.kill()
            writer.wait()
        assert len(json.loads(path.read_bytes())["filling"]) == 100_000


def test_a_file_that_the_disk_refuses_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    run = subprocess.run(python("-c", LIMITED, str(path)), capture_output=True, text=True, check=True)
    message, _, hint = run.stdout.strip().partition("|")
    assert message == f"cannot write {path}: File too large"
    assert hint
    assert path.read_text(encoding="utf-8") == "old"
    assert left_over(tmp_path) == []


def test_what_was_not_synced_can_be_synced_later_names_and_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    for name in ("a", "b"):
        write_atomic(tmp_path / name, name, synced=False)
    (tmp_path / "inner").mkdir()
    assert synced == []
    sync_files(tmp_path)
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "b")]
    with pytest.raises(OutputError, match="cannot write"):
        sync_files(tmp_path / "gone")


def test_a_folder_that_is_gone_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory") as caught:
        write_atomic(tmp_path / "gone" / "file", "text")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_a_file_system_that_cannot_be_written_is_an_output_error() -> None:
    with pytest.raises(OutputError, match=r"cannot write /proc/orch\.json"):
        write_atomic(Path("/proc/orch.json"), "text")
    with pytest.raises(OutputError, match="cannot make the folder /proc/orch/runs"):
        make_folder(Path("/proc/orch/runs"))


def test_a_folder_where_a_folder_must_be_replaced_keeps_it_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_atomic(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_content_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_atomic(tmp_path / "file", 5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_with_their_parents_and_may_be_there_already(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == folder
    assert make_folder(folder).is_dir()
    sync_folder(folder)

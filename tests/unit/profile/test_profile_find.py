"""Profiles are found by name, first match wins, and listed without stumbling over broken ones."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from profile_folder import GOOD

from orchestrator.errors import ProfileError
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.text.find import ProfileSummary, find_profile, list_profiles, names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def search(tmp_path: Path) -> list[Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    return [first, tmp_path / "absent", second]


def test_the_first_match_wins_and_yaml_goes_before_yml(search: list[Path]) -> None:
    first, _, second = search
    for path in (first / "a.yml", second / "a.yaml", second / "b.yml", second / "b.yaml"):
        path.write_text(GOOD)
    assert find_profile("a", search) == first / "a.yml"
    assert find_profile("b", search) == second / "b.yaml"


def test_a_slash_or_the_suffix_makes_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yml", "c"):
        (tmp_path / name).write_text(GOOD)
    assert load_profile("a.yaml", []).name == "a"
    assert load_profile("b.yml", []).name == "b"
    assert load_profile("./c", []).name == "c"


def test_a_folder_of_that_name_is_no_profile(search: list[Path]) -> None:
    (search[0] / "a.yaml").mkdir()
    (search[2] / "a.yaml").write_text(GOOD)
    assert find_profile("a", search) == search[2] / "a.yaml"
    assert names(search) == ["a"]


def test_an_unknown_name_gets_the_nearest_ones_and_where_was_looked(search: list[Path]) -> None:
    for name in ("cpu-tiny", "cpu-tiny-0.8.5", "_cpu-tin", "other"):
        (search[0] / f"{name}.yaml").write_text(GOOD)
    with pytest.raises(ProfileError) as caught:
        load_profile("cpu_tny", [*search, search[0]])
    assert caught.value.message == "unknown profile 'cpu_tny'; did you mean 'cpu-tiny' or 'cpu-tiny-0.8.5'?"
    assert caught.value.hint == (
        f"looked for cpu_tny.yaml in {search[0]}, {search[1]}, {search[2]}\n"
        "`orch profile list` shows what is there; a path holds a slash or ends in .yaml"
    )


def test_without_any_folder_an_unknown_name_is_still_told(search: list[Path]) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("x", [])
    assert caught.value.message == "unknown profile 'x'"
    assert caught.value.hint.startswith("looked for x.yaml in no folder\n")
    with pytest.raises(ProfileError, match="unknown profile"):
        load_profile("a\0b", search)


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("./nope.yaml", [])
    assert caught.value.message == "cannot read nope.yaml: No such file or directory"


def test_the_list_has_every_profile_broken_and_hidden_ones_too_but_no_bases(search: list[Path]) -> None:
    first, _, second = search
    (first / "_base.yaml").write_text("description: base\n")
    (first / "notes.txt").write_text("no profile")
    (first / "b-2.yaml").write_text("description: [not text]\n")
    (first / "b.yaml").write_text('description: "two\\nlines \\e[31m"\n')
    (first / "broken.yaml").write_text("a: [\n")
    (first / "empty.yaml").write_text("")
    (first / "twice.yaml").write_text("description: d\na: 1\na: 2\n")
    (first / "utf.yaml").write_bytes(b"\xff")
    (second / "b.yml").write_text("description: other\n")
    assert list_profiles(search) == [
        ProfileSummary("b", "two\\nlines \\x1b[31m", first / "b.yaml", shadowed=False, problem=None),
        ProfileSummary("b-2", "", first / "b-2.yaml", shadowed=False, problem=None),
        ProfileSummary(
            "broken",
            "",
            first / "broken.yaml",
            shadowed=False,
            problem=f"{first}/broken.yaml:2:1 — not YAML: expected the node content, but found '<stream end>'",
        ),
        ProfileSummary("empty", "", first / "empty.yaml", shadowed=False, problem=None),
        ProfileSummary(
            "twice",
            "d",
            first / "twice.yaml",
            shadowed=False,
            problem=f"{first}/twice.yaml:3:1 a — duplicate key; first given at line 2, column 1",
        ),
        ProfileSummary(
            "utf", "", first / "utf.yaml", shadowed=False, problem=f"cannot read {first}/utf.yaml: byte 1 is not UTF-8"
        ),
        ProfileSummary("b", "other", second / "b.yml", shadowed=True, problem=None),
    ]


def test_a_folder_searched_twice_is_listed_once(search: list[Path]) -> None:
    (search[0] / "a.yaml").write_text(GOOD)
    assert len(list_profiles([search[0], search[0]])) == 1


def test_listing_needs_neither_the_schema_nor_pydantic() -> None:
    code = (
        "import sys; from pathlib import Path; from orchestrator.profile.text.find import list_profiles; "
        "list_profiles([Path('/nowhere')]); print([name for name in sys.modules if name.startswith('pydantic')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "[]\n"

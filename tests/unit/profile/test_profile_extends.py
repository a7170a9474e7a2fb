"""How profiles extend each other: what wins, what merges, what null takes away, and what is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from profile_folder import GOOD

from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.keys import ENVS, FLAGS
from orchestrator.profile.schema.profile import Container, Server
from orchestrator.profile.schema.values import Env, Flags

if TYPE_CHECKING:
    from pathlib import Path

    from profile_folder import Folder


def test_mappings_merge_key_by_key_and_everything_else_replaces(folder: Folder) -> None:
    folder.write(
        "_base.yaml",
        """
        container: {image: base, mounts: [/a:/a, /b:/b], shm_size: 1g, ulimits: {memlock: -1}}
        server: {model: /m, port: 1, flags: {dtype: float16, speculative_config: {method: mtp, tokens: 3}}}
        """,
    )
    folder.write(
        "p.yaml",
        """
        extends: _base
        container: {image: mine, mounts: [/c:/c], ulimits: {stack: 5}}
        server: {port: 2, flags: {max-num-seqs: 8, speculative_config: {tokens: 5}}}
        """,
    )
    profile = folder.load()
    assert profile.container.image == "mine"
    assert [mount.source for mount in profile.container.mounts] == ["/c"]
    assert profile.container.shm_size == 2**30
    assert {name: limit.soft for name, limit in profile.container.ulimits.items()} == {"memlock": -1, "stack": 5}
    assert (profile.server.model, profile.server.port) == ("/m", 2)
    assert dict(profile.server.flags) == {
        "dtype": "float16",
        "speculative_config": {"method": "mtp", "tokens": 5},
        "max-num-seqs": 8,
    }


def test_later_bases_win_over_earlier_ones_and_the_file_over_all(folder: Folder) -> None:
    folder.write("_a.yaml", "server: {model: a, port: 1, host: 10.0.0.1, command: [a]}\n")
    folder.write("_b.yaml", "extends: _c\nserver: {model: b, port: 2}\n")
    folder.write("_c.yaml", "server: {model: c, port: 3, host: 10.0.0.3}\n")
    folder.write("p.yaml", "extends: [_a, _b]\ncontainer: {image: i}\nserver: {model: p}\n")
    server = folder.load().server
    assert (server.model, server.port, server.host, server.command) == ("p", 2, "10.0.0.3", ("a",))


def test_null_takes_a_variable_or_a_flag_away_and_resets_any_other_key(folder: Folder) -> None:
    folder.write(
        "_base.yaml",
        """
        container: {image: i, shm_size: 1g, env: {A: 1, B: 2}, ulimits: {memlock: -1}}
        server: {model: m, port: 1, flags: {dtype: float16, x: 1}}
        bench: {num_prompts: 1, lengths: [[1, 1]]}
        """,
    )
    folder.write(
        "p.yaml",
        """
        extends: _base
        container: {shm_size: null, env: {A: ~}, ulimits: {memlock: }}
        server: {port: null, flags: {x: null, y: {inner: null, list: [null]}}}
        bench: null
        """,
    )
    profile = folder.load()
    assert profile.container.shm_size is None
    assert dict(profile.container.env) == {"B": "2"}
    assert dict(profile.container.ulimits) == {}
    assert profile.server.port == 8000
    assert dict(profile.server.flags) == {"dtype": "float16", "y": {"inner": None, "list": [None]}}
    assert profile.bench is None


def test_null_in_one_base_hides_what_an_earlier_base_says(folder: Folder) -> None:
    folder.write("_a.yaml", "server: {port: 1, flags: {x: 1}}\n")
    folder.write("_b.yaml", "server: {port: null, flags: null}\n")
    folder.write("p.yaml", f"extends: [_a, _b]\n{GOOD}")
    assert folder.load().server.port == 8000
    assert dict(folder.load().server.flags) == {}


def test_null_inside_a_list_takes_nothing_away_and_is_a_fault(folder: Folder) -> None:
    text = "container: {image: i, mounts: [{source: /a, target: /b, read_only: null}]}\nserver: {model: m}\n"
    (fault,) = folder.faults_in(text)
    assert fault.startswith("p.yaml:1:57 container.mounts[0].read_only — has no value, and no extended profile sets it")


def test_a_variable_is_replaced_as_a_whole_whichever_kind_of_secret_it_is(folder: Folder) -> None:
    folder.write("_base.yaml", "server: {env: {A: {from_env: A}, B: {from_file: /b}, C: plain}}\n")
    folder.write("p.yaml", f"extends: _base\n{GOOD[:-2]}, env: {{A: {{from_file: /a}}, B: b, C: {{from_env: C}}}}}}\n")
    profile = folder.load()
    assert profile.model_dump(mode="json")["server"]["env"] == {
        "A": {"from_file": "/a"},
        "B": "b",
        "C": {"from_env": "C"},
    }


def test_name_and_description_are_never_inherited(folder: Folder) -> None:
    folder.write("base.yaml", f"name: other\ndescription: d\n{GOOD}")
    folder.write("p.yaml", "extends: base\n")
    assert (folder.load("base").name, folder.load("base").description) == ("other", "d")
    assert (folder.load("p").name, folder.load("p").description) == ("p", "")


def test_a_relative_path_starts_at_the_file_that_says_it(folder: Folder) -> None:
    folder.write("sub/p.yaml", "extends: ../bases/b.yml\n")
    folder.write("bases/b.yml", "extends: ./c.yaml\nserver: {port: 5}\n")
    folder.write("bases/c.yaml", GOOD)
    assert load_profile(str(folder.path / "sub/p.yaml"), []).server.port == 5


def test_an_absolute_path_is_taken_as_it_is(folder: Folder) -> None:
    base = folder.write("elsewhere/b.yaml", GOOD)
    folder.write("p.yaml", f"extends: {base}\n")
    assert folder.load().container.image == "i:1"


def test_a_base_of_two_bases_is_no_cycle_and_its_faults_come_once(folder: Folder) -> None:
    folder.write("_root.yaml", "server: {prot: 1}\n")
    folder.write("_a.yaml", "extends: _root\n")
    folder.write("_b.yaml", "extends: _root\n")
    assert folder.faults_in(f"extends: [_a, _b]\n{GOOD}") == [
        "_root.yaml:1:10 server.prot — unknown key; did you mean 'port'?"
    ]


def test_a_profile_that_extends_its_own_name_means_the_next_of_that_name(tmp_path: Path) -> None:
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    for path, text in ((mine, "extends: p\nserver: {port: 9}\n"), (shipped, GOOD)):
        path.mkdir()
        (path / "p.yaml").write_text(text)
    profile = load_profile("p", [mine, shipped])
    assert (profile.server.port, profile.server.model) == (9, "/m")


@pytest.mark.parametrize(
    ("files", "faults"),
    [
        ({"p": "extends: p\n"}, ["p.yaml:1:10 extends — extends itself: p → p"]),
        ({"p": "extends: ./p.yaml\n"}, ["p.yaml:1:10 extends — extends itself: p → p"]),
        (
            {"p": "extends: a\n", "a": "extends: [b]\n", "b": "extends: p\n"},
            ["b.yaml:1:10 extends — extends itself: p → a → b → p"],
        ),
        (
            {"p": "extends: a\n", "a": "extends: b\n", "b": "extends: a\n"},
            ["b.yaml:1:10 extends — extends itself: a → b → a"],
        ),
        (
            {"p": "extends: [_dcuu, zzz]\n", "_dcu": "", "_dcu-8": ""},
            [
                "p.yaml:1:11 extends — there is no profile '_dcuu' to extend; did you mean '_dcu' or '_dcu-8'?",
                "p.yaml:1:18 extends — there is no profile 'zzz' to extend",
            ],
        ),
        ({"p": "extends: ./b.yaml\n"}, ["p.yaml:1:10 extends — cannot read b.yaml: No such file or directory"]),
        ({"p": "extends: ''\n"}, ["p.yaml:1:10 extends — must be a profile's name, a path, or a list of them"]),
    ],
)
def test_what_cannot_be_extended_is_a_fault_at_the_value(
    folder: Folder, files: dict[str, str], faults: list[str]
) -> None:
    for name, text in files.items():
        folder.write(f"{name}.yaml", text)
    assert folder.faults() == faults


def test_a_base_that_is_not_utf_8_is_a_fault_at_the_value(folder: Folder) -> None:
    (folder.path / "b.yaml").write_bytes(b"\xff")
    assert folder.faults_in(f"extends: b\n{GOOD}") == ["p.yaml:1:10 extends — cannot read b.yaml: byte 1 is not UTF-8"]


def test_a_loop_of_links_is_a_fault_and_not_a_traceback(folder: Folder) -> None:
    (folder.path / "b.yaml").symlink_to("b.yaml")
    assert folder.faults_in(f"extends: ./b.yaml\n{GOOD}") == [
        "p.yaml:1:10 extends — cannot read b.yaml: Too many levels of symbolic links"
    ]


def test_extending_nothing_is_fine(folder: Folder) -> None:
    for nothing in ("null", "[]"):
        folder.write("p.yaml", f"extends: {nothing}\n{GOOD}")
        assert folder.load().name == "p"


def test_the_mappings_that_merge_specially_are_those_of_the_schema() -> None:
    sections = (("container", Container), ("server", Server), ("bench", Bench))
    for known, alias in ((ENVS, Env), (FLAGS, Flags)):
        found = {
            (section, name)
            for section, model in sections
            for name, field in model.model_fields.items()
            if field.annotation == alias
        }
        assert found == known

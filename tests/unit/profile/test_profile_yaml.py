"""F4: how a profile's YAML is read, and where its faults are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.errors import ProfileError
from orchestrator.profile.text.document import MAX_BYTES, MAX_VALUES, Document, parse, parse_profile, read_text
from orchestrator.profile.text.scalars import MAX_DEPTH
from orchestrator.profile.text.tree import Entry, Mark, Node, plain

if TYPE_CHECKING:
    from pathlib import Path


def read(text: str) -> Any:
    document = parse(text, "f")
    assert document.faults == ()
    assert document.root is not None
    return plain(document.root)


def faults(document: Document) -> list[str]:
    return [str(fault) for fault in document.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "On")),
        *((word, None) for word in ("null", "Null", "NULL", "~", "")),
        *((word, word) for word in ("010", "0x10", "0o17", "1:30", "22:22:22", "1_000", "+", "--", ".", "1.2.3", "=")),
        *((word, word) for word in ("2026-01-01", "2026-01-01 10:00:00", ".inf", "-.inf", ".nan", "inf", "010.5")),
        *(("7", 7), ("-7", -7), ("+7", 7), ("0", 0), ("-0", 0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0)),
        *(("1e3", 1000.0), ("1E-3", 0.001), ("1.5e+2", 150.0), ("-2e2", -200.0)),
        *(("0-15", "0-15"), ("0,1,2", "0,1,2"), ("0:0", "0:0"), ("'no'", "no"), ('"5"', "5"), ("!!str 5", "5")),
        *(("!!int 5", 5), ("!!float 5", 5.0), ("!!bool true", True), ("!!null ''", None)),
        ("[1, a, ~]", [1, "a", None]),
        ("{1: a, true: b, ~: c, 010: d}", {"1": "a", "true": "b", "~": "c", "010": "d"}),
        ("x: <<", {"x": "<<"}),
        ("'<<': {a: 1}", {"<<": {"a": 1}}),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


def test_anchors_aliases_and_merge_keys_are_expanded_and_explicit_keys_win() -> None:
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nall: {y: 0, <<: [*b, *o]}\none: {<<: *o, w: 5}\nlist: *b\n"
    data = read(text)
    assert data["all"] == {"x": 1, "y": 0, "z": 4}
    assert data["one"] == {"y": 3, "z": 4, "w": 5}
    assert data["list"] == {"x": 1, "y": 2}


def test_the_first_merge_key_wins_over_a_second() -> None:
    assert read("{<<: {a: 1}, <<: {a: 2, b: 3}}") == {"a": 1, "b": 3}


def test_every_key_and_value_knows_its_place() -> None:
    root = parse("# comment\na:\n  b: [1,\n      two]\n", "f").root
    assert root == Node(
        Mark("f", 2, 1),
        {
            "a": Entry(
                Mark("f", 2, 1),
                Node(
                    Mark("f", 3, 3),
                    {
                        "b": Entry(
                            Mark("f", 3, 3),
                            Node(Mark("f", 3, 6), (Node(Mark("f", 3, 7), 1), Node(Mark("f", 4, 7), "two"))),
                        )
                    },
                ),
            )
        },
    )


def test_a_text_inside_a_line_has_its_columns_shifted_in_the_first_line_only() -> None:
    root = parse("{a: 1,\n b: 2}", "f", 10).root
    assert root is not None
    assert isinstance(root.value, dict)
    assert root.value["a"].mark == Mark("f", 1, 12)
    assert root.value["b"].mark == Mark("f", 2, 2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2\n", "f:2:1 a — duplicate key; first given at line 1, column 1"),
        ("s:\n  a: 1\n  b: 2\n  a: 3\n", "f:4:3 s.a — duplicate key; first given at line 2, column 3"),
        ("a: b: c\n", "f:1:5 — ':' is not expected here; put text that holds ': ' in quotes"),
        ("a: 1\n  b: 2\n", "f:2:4 — ':' is not expected here; put text that holds ': ' in quotes"),
        ("a:\n  b: 1\n c: 2\n", "f:3:2 — the indentation does not fit the lines above"),
        ("a: 1\nb\nc: 2\n", "f:2:1 — ':' is missing after this key"),
        ("a:\n\tb: 1\n", "f:2:1 — a tab is not expected here; indent with spaces"),
        ("'a' b", "f:1:5 — this stands outside of the profile's one mapping"),
        ("a: [1\n", "f:2:1 — not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: *x\n", "f:1:4 — an alias without its anchor; put text that begins with * in quotes"),
        ("a: @x\n", "f:1:4 — not YAML: found character '@' that cannot start any token"),
        ("a: 1\n--- \nb: 2\n", "f:2:1 — not YAML: but found another document"),
        ("a: 'x\n", "f:2:1 — not YAML: found unexpected end of stream"),
        ("a: \x01\n", "f:1:4 — character U+0001 may not stand in a YAML file"),
        ("a: 1\nb: x\x07\n", "f:2:5 — character U+0007 may not stand in a YAML file"),
        ("a: !x 1\n", "f:1:4 a — a tag means nothing here; put text that begins with ! in quotes"),
        ("a: !!python/name:os.system 1\n", "f:1:4 a — a tag means nothing here; put text that begins with ! in quotes"),
        ("a: !!set {x}\n", "f:1:4 a — a tag means nothing here; put text that begins with ! in quotes"),
        ("a: !!binary aGk=\n", "f:1:4 a — a tag means nothing here; put text that begins with ! in quotes"),
        ("a: !!int 0x10\n", "f:1:4 a — not a value of the type int"),
        ("a: {[1]: 2}\n", "f:1:5 a — a key is text, not a list or a mapping"),
        ("a: {<<: 1}\n", "f:1:9 a.<< — << takes a mapping or a list of mappings"),
        ("a: [1e999]\n", "f:1:5 a[0] — the number is too large; put text, such as a revision, in quotes"),
        (
            f"a: {'9' * 5000}\n",
            "f:1:4 a — the number is too large; put text, such as a revision, in quotes",
        ),
        ('a: "x\\0"\n', "f:1:4 a — character U+0000 cannot be passed to a program"),
        ('a: "\\ud800"\n', "f:1:4 a — character U+D800 cannot be passed to a program"),
        ('"k\\0": 1\n', "f:1:1 'k\\x00' — character U+0000 cannot be passed to a program"),
        ("a: &a [*a]\n", "f:1:4 a[0] — an alias stands inside the value that it repeats"),
        ("a: &a {b: *a}\n", "f:1:4 a.b — an alias stands inside the value that it repeats"),
        ("[" * (MAX_DEPTH + 1), f"f:1:{MAX_DEPTH + 1} — not YAML: nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"f:1:{MAX_DEPTH + 1} — not YAML: nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_a_fault_names_its_place_in_plain_words(text: str, fault: str) -> None:
    assert faults(parse(text, "f")) == [fault]


def test_a_bomb_of_aliases_is_defused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    found = faults(parse("\n".join(lines), "f"))
    assert len(found) == 1
    assert found[0].endswith(f"more than {MAX_VALUES} values; aliases multiply them")


def test_several_faults_of_one_text_are_all_found() -> None:
    assert faults(parse("a: 1\nb: !x 1\na: 2\nc: {c: 1, c: 2}\n", "f")) == [
        "f:2:4 b — a tag means nothing here; put text that begins with ! in quotes",
        "f:3:1 a — duplicate key; first given at line 1, column 1",
        "f:4:11 c.c — duplicate key; first given at line 4, column 5",
    ]


def test_control_characters_of_a_file_never_reach_the_terminal() -> None:
    assert faults(parse('"\\e[31m": 1\n"\\e[31m": 2\n', "f\n\x1b")) == [
        "f\\n\\x1b:2:1 '\\x1b[31m' — duplicate key; first given at line 1, column 1"
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n"])
def test_an_empty_profile_is_an_empty_mapping(text: str) -> None:
    document = parse_profile(text, "f")
    assert document.faults == ()
    assert document.root is not None
    assert plain(document.root) == {}


@pytest.mark.parametrize("text", ["[1]", "text", "5"])
def test_a_profile_that_is_no_mapping_is_a_fault(text: str) -> None:
    assert faults(parse_profile(text, "f")) == ["f:1:1 — a profile is a mapping of keys to values"]


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xe4\xb8\xad\n")
    assert read(read_text(path)) == {"a": "中"}


def test_a_file_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(ProfileError) as caught:
        read_text(path)
    assert caught.value.message == f"cannot read {path}: byte 4 is not UTF-8"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        read_text(tmp_path)
    assert caught.value.message == f"cannot read {tmp_path}: Is a directory"


def test_a_path_that_no_system_can_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="embedded null byte"):
        read_text(tmp_path / "a\0b")


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ProfileError, match=f"more than {MAX_BYTES} bytes is no profile"):
        read_text(path)

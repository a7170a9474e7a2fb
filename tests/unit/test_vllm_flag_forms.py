"""E3: the tables of how flags are given agree with the real parsers of the versions that they were made from."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_profile

from orchestrator.profile.flags import refused, remarks
from orchestrator.vllm.flag_forms import Form, certain_form, form_of
from orchestrator.vllm.flag_kinds import KNOWN, LOOKED_AT
from orchestrator.vllm.flag_names import SHORT, SHORT_SINCE, read_name, short_since
from orchestrator.vllm.flags import to_argv
from orchestrator.vllm.parser import ImageParsers, Option, Parser

if TYPE_CHECKING:
    from orchestrator.vllm.flag_forms import Program

RECORDED = Path(__file__).parents[1] / "fixtures" / "vllm"
ANSWERS = {
    version: ImageParsers.model_validate_json((RECORDED / version / "parsers.json").read_bytes())
    for version in LOOKED_AT
}
PROGRAMS: tuple[Program, ...] = ("serve", "bench")


def parser(version: str, program: Program) -> Parser:
    return ANSWERS[version].serve if program == "serve" else ANSWERS[version].bench


def named(option: Option) -> list[str]:
    """The names that the table has an option by."""
    long = [name for name in option.names if name.startswith("--") and name != "--help"]
    return [name for name in long if not (name.startswith("--no-") and f"--{name[5:]}" in option.names)]


@pytest.mark.parametrize("version", LOOKED_AT)
@pytest.mark.parametrize("program", PROGRAMS)
def test_each_option_is_given_as_its_parser_takes_it(program: Program, version: str) -> None:
    for option in parser(version, program).options:
        for name in named(option) if "--help" not in option.names else ():
            form = certain_form(name[2:], version, program)
            assert form is not None, name
            told = option.form(read_name(name))
            assert (form.kind, form.count, form.repeated) == (told.kind, told.count, told.repeated), name
            assert not form.is_switch or form.negatable == told.negatable, name
            assert ("auto" in form.also) == ("auto" in told.also), name
            assert name[2:] in KNOWN


@pytest.mark.parametrize("version", LOOKED_AT)
def test_every_short_name_that_a_parser_has_is_known_and_has_one_dash(version: str) -> None:
    names = {name: option for name, option in parser(version, "serve").by_name.items() if not name.startswith("--")}
    for name, option in names.items():
        if name == "-O":
            continue
        assert f"--{SHORT[name[1:]]}" in option.names
        flag = read_name(name[1:])
        assert f"--{flag.flag}" in option.names
        assert flag.option in (name, f"--{flag.flag}")
    for short in SHORT:
        here = f"-{short}" in names
        assert here == (short_since(f"-{short}", version) is None), short


def test_between_versions_that_differ_nothing_is_certain() -> None:
    assert form_of("enforce-eager", "0.9.0") == form_of("enforce-eager", "0.8.5")
    assert certain_form("enforce-eager", "0.9.0") is None
    assert certain_form("enforce-eager", None) is None
    assert form_of("enforce-eager") == form_of("enforce-eager", "0.33.0") == certain_form("enforce-eager", "0.50.0")
    assert certain_form("enforce-eager", "0.8.0") == certain_form("enforce-eager", "0.8.5+dtk2504")
    assert certain_form("max-num-seqs", None) == certain_form("max-num-seqs", "0.7.3")
    assert form_of("of-nobody") is None is certain_form("of-nobody", "0.9.2")


def test_a_list_is_given_as_the_version_takes_it() -> None:
    assert to_argv({"ignore-patterns": ["a", "b"]}, "0.8.5") == ["--ignore-patterns", "a", "--ignore-patterns", "b"]
    assert to_argv({"ignore-patterns": ["a", "b"]}) == ["--ignore-patterns", "a", "b"]


def test_short_names_that_a_version_lacks_are_those_of_later_versions() -> None:
    assert SHORT_SINCE.keys() <= SHORT.keys()
    assert short_since("-ep", "0.11.2") == "0.14.1"
    assert short_since("-ep", "0.12.0") is None, "it may have it"
    assert short_since("-tp", "0.8.5") is None
    assert short_since("-ep", None) is None


NESTED: dict[str, Any] = {
    "use_inductor": True,
    "backend": None,
    "sizes": [1, 2],
    "inner": {"é": 'it\'s "so"', "off": False},
}


@pytest.mark.parametrize("version", ["0.8.0", "0.8.5", "0.8.5.post1", "0.8.5+das.opt1"])
@pytest.mark.parametrize("flags", [{"compilation-config": NESTED}, {"O": NESTED}, {"cc": NESTED}])
def test_a_version_that_reads_python_is_given_python(flags: dict[str, Any], version: str) -> None:
    option, word = to_argv(flags, version)
    assert option == "--compilation-config"
    assert ast.literal_eval(word) == NESTED


@pytest.mark.parametrize("version", ["0.9.0", "0.9.0.1", "0.9.1", "0.9.2", "0.33.0", None])
def test_every_later_version_is_given_json(version: str | None) -> None:
    _, word = to_argv({"compilation-config": NESTED}, version)
    assert json.loads(word) == NESTED
    assert version is None or certain_form("compilation-config", version) == Form("json", None)


def test_dotted_names_and_lists_become_python_too() -> None:
    assert to_argv({"cc.a": True, "cc.b.c+": "x"}, "0.8.5") == [
        "--compilation-config",
        "{'a': True, 'b': {'c': ['x']}}",
    ]
    assert to_argv({"compilation-config": 3}, "0.8.5") == ["--compilation-config", "3"]


def test_what_json_and_python_write_alike_stays_as_it_always_was() -> None:
    assert to_argv({"O.level": 3}, "0.8.5") == ["--compilation-config", '{"level":3}']
    assert to_argv({"speculative-config": {"a": True}}, "0.8.5") == ["--speculative-config", '{"a":true}']


def test_a_client_s_flag_that_takes_python_is_given_it_in_all_versions() -> None:
    assert to_argv({"random-mm-bucket-config": {"(1, 2, 1)": 0.5}}, "0.33.0", "bench")[1] == '{"(1, 2, 1)":0.5}'


@pytest.mark.parametrize(
    ("image", "value", "wrong"),
    [
        ("x:vllm0.8.5", '{"a": true}', 1),
        ("x:vllm0.8.5", "{'a': True}", 0),
        ("x:vllm0.8.5", {"a": True}, 0),
        ("x:vllm0.9.0", '{"a": true}', 0),
        ("x:vllm0.9.0", "{'a': True}", 1),
        ("x:latest", {"a": True}, 1),
        ("x:latest", {"a": 1}, 0),
        ("x:latest", "{'a': True}", 0),
    ],
)
def test_json_for_a_parser_that_reads_python_is_refused(image: str, value: str | dict[str, Any], wrong: int) -> None:
    profile = a_profile(container={"image": image}, server={"flags": {"compilation-config": value}})
    asked = ANSWERS["0.9.2" if "0.9" in image else "0.8.5"]
    said = [problem.text for problem in refused(profile, asked)]
    assert len(said) == wrong
    assert all("; write " in text for text in said)
    if ":vllm" in image:  # what the version alone tells is said without asking the image
        assert [text for _, text in remarks(profile)] == said

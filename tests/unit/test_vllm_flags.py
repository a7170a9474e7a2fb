"""Promise S2: flags become arguments byte for byte; no shell, and no other flag, is made of a value."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.vllm.flags import api_key, lookup, served_model, tensor_parallel_size, to_argv

HOSTILE = (
    *("$(touch /tmp/pwned)", "`id`", "; rm -rf /", "a b", " ", "", "'", '"', "\\", "\n", "*", "~", "&&", "|", "#"),
    *("-1", "--port", "-", "-rf", "--x=y", "=", "a=b", "@file", "%s", "é中文😀", '{"a": 1}', "\t", "${HOME}"),
)

hostile = st.text() | st.sampled_from(HOSTILE)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=8,
)


def parsed(argv: list[str], **options: Any) -> dict[str, Any]:
    """What a parser like vLLM's reads, with a flag `--value` of the given kind and others to be mistaken for."""
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_argument("--value", **options)
    parser.add_argument("--port")
    parser.add_argument("-q")
    found, rest = parser.parse_known_args(argv)
    assert rest == []
    return {name: value for name, value in vars(found).items() if value is not None}


@pytest.mark.parametrize(
    ("flags", "argv"),
    [
        ({"enforce-eager": True}, ["--enforce-eager"]),
        ({"enable-prefix-caching": False}, ["--no-enable-prefix-caching"]),
        ({"dtype": None}, []),
        ({"tensor-parallel-size": 8}, ["--tensor-parallel-size", "8"]),
        ({"gpu-memory-utilization": 0.9}, ["--gpu-memory-utilization", "0.9"]),
        ({"q": "moe_wna16"}, ["-q", "moe_wna16"]),
        ({"seed": -1}, ["--seed=-1"]),
        ({"seed": 0}, ["--seed", "0"]),
        ({"seed": 1}, ["--seed", "1"]),
        ({"x": "--port"}, ["-x=--port"]),
        ({"served-model-name": ["a", "b"]}, ["--served-model-name", "a", "b"]),
        ({"served-model-name": ["a"]}, ["--served-model-name", "a"]),
        ({"list": []}, ["--list", "[]"]),
        ({"list": [1, True, None, 0.5]}, ["--list", "1", "true", "null", "0.5"]),
        ({"list": [{"a": 1}]}, ["--list", '[{"a":1}]']),
        ({"list": [[1], 2]}, ["--list", "[[1],2]"]),
        (
            {"speculative_config": {"num_speculative_tokens": 3}},
            ["--speculative_config", '{"num_speculative_tokens":3}'],
        ),
        ({"name": "é"}, ["--name", "é"]),
        ({}, []),
    ],
)
def test_a_flag_is_written_as_its_value_asks(flags: dict[str, Any], argv: list[str]) -> None:
    assert to_argv(flags) == argv


def test_flags_keep_their_order() -> None:
    assert to_argv({"b": 1, "a": True, "c": [1, 2]}) == ["-b", "1", "-a", "-c", "1", "2"]


@given(hostile.filter(lambda text: text != "--"))  # which argparse itself drops before Python 3.13
@example("--port")
@example("")
def test_text_reaches_the_parser_as_it_is(text: str) -> None:
    assert parsed(to_argv({"value": text, "port": "8000"})) == {"value": text, "port": "8000"}
    assert parsed(to_argv({"q": text})) == {"q": text}


@given(st.dictionaries(hostile, json_values) | st.lists(st.dictionaries(hostile, json_values), min_size=1, max_size=3))
def test_nested_values_reach_the_parser_as_json(value: Any) -> None:
    assert parsed(to_argv({"value": value}), type=json.loads) == {"value": value}


@given(st.lists(hostile.filter(lambda text: not text.startswith("-")), min_size=1, max_size=4))
def test_each_item_of_a_list_is_an_argument_of_its_own(items: list[Any]) -> None:
    assert parsed(to_argv({"value": items}), nargs="+") == {"value": items}


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value(number: float) -> None:
    (found,) = parsed(to_argv({"value": number}), type=type(number)).values()
    assert found == number


def test_a_flag_is_found_however_its_words_are_joined() -> None:
    assert lookup({"tensor_parallel_size": 4}, "tensor-parallel-size") == 4
    assert lookup({"a": None, "b": 2}, "a", "b") == 2
    assert lookup({}, "a") is None


@pytest.mark.parametrize(
    ("flags", "size"),
    [({}, 1), ({"tensor-parallel-size": 8}, 8), ({"tensor_parallel_size": 2}, 2), ({"tensor-parallel-size": "x"}, 1)],
)
def test_the_tensor_parallel_size_is_one_unless_a_flag_says_otherwise(flags: dict[str, Any], size: int) -> None:
    assert tensor_parallel_size(flags) == size


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({}, "/models/m"),
        ({"served-model-name": "alias"}, "alias"),
        ({"served_model_name": ["first", "second"]}, "first"),
        ({"served-model-name": []}, "/models/m"),
        ({"served-model-name": None}, "/models/m"),
    ],
)
def test_the_served_name_is_the_first_given_or_the_model(flags: dict[str, Any], name: str) -> None:
    assert served_model("/models/m", flags) == name


@pytest.mark.parametrize(
    ("flags", "env", "key"),
    [
        ({}, {}, None),
        ({}, {"VLLM_API_KEY": "of-env"}, "of-env"),
        ({"api-key": "of-flag"}, {"VLLM_API_KEY": "of-env"}, "of-flag"),
        ({"api_key": ["first", "second"]}, {}, "first"),
        ({"api-key": []}, {"VLLM_API_KEY": "of-env"}, "of-env"),
        ({}, {"VLLM_API_KEY": object()}, None),
    ],
)
def test_the_key_that_the_server_wants_is_the_first_of_its_flag_or_of_its_environment(
    flags: dict[str, Any], env: dict[str, object], key: str | None
) -> None:
    assert api_key(flags, env) == key

"""What an image's parser would say of a flag: wrong for certain, or nothing."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.inside import parsers as program
from orchestrator.vllm.flags import to_argv
from orchestrator.vllm.parser import Option, Parser, wrong_value

if TYPE_CHECKING:
    from pydantic import JsonValue


def real_parser() -> argparse.ArgumentParser:
    """A parser with an option of each kind that vLLM has."""
    made = argparse.ArgumentParser()
    made.add_argument("--enforce-eager", action="store_true")
    made.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    made.add_argument("--max-num-seqs", type=int)
    made.add_argument("--max-num-batched-tokens", type=int)
    made.add_argument("--swap-space", type=float)
    made.add_argument("--quantization", "-q", choices=["awq", "gptq", None])
    made.add_argument("--block-size", type=int, choices=[8, 16])
    made.add_argument("--speculative-config", type=json.loads)
    made.add_argument("--served-model-name", nargs="+")
    made.add_argument("--pair", nargs=2, type=int)
    made.add_argument("--reasoning", nargs="?")
    made.add_argument("--tokenizer")
    return made


PARSER = Parser(
    problem="",
    options=tuple(map(Option.model_validate, program.options_of(real_parser()))),
)

CASES: list[tuple[str, Any, str | None]] = [
    ("enforce-eager", True, None),
    ("enforce_eager", True, None),
    ("enforce-eager", "yes", "is a switch and takes no value; write true, or null to leave it out"),
    ("enforce-eager", False, "has no form --no-enforce-eager; null leaves the flag out"),
    ("enforce-eager", None, None),
    ("enable_prefix_caching", False, None),
    ("max-num-seqs", 64, None),
    ("max-num-seqs", "64", None),
    ("max-num-seqs", -1, None),
    ("max-num-seqs", True, "needs a value"),
    ("max-num-seqs", "many", "is 'many', but must be a whole number"),
    ("max-num-seqs", 1.5, "is '1.5', but must be a whole number"),
    ("max-num-seqs", [1, 2], "takes one value, not 2"),
    ("max-num-seqs", {"a": 1}, "is '{\"a\":1}', but must be a whole number"),
    ("swap-space", 4, None),
    ("swap-space", "4GB", "is '4GB', but must be a number"),
    ("quantization", "awq", None),
    ("q", "awq", None),
    ("quantization", "awk", "is 'awk', but must be one of awq, gptq, None"),
    ("block-size", 16, None),
    ("block-size", 32, "is '32', but must be one of 8, 16"),
    ("speculative-config", {"num_speculative_tokens": 3}, None),
    ("speculative_config", '{"a": 1}', None),
    ("speculative-config", '{""a"": 1}', "is not JSON; write it as a mapping"),
    ("speculative-config", "None", None),
    ("speculative-config.num_speculative_tokens", 3, None),
    ("served-model-name", ["a", "b"], None),
    ("served-model-name", "a", None),
    ("served-model-name", True, "needs a value"),
    ("pair", [1, 2], None),
    ("pair", [1, 2, 3], "takes 2 values, not 3"),
    ("reasoning", True, None),
    ("reasoning", "x", None),
    ("tokenizer", "anything at all", None),
    ("tokenizer", 5, None),
]


@pytest.mark.parametrize(("flag", "value", "expected"), CASES)
def test_what_the_parser_has_against_a_value(flag: str, value: JsonValue, expected: str | None) -> None:
    option = PARSER.option(flag)
    assert option is not None
    assert wrong_value(option, flag, value) == expected


def test_a_long_list_of_choices_is_shown_in_part() -> None:
    option = Option(names=("--x",), nargs=None, choices=tuple(map(str, range(20))), kind="text", deprecated=False)
    assert wrong_value(option, "x", "z") == f"is 'z', but must be one of {', '.join(map(str, range(12)))}, …"


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("max-num-s", "--max-num-seqs"),
        ("max_num_seqs", "--max-num-seqs"),
        ("max-num", None),
        ("max-nun-seqs", None),
        ("z", None),
        ("tokenizer.x", "--tokenizer"),
        ("nothing.x", None),
    ],
)
def test_a_flag_is_found_as_the_parser_would(flag: str, name: str | None) -> None:
    option = PARSER.option(flag)
    assert (option and option.names[0]) == name


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 99),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["awq", "16", "{}", "[1]", "x", "1e3", "None"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), max_size=2),
)


@given(st.sampled_from([option.names[0][2:] for option in PARSER.options if option.names[0] != "-h"]), values)
def test_nothing_is_called_wrong_that_the_parser_takes(flag: str, value: JsonValue) -> None:
    parser = real_parser()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parser.parse_args(to_argv({flag: value}))
    except SystemExit:
        return
    option = PARSER.option(flag)
    assert option is not None
    assert wrong_value(option, flag, value) is None

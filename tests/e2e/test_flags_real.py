"""E3: the arguments that orch makes of a profile's flags mean to real parsers of vLLM what the profile says.

One container for each image parses all cases. The cases come from the parser's own list of options, each given in one
of the forms that a profile may have, and from a table of forms that several flags can have.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.vllm.flag_forms import Program
from orchestrator.vllm.flag_names import SHORT
from orchestrator.vllm.flags import to_argv
from orchestrator.vllm.parser import ImageParsers, Option, Parser, wrong_value

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PROGRAM = (Path(__file__).parent / "parse_flags.py").read_text(encoding="utf-8")
IMAGES = {
    "0.8.5": "orch-cpu:0.8.5",
    "0.9.2": "orch-client:0.9.2",
    "0.11.2": "orch-client:0.11.2",
    "0.14.1": "orch-client:0.14.1",
    "0.32.0": "orch-cpu:0.32.0",
    "0.33.0": "orch-client:0.33.0",
}
Case = tuple[Program, dict[str, Any], dict[str, Any]]
"""Program, flags of a profile, and the values that its parser is to have by their long names."""

LORAS = [{"name": "a", "path": "/a b"}, {"name": "b", "path": "/b"}]
FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tp": 4, "-pp": 2, "--dp": 3}, {"tensor-parallel-size": 4, "pipeline-parallel-size": 2, "data-parallel-size": 3}),
    ({"tensor_parallel_size": "4"}, {"tensor-parallel-size": 4}),
    ({"q": "awq", "seed": -1}, {"quantization": "awq", "seed": -1}),
    ({"--max-model-len": "8k"}, {"max-model-len": 8000}),
    ({"no-enable-prefix-caching": True}, {"enable-prefix-caching": False}),
    ({"enable_prefix_caching": False}, {"enable-prefix-caching": False}),
    ({"enable-prefix-caching": True}, {"enable-prefix-caching": True}),
    ({"middleware": ["a.b", "-c.d"]}, {"middleware": ["a.b", "-c.d"]}),
    ({"ignore-patterns": ["*.bin", "*.pt"]}, {"ignore-patterns": ["*.bin", "*.pt"]}),
    ({"served-model-name": ["a.b", "c d"], "dtype": "half"}, {"served-model-name": ["a.b", "c d"], "dtype": "half"}),
    ({"allowed-origins": ["*"], "allowed_methods": []}, {"allowed-origins": ["*"], "allowed-methods": []}),
    ({"lora-modules": LORAS}, {"lora-modules": LORAS}),
    ({"lora-modules": LORAS[0]}, {"lora-modules": LORAS[:1]}),
    ({"chat-template": "--x ${HOME} $VAR a=b\n{{ x }}"}, {"chat-template": "--x ${HOME} $VAR a=b\n{{ x }}"}),
    ({"response-role": "-.5"}, {"response-role": "-.5"}),
    (
        {"speculative-config.num_speculative_tokens": 3, "sc.method": "ngram", "sc": {"a": {"b": 1}}, "sc.a.c": 0.5},
        {"speculative-config": {"a": {"b": 1, "c": 0.5}, "num_speculative_tokens": 3, "method": "ngram"}},
    ),
    (
        {"speculative_config.a_b.c-d": False, "sc.a_b.n": None, "sc.l+": "x,y", "sc.l": ["w"], "sc.l2+": 5},
        {"speculative-config": {"a_b": {"c-d": False, "n": None}, "l": ["w", "x", "y"], "l2": [5]}},
    ),
    ({"sc": '{"a": 1}', "sc.b": "3"}, {"speculative-config": {"a": 1, "b": "3"}}),
    ({"hf-overrides": {"é": ["'", '"', "\\"]}}, {"hf-overrides": {"é": ["'", '"', "\\"]}}),
]


def spelled(name: str, number: int) -> str:
    return (name, name.replace("-", "_"), f"--{name}", f"--{name.replace('-', '_')}")[number % 4]


def of_option(option: Option, name: str, number: int) -> tuple[Any, Any] | None:
    """A value for an option, and what is to become of it; None for one whose conversion is its own."""
    if option.nargs == 0:
        negatable = f"--no-{name}" in option.names
        return (number % 2 == 0, number % 2 == 0) if negatable else (True, True)
    if option.choices is not None:
        return None
    value: Any = {"int": 3, "size": "8k", "float": 0.25, "text": "-a b.c=d"}.get(option.kind)
    expected: Any = 8000 if option.kind == "size" else value
    if option.nargs in ("+", "*"):
        value = [1, 2] if option.kind == "int" else [0.5, 1.5] if option.kind == "float" else ["a.b", "c=d"]
        return value, value
    if option.repeated:
        return ["a", "-b"], ["a", "-b"]
    return (value, expected) if value is not None and option.kind != "text" else None


def agree(said: Any, expected: Any) -> bool:
    """Say whether a parser has what was asked; objects of vLLM have further fields."""
    if isinstance(expected, list):
        return isinstance(said, list) and len(said) == len(expected) and all(map(agree, said, expected))
    if isinstance(expected, dict) and isinstance(said, dict) and "path" in expected:
        return expected.items() <= said.items()
    if isinstance(expected, dict) and isinstance(said, dict):
        return said.keys() == expected.keys() and all(agree(said[key], value) for key, value in expected.items())
    return type(said) is type(expected) and bool(said == expected)


def cases_of(program: Program, parser: Parser) -> list[Case]:
    cases: list[Case] = []
    for number, option in enumerate(parser.options):
        name = next((name[2:] for name in option.names if name.startswith("--")), "help")
        made = of_option(option, name, number)
        if made is not None and name not in ("help", "lora-modules", "prompt-adapters"):
            cases.append((program, {spelled(name, number): made[0]}, {name: made[1]}))
    return cases


def parsed(image: str, cases: list[Case], version: str) -> list[dict[str, Any]]:
    asked = [
        {
            "program": program,
            "argv": to_argv(flags, version, program),
            "flags": list(expected),
        }
        for program, flags, expected in cases
    ]
    docker = ["docker", "run", "--rm", "-i", "--network", "none", "--entrypoint", "python3", image, "-c", PROGRAM]
    done = subprocess.run(docker, input=json.dumps(asked), capture_output=True, text=True, timeout=500, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("PARSED ")]
    assert lines, done.stderr[-2000:]
    return list(json.loads(lines[-1].removeprefix("PARSED ")))


@pytest.mark.parametrize("version", IMAGES)
def test_flags_mean_to_the_real_parser_what_the_profile_says(version: str) -> None:
    answers = ImageParsers.model_validate_json((ROOT / "tests/fixtures/vllm" / version / "parsers.json").read_bytes())
    names = set(answers.serve.by_name)
    table: list[Case] = [("serve", flags, expected) for flags, expected in FORMS]
    shorts: list[Case] = [
        ("serve", {short: 3}, {SHORT[short]: 3})
        for short in SHORT
        if f"-{short}" in names and answers.serve.by_name[f"-{short}"].kind == "int"
    ]
    level = {"optimization-level": "3"} if "--optimization-level" in names else {}
    levels: list[Case] = [("serve", flags, level) for flags in ({"O": 3}, {"O3": True}, {"-O3": True})]
    keyed: list[Case] = [
        ("serve", {"O.custom_ops": ["none"]}, {}),
        ("serve", {"O": {"custom_ops": ["none"]}}, {}),
        ("serve", {"cc.splitting_ops": [], "cc.custom_ops+": "none"}, {}),
        ("serve", {"cc.cudagraph_copy_inputs": False}, {}),
        ("serve", {"compilation-config": {"backend": "", "cudagraph_copy_inputs": True}}, {}),
    ]
    whole = [*table, *shorts, *levels, *keyed, *cases_of("serve", answers.serve), *cases_of("bench", answers.bench)]
    assert len(whole) > 100
    wrong = []
    for (_, flags, expected), said in zip(whole, parsed(IMAGES[version], whole, version), strict=True):
        if not agree(said.get("values"), expected):
            wrong.append((flags, to_argv(flags, version), expected, said))
    assert wrong == []


REFUSED: list[tuple[str, Any]] = [
    ("enforce-eager", "yes"),
    ("max-num-seqs", 1e5),
    ("max-num-seqs", ""),
    ("max-num-seqs", "many"),
    ("max-num-seqs", "1k"),
    ("max-num-seqs", True),
    ("max-model-len", 1e5),
    ("served-model-name", True),
    ("middleware", True),
    ("speculative-config", "{'a': 1}"),
    ("speculative-config", True),
    ("gpu-memory-utilization", "high"),
    ("tensor-parallel-size.x", 1),
    ("disable-log-stats", False),
    ("trust-remote-code", False),
    ("trust-remote-code", "yes"),
    ("api-key", ["a", "b"]),
    ("max-num-batched-tokens", "8k"),
    ("max-model-len", "auto"),
    ("kv-cache-dtype", "fp9"),
    ("compilation-config", '{"cudagraph_copy_inputs": true}'),
    ("compilation-config", "{'cudagraph_copy_inputs': True}"),
]


@pytest.mark.parametrize("version", IMAGES)
def test_what_is_called_wrong_is_just_what_the_real_parser_refuses(version: str) -> None:
    answers = ImageParsers.model_validate_json((ROOT / "tests/fixtures/vllm" / version / "parsers.json").read_bytes())
    cases: list[Case] = [("serve", {name: value}, {}) for name, value in REFUSED]
    for (_, flags, _), said in zip(cases, parsed(IMAGES[version], cases, version), strict=True):
        ((name, value),) = flags.items()
        option = answers.serve.option(name)
        assert option is not None, name
        assert (wrong_value(option, name, value) is None) == ("error" not in said), (flags, said)

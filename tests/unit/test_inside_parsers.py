"""The program that asks an image's parsers: it answers whatever vLLM is there, however it prints and breaks.

It runs here as it does in a container, on a vLLM of the test's.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from processes import program

from orchestrator.inside import parsers
from orchestrator.vllm.parser import ImageParsers

if TYPE_CHECKING:
    from pathlib import Path

FLEXIBLE = """
import argparse, json, sys
print("INFO a library speaks on standard output")

class FlexibleArgumentParser(argparse.ArgumentParser):
    def __init__(self, *args, **keys):
        super().__init__(*args, **keys)
        self._deprecated = set()
"""
SERVE = """
import argparse, ast, enum, json

class Method(enum.Enum):
    MTP = "mtp"

def number(text):
    return int(text.rstrip("k"))

def dictionary(text):
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a dictionary")
    return value

def literal(text):
    return {tuple(key): value for key, value in ast.literal_eval(text).items()}

def exits(text):
    raise SystemExit(3)

def make_arg_parser(parser):
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--enforce-eager", action="store_true")
    parser.add_argument("--max-model-len", type=number)
    parser.add_argument("--max-num-seqs", type=int)
    parser.add_argument("--gpu-memory-utilization", type=float)
    parser.add_argument("--quantization", "-q", choices=["awq", None])
    parser.add_argument("--block-size", type=int, choices=[8, 16])
    parser.add_argument("--method", type=Method, choices=list(Method))
    parser.add_argument("--speculative-config", type=json.loads)
    parser.add_argument("--compilation-config", type=dictionary)
    parser.add_argument("--odd", type=exits)
    parser.add_argument("--buckets", type=literal)
    parser.add_argument("--middleware", action="append", type=str)
    parser.add_argument("--timeout", type=lambda text: None if text == "None" else float(text))
    parser.add_argument("--set", choices={"b", "c", "a"})
    parser._deprecated.add(parser.add_argument("--task"))
    return parser
"""
BENCH = """
def add_cli_args(parser):
    parser.add_argument("--goodput", nargs="+")
"""
METADATA = "Metadata-Version: 2.1\nName: vllm\nVersion: 0.9.2+cpu\n"


def a_vllm(folder: Path, **changes: str | None) -> Path:
    files = {
        "vllm/__init__.py": "",
        "vllm/utils/__init__.py": "",
        "vllm/utils/argparse_utils.py": FLEXIBLE,
        "vllm/entrypoints/__init__.py": "",
        "vllm/entrypoints/cli/__init__.py": "",
        "vllm/entrypoints/cli/serve.py": SERVE,
        "vllm/benchmarks/__init__.py": "",
        "vllm/benchmarks/serve.py": BENCH,
        "vllm-0.9.2.dist-info/METADATA": METADATA,
        **changes,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
    return folder


def answer(site: Path) -> dict[str, Any]:
    env = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(program(parsers, {}), env=env, capture_output=True, check=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) == 1, "what vLLM prints is not within the answer"
    assert lines[0].startswith(parsers.ANSWER)
    return dict(json.loads(lines[0].removeprefix(parsers.ANSWER)))


def test_every_option_is_told_with_the_values_that_it_takes(tmp_path: Path) -> None:
    said = ImageParsers.model_validate(answer(a_vllm(tmp_path)))
    assert (said.vllm, said.serve.problem) == ("0.9.2+cpu", "")
    assert {option.names[0]: (option.nargs, option.kind, option.choices) for option in said.serve.options} == {
        "-h": (0, "text", None),
        "--enforce-eager": (0, "text", None),
        "--max-model-len": (None, "size", None),
        "--max-num-seqs": (None, "int", None),
        "--gpu-memory-utilization": (None, "float", None),
        "--quantization": (None, "text", ("awq", "None")),
        "--block-size": (None, "int", ("8", "16")),
        "--method": (None, "text", ("mtp",)),
        "--speculative-config": (None, "json", None),
        "--compilation-config": (None, "json", None),
        "--odd": (None, "text", None),
        "--buckets": (None, "literal", None),
        "--middleware": (None, "text", None),
        "--timeout": (None, "float", None),
        "--set": (None, "text", ("a", "b", "c")),
        "--task": (None, "text", None),
    }
    assert [option.names[0] for option in said.serve.options if option.deprecated] == ["--task"]
    assert [option.names[0] for option in said.serve.options if option.repeated] == ["--middleware"]
    assert {option.names[0]: option.also for option in said.serve.options if option.also} == {"--timeout": ("None",)}
    assert [(option.names, option.nargs) for option in said.bench.options[1:]] == [(("--goodput",), "+")]


def test_a_version_that_has_its_parser_elsewhere_is_asked_there(tmp_path: Path) -> None:
    site = a_vllm(tmp_path, **{"vllm/utils/argparse_utils.py": None, "vllm/utils/__init__.py": FLEXIBLE})
    said = ImageParsers.model_validate(answer(site))
    assert said.serve.problem == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("raise RuntimeError('Failed to infer device type')", "RuntimeError: Failed to infer device type"),
        ("import sys; sys.exit('no devices')", "SystemExit: no devices"),
    ],
)
def test_a_parser_that_cannot_be_built_says_why_and_leaves_the_other(tmp_path: Path, text: str, problem: str) -> None:
    said = ImageParsers.model_validate(answer(a_vllm(tmp_path, **{"vllm/entrypoints/cli/serve.py": text})))
    assert (said.serve.problem, said.serve.options) == (problem, ())
    assert said.bench.problem == ""


def test_without_vllm_it_says_so(tmp_path: Path) -> None:
    said = answer(tmp_path)
    assert said["vllm"] is None
    assert "PackageNotFoundError" in said["problem"]

"""Says what the command-line parsers of the image's vLLM know: each flag, the values it takes, and nothing else.

The text of this module is the command of a throw-away container, so it stands alone and runs on any Python from 3.7.
It ends with one line on its standard output that begins with `ANSWER`, whatever else vLLM writes there:

    {"python": "3.11.2", "vllm": "0.32.0", "serve": PARSER, "bench": PARSER}

where PARSER is {"problem": "", "options": [OPTION, …]} and OPTION is {"names": ["--block-size"],
"nargs": null, "choices": ["8", "16"] or null, "kind": "int", "also": [""], "repeated": false, "deprecated": false}.
`nargs` is argparse's, 0 for a switch. `kind` is what the values are, found out by giving the option's own conversion
some texts: "json" takes an object, "literal" takes one as Python writes it and not as JSON does, "int" a whole number,
"size" also one such as 1k, "float" any number, and "text" is everything else. `also` are the words that it takes
beside these. `repeated` says that each value wants the flag anew. A parser that
cannot be built has its reason as `problem` and no options.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

ANSWER = "orch-parsers: "
NO_NUMBERS = ("", "None", "auto")
NO_OBJECT = "{"
LITERAL = "{(1, 1, 1): 1.0}"  # as random-mm-bucket-config has it
JSON = '{"a": true}'


def takes(convert: Any, text: str) -> bool:
    try:
        convert(text)
    except BaseException:  # a conversion of vLLM may do anything
        return False
    return True


def kind_of(convert: Any) -> str:
    if not callable(convert) or takes(convert, "text"):
        return "text"
    if takes(convert, "{}"):
        return object_kind_of(convert)
    if not takes(convert, "3"):
        return "text"
    if takes(convert, "1k"):
        return "size"
    return "float" if takes(convert, "1.5") else "int"


def object_kind_of(convert: Any) -> str:
    if takes(convert, NO_OBJECT):
        return "text"
    if not takes(convert, LITERAL):
        return "json"
    return "text" if takes(convert, JSON) else "literal"


def option_of(action: Any, names: list[str], deprecated: Any) -> dict[str, Any]:
    choices = action.choices
    if choices is not None:
        choices = [str(getattr(choice, "value", choice)) for choice in choices]
    kind = kind_of(action.type)
    return {
        "names": names,
        "nargs": action.nargs,
        "choices": sorted(choices) if isinstance(action.choices, (set, frozenset)) else choices,
        "kind": kind,
        "also": [] if kind == "text" else [word for word in NO_NUMBERS if takes(action.type, word)],
        "repeated": isinstance(action, argparse._AppendAction),
        "deprecated": action in deprecated or bool(getattr(action, "deprecated", False)),
    }


def options_of(parser: Any) -> list[dict[str, Any]]:
    deprecated = getattr(parser, "_deprecated", ())
    names = {}  # type: dict[Any, list[str]]
    for name, action in parser._option_string_actions.items():
        names.setdefault(action, []).append(name)  # 0.33 takes more names than the action itself tells
    return [option_of(action, known, deprecated) for action, known in names.items()]


def parser_class() -> Any:
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser
    return FlexibleArgumentParser


def serve_parser(new: Any) -> Any:
    from vllm.entrypoints.cli.serve import make_arg_parser

    return make_arg_parser(new(prog="vllm serve"))


def bench_parser(new: Any) -> Any:
    from vllm.benchmarks.serve import add_cli_args

    parser = new(prog="vllm bench serve")
    add_cli_args(parser)
    return parser


def asked(build: Any) -> dict[str, Any]:
    said = {"problem": "", "options": []}  # type: dict[str, Any]
    try:
        said["options"] = options_of(build(parser_class()))
    except BaseException as error:  # an import may even exit
        said["problem"] = "%s: %s" % (type(error).__name__, error)
    return said


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what vLLM prints must not stand within the answer
    said = {"python": sys.version.split()[0], "vllm": None}  # type: dict[str, Any]
    try:
        from importlib.metadata import version

        said["vllm"] = version("vllm")
    except Exception as error:
        said["problem"] = repr(error)
    else:
        said.update(serve=asked(serve_parser), bench=asked(bench_parser))
    sys.stderr.flush()
    answers.write("\n" + ANSWER + json.dumps(said) + "\n")
    answers.flush()
    os._exit(0)  # threads and exit handlers of what was imported have nothing to say


if __name__ == "__main__":
    main()

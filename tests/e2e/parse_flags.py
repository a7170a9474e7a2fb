"""Runs in an image: parses each argument list of a JSON list with its own parser, and says what became of the flags.

Each case is {"program": "serve", "argv": [...], "flags": [long names]}; each answer {"error": text} or {"values": {…}}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any


def plain(value: Any) -> Any:
    return vars(value) if hasattr(value, "__dict__") else repr(value)


def parsers() -> dict[str, Any]:
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser
    from vllm.benchmarks.serve import add_cli_args
    from vllm.entrypoints.cli.serve import make_arg_parser

    bench = FlexibleArgumentParser(prog="vllm bench serve")
    add_cli_args(bench)
    return {"serve": make_arg_parser(FlexibleArgumentParser(prog="vllm serve")), "bench": bench}


def answer(parser: Any, case: dict[str, Any]) -> dict[str, Any]:
    said = io.StringIO()
    model = ["--model", "m"] if case["program"] == "bench" else []
    if any(not action.option_strings for action in parser._actions):
        model = ["m"]
    try:
        with contextlib.redirect_stderr(said):
            found = vars(parser.parse_args([*model, *case["argv"]]))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a conversion of vLLM may raise anything
        return {"error": f"{said.getvalue()[-300:]} {error!r}"}
    known = parser._option_string_actions
    return {"values": {flag: found[known[f"--{flag}"].dest] for flag in case["flags"]}}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what vLLM prints must not stand within the answer
    made = parsers()
    said = [answer(made[case["program"]], case) for case in json.load(sys.stdin)]
    answers.write("\nPARSED " + json.dumps(said, default=plain) + "\n")
    answers.flush()
    os._exit(0)  # threads of what was imported have nothing to say


if __name__ == "__main__":
    main()

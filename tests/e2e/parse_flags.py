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


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever vLLM converts to
    return vars(value) if hasattr(value, "__dict__") else repr(value)


def parsers() -> dict[str, Any]:
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: PLC0415
    except ImportError:
        from vllm.utils import FlexibleArgumentParser  # noqa: PLC0415
    from vllm.benchmarks.serve import add_cli_args  # noqa: PLC0415
    from vllm.entrypoints.cli.serve import make_arg_parser  # noqa: PLC0415

    bench = FlexibleArgumentParser(prog="vllm bench serve")
    add_cli_args(bench)
    return {"serve": make_arg_parser(FlexibleArgumentParser(prog="vllm serve")), "bench": bench}


def answer(parser: Any, case: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - vLLM's own class
    said = io.StringIO()
    model = ["--model", "m"] if case["program"] == "bench" else []
    if any(not action.option_strings for action in parser._actions):  # noqa: SLF001
        model = ["m"]
    try:
        with contextlib.redirect_stderr(said):
            found = vars(parser.parse_args([*model, *case["argv"]]))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a conversion of vLLM may raise anything
        return {"error": f"{said.getvalue()[-300:]} {error!r}"}
    known = parser._option_string_actions  # noqa: SLF001
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

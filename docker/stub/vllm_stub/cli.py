"""The `vllm` command of the stub: `serve`, `bench serve` and `--version`; 99 is a mistake in the faults."""

from __future__ import annotations

import os
import sys

from vllm_stub.faults import FaultError, read_faults
from vllm_stub.flags import FlexibleArgumentParser, add_bench_args, parse_serve
from vllm_stub.style import style_of

FAULT_ERROR = 99


def main(argv: list[str] | None = None) -> int:
    """Run the command `argv` (of the process by default); the exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        faults = read_faults(os.environ)
        style = style_of(faults)
    except FaultError as error:
        print(f"vllm stub: {error}", file=sys.stderr)
        return FAULT_ERROR
    if words[:1] == ["serve"]:
        from vllm_stub.serve import serve

        dev_mode = os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
        return serve(parse_serve(words[1:], faults, style), faults, style, dev_mode=dev_mode)
    if words[:2] == ["bench", "serve"]:
        from vllm_stub.client import bench

        parser = FlexibleArgumentParser(prog="vllm", allow_abbrev=False)
        add_bench_args(parser, style)
        return bench(parser.parse_args(words[2:]), faults, style)
    if words[:1] in (["--version"], ["-v"]):
        print(style.version)
        return 0
    print(f"vllm: error: argument subparser: invalid choice: {' '.join(words)!r}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

"""The parser of `vllm serve`, for those who ask it which flags exist."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vllm_stub.faults import read_faults
from vllm_stub.flags import declare_serve_args
from vllm_stub.style import style_of

if TYPE_CHECKING:
    import argparse


def make_arg_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`parser` with the flags of `vllm serve`."""
    declare_serve_args(parser, style_of(read_faults(os.environ)))
    return parser

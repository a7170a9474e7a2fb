"""The two functions of vLLM's load client that a driver within the image calls: its flags and its run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vllm_stub import client
from vllm_stub.faults import read_faults
from vllm_stub.flags import add_bench_args
from vllm_stub.style import style_of

if TYPE_CHECKING:
    import argparse


def add_cli_args(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `vllm bench serve`."""
    add_bench_args(parser, style_of(read_faults(os.environ)))


def main(args: argparse.Namespace) -> dict[str, Any] | None:
    """Run the benchmark and return its result; 0.8.x returns None."""
    faults = read_faults(os.environ)
    return client.run(args, faults, style_of(faults))

"""The command lines of `vllm serve` and `vllm bench serve`, as the emulated version accepts them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_stub.faults import Faults
    from vllm_stub.style import Style

_SWITCHES = """
    enable-expert-parallel enable-prefix-caching no-enable-prefix-caching enable-chunked-prefill
    no-enable-chunked-prefill enforce-eager trust-remote-code disable-log-stats disable-custom-all-reduce
    disable-uvicorn-access-log enable-auto-tool-choice
"""
_VALUES = """
    tensor-parallel-size pipeline-parallel-size data-parallel-size quantization dtype kv-cache-dtype
    block-size gpu-memory-utilization max-num-batched-tokens speculative-config tokenizer tokenizer-mode
    revision seed load-format distributed-executor-backend cpu-offload-gb hf-overrides reasoning-parser
    tool-call-parser chat-template compilation-config api-key uvicorn-log-level download-dir
    num-gpu-blocks-override config
"""
_SHORT = (("-tp", "tensor-parallel-size"), ("-pp", "pipeline-parallel-size"), ("-q", "quantization"))
_OLD_SWITCHES = "disable-log-requests enable-reasoning use-v2-block-manager"
_OLD_VALUES = "num-scheduler-steps device swap-space task max-seq-len-to-capture rope-scaling"
_NEW_SWITCHES = "enable-log-requests async-scheduling no-async-scheduling headless"
_NEW_VALUES = """
    kv-cache-memory-bytes stream-interval attention-backend runner convert nnodes node-rank master-addr
    master-port cudagraph-capture-sizes max-cudagraph-capture-size optimization-level
"""


class FlexibleArgumentParser(argparse.ArgumentParser):
    """A parser for which `--max_model_len` is `--max-model-len`, as vLLM's own."""

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse `args` with dashes for the underscores of flag names."""
        return super().parse_known_args([_dashed(arg) for arg in (sys.argv[1:] if args is None else args)], namespace)


def _dashed(arg: str) -> str:
    name, equals, value = arg.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else arg


@dataclass(frozen=True)
class ServeConfig:
    """What the stub server needs of the `vllm serve` command line."""

    model: str
    served: tuple[str, ...]
    host: str
    port: int
    max_model_len: int
    max_num_seqs: int
    prefix_caching: bool
    eager: bool
    argv: tuple[str, ...]


def declare_serve_args(parser: argparse.ArgumentParser, style: Style) -> None:
    """Declare the flags of `vllm serve`: what the server uses, and the common ones that it ignores."""
    add = parser.add_argument
    add("model_tag", nargs="?")
    for name, kind in (
        ("model", str),
        ("host", str),
        ("port", int),
        ("max-model-len", int),
        ("max-num-seqs", int),
    ):
        add(f"--{name}", type=kind)
    add("--served-model-name", nargs="+")
    for name in f"{_SWITCHES} {_OLD_SWITCHES if style.old else _NEW_SWITCHES}".split():
        add(f"--{name}", action="store_true")
    short = {long: letter for letter, long in _SHORT}
    for name in f"{_VALUES} {_OLD_VALUES if style.old else _NEW_VALUES}".split():
        add(*([short[name]] if name in short else []), f"--{name}")


def parse_serve(argv: Sequence[str], faults: Faults, style: Style) -> ServeConfig:
    """The server's configuration; unknown flags pass, or with STUB_STRICT_FLAGS exit with 2."""
    parser = FlexibleArgumentParser(prog="vllm", allow_abbrev=False)
    declare_serve_args(parser, style)
    args = parser.parse_args(argv) if faults.strict_flags else parser.parse_known_args(argv)[0]
    model = args.model_tag or args.model or "Qwen/Qwen3-0.6B"
    return ServeConfig(
        model=model,
        served=(faults.model_id,) if faults.model_id else tuple(args.served_model_name or (model,)),
        host=args.host or "0.0.0.0",
        port=8000 if args.port is None else args.port,
        max_model_len=args.max_model_len or 4096,
        max_num_seqs=args.max_num_seqs or 256,
        prefix_caching=not args.no_enable_prefix_caching and (style.engine == "v1" or bool(args.enable_prefix_caching)),
        eager=args.enforce_eager,
        argv=tuple(argv),
    )


def add_bench_args(parser: argparse.ArgumentParser, style: Style) -> None:
    """Declare the flags that `vllm bench serve` of the emulated version has and orch may use."""
    add = parser.add_argument
    if style.old:
        add("--endpoint-type", default="openai-comp", choices=["openai-comp", "openai-chat"])
        add("--best-of", type=int, default=1)
    else:
        add("--backend", default="openai", choices=["openai", "openai-chat", "vllm"])
        add("--temperature", type=float)
        for name in ("top-p", "min-p", "probe-request-rate"):
            add(f"--{name}", type=float)
        add("--top-k", type=int)
        add("--save-detailed", action="store_true")
        add("--num-warmups", type=int, default=0)
        add("--ready-check-timeout-sec", type=int, default=0)
        add("--request-id-prefix")
        add("--extra-body")
        add("--header", nargs="*")
    add("--label")
    add("--base-url")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8000)
    add("--endpoint", default="/v1/completions")
    add("--model", required=style.old)
    add("--served-model-name")
    add("--tokenizer")
    add("--tokenizer-mode", default="auto")
    add("--trust-remote-code", action="store_true")
    add("--dataset-name", default="random", choices=["random"])
    for name, default in (("input-len", 1024), ("output-len", 128), ("prefix-len", 0)):
        add(f"--random-{name}", type=int, default=default)
    add("--random-range-ratio", type=float, default=1.0 if style.old else 0.0)
    add("--num-prompts", type=int, default=1000)
    add("--max-concurrency", type=int)
    add("--request-rate", type=float, default=float("inf"))
    add("--burstiness", type=float, default=1.0)
    add("--seed", type=int, default=0)
    add("--logprobs", type=int)
    add("--ignore-eos", action="store_true")
    add("--percentile-metrics", default="ttft,tpot,itl")
    add("--metric-percentiles", default="99")
    add("--goodput", nargs="+")
    add("--disable-tqdm", action="store_true")
    add("--profile", action="store_true")
    add("--save-result", action="store_true")
    add("--result-dir")
    add("--result-filename")
    add("--metadata", nargs="*")

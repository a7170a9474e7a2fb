"""Where vLLM since 0.11.1 has its argument parser."""

from vllm_stub.flags import FlexibleArgumentParser

__all__ = ["FlexibleArgumentParser"]

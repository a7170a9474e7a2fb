"""Where vLLM up to 0.11.0 has its argument parser."""

from vllm_stub.flags import FlexibleArgumentParser

__all__ = ["FlexibleArgumentParser"]

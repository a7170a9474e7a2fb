"""Lets vLLM inspect the tiny model once, at build time.

It proves that this vLLM imports and knows the model. Newer versions also keep what they find in VLLM_CACHE_ROOT,
which spares each server start a process that imports torch again: a third of the start of so small a model.
Usage: inspect_model.py MODEL_DIR
"""

import sys

from vllm.engine.arg_utils import EngineArgs


def main(model: str) -> None:
    """Resolve the model's configuration as `vllm serve` does."""
    config = EngineArgs(model=model, dtype="float32").create_model_config()
    print(f"{config.model}: {config.max_model_len} tokens")


if __name__ == "__main__":
    main(sys.argv[1])

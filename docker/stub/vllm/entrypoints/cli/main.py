"""`python -m vllm.entrypoints.cli.main`, the command without its script."""

import sys

from vllm_stub.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())

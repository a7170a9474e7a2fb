"""Removes libraries for GPUs that vLLM on a CPU never loads, judged by what it has loaded, not by a list.

Matters where torch is a CUDA build: the libraries it is linked with must stay, but most are opened on a
GPU only.
"""

import contextlib
import importlib
import sysconfig
from pathlib import Path

CPU_MODULES = ("torch", "vllm._custom_ops", "triton")
GPU_LIBRARIES = ("nvidia/**/*.so*", "triton/**/*.so*", "torch/lib/*cuda*.so*")
MAPS = Path("/proc/self/maps")
PATH_FIELD = 5  # of a line in MAPS; anonymous memory has none


def loaded_files() -> set[Path]:
    """Every file that is mapped into this process."""
    lines = (line.split(maxsplit=PATH_FIELD) for line in MAPS.read_text(encoding="utf-8").splitlines())
    return {Path(fields[PATH_FIELD]).resolve() for fields in lines if len(fields) > PATH_FIELD}


def unused_libraries(site_packages: Path) -> list[Path]:
    """Libraries for GPUs that the modules a CPU server imports did not load."""
    for name in CPU_MODULES:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    loaded = loaded_files()
    found = {path for pattern in GPU_LIBRARIES for path in site_packages.glob(pattern) if path.is_file()}
    return sorted(path for path in found if path.resolve() not in loaded)


def main() -> None:
    """Delete them and say how much that was."""
    unused = unused_libraries(Path(sysconfig.get_path("purelib")))
    freed = sum(path.stat().st_size for path in unused)
    for path in unused:
        path.unlink()
    print(f"removed {len(unused)} libraries for GPUs, {freed / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

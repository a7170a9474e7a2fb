"""Causes in compiled libraries: missing, or of versions that do not fit together."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="library-missing",
        title="a shared library is missing: {library}",
        why="A program or Python module needs it; it is not in the image, not mounted, or not on LD_LIBRARY_PATH.",
        advice=(
            (
                "Hygon DCU (libgalaxyhip, libamdhip64, librocm_smi): mount /opt/hyhal with container.mounts and "
                "source the DTK with container.source: [/opt/dtk/env.sh]."
            ),
            "NVIDIA (libcuda, libnvidia-ml): set container.gpus; the driver's libraries come from the node.",
            (
                "Else use another image, or install what holds it; find it in the image: docker run --rm IMAGE "
                "ldconfig -p"
            ),
        ),
        log=texts(
            (
                r"(?:OSError|RuntimeError): (?P<library>PortAudio) library not found"
                r"|Error: Could not load (?P<name>libtorchcodec)"
            ),
            (
                r"(?:ImportError|OSError|RuntimeError): (?P<library>lib\S+\.so[\w.]*): cannot open shared object "
                r"file(?!: Permission denied)"
            ),
            (
                r"error while loading shared libraries: (?P<library>[^:\s]+): cannot open shared object file(?!: "
                r"Permission denied)"
            ),
            (
                r"(?:ImportError|OSError|RuntimeError): (?!.*torch_extensions/).*(?P<library>[\w/+.-]+\.so[\w.]*): "
                r"cannot open shared object file(?!: Permission denied)"
            ),
            r"Error: (?P<library>lib\S+\.so[\w.]*) (?:is |was )?(?:not found|cannot (?:be )?found)",
            r"Error: (?P<library>libcudart) is not loaded in the current process",
        ),
    ),
    Rule(
        id="library-mismatch",
        title="compiled libraries do not fit together: {library}",
        why=(
            "A library is there but lacks a symbol or a version that another one was built against: a package built "
            "for another torch, CUDA or ROCm, or a newer C or C++ library than the system has."
        ),
        advice=(
            "Use the image as it is: without packages added to it, and without mounting others over them.",
            (
                "Look for a foreign library that comes first: LD_LIBRARY_PATH and LD_PRELOAD in server.env and "
                "container.env, container.source, container.mounts."
            ),
            "The image's system is too old for {system}: use a newer image.",
            (
                "An older libstdc++ without {runtime} is found first, such as conda's: change LD_LIBRARY_PATH in "
                "server.env."
            ),
            "If it is a package of yours, build it again for the torch of the image.",
        ),
        log=texts(
            r"(?P<library>[\w/+.-]+\.so[\w.]*): undefined symbol: \S+",
            r"symbol lookup error: (?P<library>[^:\s]+): (?!.*libcuda)",
            r"(?P<library>[\w/+.-]+\.so[\w.]*): version [`'](?P<system>GLIBC_\S+)' not found",
            r"(?P<library>[\w/+.-]+\.so[\w.]*): version [`'](?P<runtime>(?:GLIBCXX|CXXABI)_\S+)' not found",
            r"(?P<library>[\w/+.-]+\.so[\w.]*): version [`']\S+' not found",
            r"(?P<library>[\w/+.-]+\.so[\w.]*): invalid ELF header|: wrong ELF class: ELFCLASS",
        ),
    ),
    Rule(
        id="executable-stack-refused",
        title="the system's C library refuses a library that wants an executable stack",
        why="glibc 2.41 and later load no library that is marked so; older extensions for torch are.",
        advice=(
            "Allow it: GLIBC_TUNABLES: glibc.rtld.execstack=2 in server.env.",
            "Or take the mark off in the image (patchelf --clear-execstack), or use an image with an older system.",
        ),
        log=texts(r"cannot enable executable stack as shared object requires"),
    ),
    Rule(
        id="dtk-mismatch",
        title="the DTK that is looked for is not the image's",
        why=(
            "Parts of a Hygon image call the DTK's compiler by the path in ROCM_PATH, and there is none at "
            "that path: "
            "ROCM_PATH, the DTK of the image and the node's hyhal do not belong together."
        ),
        advice=(
            "Set ROCM_PATH in server.env to the image's: /opt/dtk for DTK 25.04, /opt/dtk/.hyhal for DTK 26.04.",
            (
                "Mount the node's library: /opt/hyhal:/opt/hyhal:ro in container.mounts; container.source: "
                "[/opt/dtk/env.sh]."
            ),
            (
                "Check that driver and DTK fit: hy-smi --showdriverversion on the node, /opt/dtk/.dtk_version in "
                "the image."
            ),
        ),
        log=texts(
            r"/opt/dtk\S*/bin/\S+: (?:not found|No such file or directory)",
            r"No such file or directory: '/opt/dtk[^']*/(?:llvm|bin|hip)/",
        ),
        source=texts(
            (
                r"(?:[Hh]ip|HIP|[Rr]ocm|ROCM|[Dd]tk"
                r"|DTK).*split\(.* → AttributeError: 'NoneType' object has no attribute 'split'"
            ),
        ),
    ),
    Rule(
        id="kernels-missing",
        title="vLLM's compiled kernels are missing or incomplete",
        why=(
            "Its extension module failed to load at the start, with a warning only, or was built without what is "
            "needed."
        ),
        advice=(
            (
                "Look for the line Failed to import from vllm._C in the log: it names the library that is missing, "
                "or the symbol that does not fit."
            ),
            "Use an image whose vLLM was built for this kind of machine; check container.image.",
        ),
        log=texts(
            r"Tried to instantiate class '_\w*C\.|cannot import name '_vllm_\w*_C",
            r"'_OpNamespace' '(?:_\w+|vllm\w*)' object has no attribute",
            (
                r"(?:ModuleNotFound|Import)Error: No module named 'vllm\.[\w.]*_\w*C'"
                r"|cannot import name '\w+' from 'vllm\.(?:vllm_flash_attn|_\w*C)\b"
                r"|cannot import name '_\w*C' from 'vllm"
            ),
            r"\b_\w*C\w*::\w+\(\) (?:expected|is missing|got an) ",
            r"Could not run '(?:_\w*C\w*|vllm)::\w+' with arguments from the '\w+' backend",
        ),
    ),
    Rule(
        id="torch-without-accelerator",
        title="the image's torch was built without support for this accelerator",
        why=(
            "The torch in the image is one for CPUs, or for another vendor; most often a package replaced the "
            "image's own."
        ),
        advice=(
            "Use an image for this accelerator in container.image, without packages added to it.",
            "See what it has: docker run --rm IMAGE python3 -c 'import torch; print(torch.__version__)'",
        ),
        log=texts(
            r"AssertionError: Torch not compiled with (?:CUDA|XPU) enabled",
        ),
        strength=Strength.SYMPTOM,
        needs_accelerator=True,
    ),
)

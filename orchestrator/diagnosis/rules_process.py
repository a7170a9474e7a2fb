"""Causes in processes: libraries, instructions, signals, permissions, and the death of the engine's own processes."""

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
            r"(?:ImportError|OSError): (?P<library>lib\S+\.so[\w.]*): cannot open shared object file",
            r"error while loading shared libraries: (?P<library>[^:\s]+)",
            (
                r"(?:ImportError|OSError): (?P<library>\S+\.so[\w.]*): (?:cannot open shared object file"
                r"|undefined symbol)"
            ),
            (
                r"(?:ImportError|OSError): .*(?P<library>lib[\w+-]+\.so[\w.]*).*(?:version `\S+' not found"
                r"|undefined symbol|cannot open)"
            ),
            r"symbol lookup error: (?P<library>[^:\s]+)",
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
            "Use an image whose vLLM was built for this kind of machine.",
        ),
        log=texts(
            r"AttributeError: '_OpNamespace' '_\w+' object has no attribute",
            r"No module named 'vllm\._\w*C'",
        ),
    ),
    Rule(
        id="compiler-missing",
        title="the image has no compiler, and vLLM wants to compile something",
        why="torch.compile and Triton translate kernels on the machine and call a C or C++ compiler for that.",
        advice=(
            "Use an image with g++ (or set CXX in server.env to one that is there).",
            "Let it compile less: server.flags.enforce-eager: true; TORCHDYNAMO_DISABLE: 1 in server.env.",
        ),
        log=texts(
            r"InvalidCxxCompiler|No working C\+\+ compiler found",
            (
                r"Failed to find C compiler|Could not find nvcc|ninja: not found"
                r"|Ninja is required to load C\+\+ extensions"
            ),
            r"(?:^|[\s/:])(?:nvcc|hipcc|clang|gcc|cc|[cg]\+\+|clang\+\+): (?:command )?not found$",
        ),
    ),
    Rule(
        id="illegal-instruction",
        title="the image's code uses instructions that this CPU does not have",
        why="It was compiled for a newer CPU (AVX-512, for instance).",
        advice=(
            "Use an image for this CPU; see its features: lscpu",
            (
                "On a CPU-only vLLM: the distribution vllm must have a version with cpu in it, else the wrong "
                "kernels are loaded."
            ),
        ),
        log=texts(
            r"(?:^|: |\d )Illegal instruction\b",
            r"Failed core proc\(s\): \{.*: -4\b|\(exit code:? -4\)|exit code: -4\b",
        ),
        exit_codes=(132,),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="segmentation-fault",
        title="a process crashed (segmentation fault)",
        why="Compiled code went wrong: libraries that do not fit together, a defect in a kernel, or a bad device.",
        advice=(
            "Read the lines before it in the log; Fatal Python error shows where each thread was.",
            "Use the image unchanged, without packages added to it; try server.flags.enforce-eager: true.",
        ),
        log=texts(
            r"(?:^|: |\d )Segmentation fault\b|Segfault encountered|SIGSEGV",
            r"Failed core proc\(s\): \{.*: -11\b|\(exit code:? -11\)|exit code: -11\b",
        ),
        exit_codes=(139,),
    ),
    Rule(
        id="numa-blocked",
        title="the container may not bind memory to NUMA nodes",
        why=(
            "Docker's default seccomp profile refuses set_mempolicy, get_mempolicy and mbind without the "
            "capability SYS_NICE."
        ),
        advice=(
            "Add SYS_NICE to container.cap_add.",
            (
                "Or leave the binding out: VLLM_NUMA_BIND in server.env, server.flags.numa-bind, numactl in "
                "server.command."
            ),
        ),
        log=texts(
            r"This system does not support NUMA policy",
            (
                r"(?:set_mempolicy|get_mempolicy|mbind|setting membind|setting interleave mask"
                r"|set_mempolicy_home_node|migrate_pages)\S*: Operation not permitted"
            ),
            r"numa\w*.*Operation not permitted",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="numa-node-missing",
        title="a NUMA node or CPU that a process is to be bound to does not exist",
        why="The container may use other nodes and CPUs than the binding names.",
        advice=(
            (
                "Correct the node numbers: VLLM_RANKn_NUMA and VLLM_CPU_OMP_THREADS_BIND in server.env, numactl in "
                "server.command."
            ),
            "Check container.cpuset_cpus and container.cpuset_mems; see: numactl -H",
        ),
        log=texts(
            r"libnuma: Warning: (?:node|cpu) argument \S+ is out of range",
            r"^<\d+> is invalid$",
            r"(?:sched_setaffinity|set_mempolicy|mbind)\S*: Invalid argument",
        ),
    ),
    Rule(
        id="permission-denied",
        title="the server's user may not read or write something",
        why="A file or folder belongs to somebody else, or is mounted read-only.",
        advice=(
            "Check who may read {path} on the node, and container.user.",
            (
                "A cache needs to be written: mount a folder on /root/.cache, or set HF_HOME and VLLM_CACHE_ROOT "
                "in server.env."
            ),
        ),
        log=texts(
            r"PermissionError: \[Errno 13\] Permission denied: '(?P<path>[^']*)'",
            r"\[Errno 30\] Read-only file system: '(?P<path>[^']*)'",
            r"PermissionError: |\[Errno 30\] Read-only file system|No usable temporary directory found",
        ),
    ),
    Rule(
        id="owner-gone",
        title="orch's supervisor stopped the server",
        why="The orch that owned it is gone, or its time to live was over.",
        advice=(
            (
                "Start it again; a deployment that is to outlive its command: orch up, without a --ttl that is too "
                "short."
            ),
        ),
        log=texts(r"orch: the server's (?:owner is gone|time is up), stopping it"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="killed-from-outside",
        title="a process of the server was killed (SIGKILL)",
        why=(
            "Somebody ended it by force: docker kill, a process manager, or the kernel when the node ran out of memory."
        ),
        advice=(
            "See whether it was for memory: dmesg | grep -i -E 'oom|killed process' on the node.",
            "If so, free memory on the node or raise container.memory.",
        ),
        log=texts(r"Failed core proc\(s\): \{.*: -9\b|died unexpectedly \(exit code:? -9\)|died, exit code: -9\b"),
        exit_codes=(137,),
    ),
    Rule(
        id="ended-from-outside",
        title="the server was asked to end (SIGTERM)",
        why="Somebody stopped the container or the process: docker stop, a process manager, a shutdown of the node.",
        advice=("See who: docker events --since 1h, and the node's own log.",),
        strength=Strength.SYMPTOM,
        quiet=texts(r"\[shutdown\] API server: shutdown triggered|Shutting down FastAPI HTTP server"),
        exit_codes=(143, 130),
        served_exit_codes=(0,),
    ),
    Rule(
        id="aborted",
        title="a process ended itself after an error in compiled code (abort)",
        why="A library found something that it cannot go on with; the line before says what.",
        advice=(
            "Read the lines before it in the log.",
            "Set NCCL_DEBUG: INFO in server.env if it happened between devices.",
        ),
        log=texts(
            (
                r"(?:^|: |\d )Aborted\b|terminate called (?:after throwing|without)"
                r"|Failed core proc\(s\): \{.*: -6\b|exit code: -6\b"
            ),
        ),
        exit_codes=(134,),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="engine-died",
        title="a process of vLLM's engine died",
        why=(
            "The API server found its engine core or a worker gone. vLLM then ends with exit code 0, so the code "
            "says nothing."
        ),
        advice=(
            "Read the log from the first line of the engine core's or the worker's trouble.",
            (
                "A process that vanishes without a word was most often killed for memory: dmesg | grep -i oom on "
                "the node."
            ),
        ),
        log=texts(
            (
                r"EngineDeadError|AsyncEngineDeadError|EngineCore encountered (?:an issue|a fatal error)"
                r"|EngineCore.* died unexpectedly"
            ),
            r"Engine process \(pid \d+\) died|Engine loop has died",
            r"Worker proc \S+ died unexpectedly|Worker VllmWorkerProcess pid \d+ died",
            (
                r"[Ee]ngine (?:process|loop) (?:is not running|has died|died)|MQLLMEngine is already dead"
                r"|Engine process failed to start"
            ),
            r"Engine core initialization failed",
        ),
        strength=Strength.SYMPTOM,
    ),
)

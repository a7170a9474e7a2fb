"""Causes in compiling: vLLM, torch and Triton make kernels on the machine when the server starts."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="compiler-missing",
        title="the image has no compiler, and vLLM wants to compile something",
        why="torch.compile, Triton and FlashInfer make kernels on the machine and call a compiler for that.",
        advice=(
            "Use an image with a compiler (g++, for CUDA kernels nvcc and ninja), or set CXX in server.env to one.",
            "Let it compile less: server.flags.enforce-eager: true; TORCHDYNAMO_DISABLE: 1 in server.env.",
            (
                "If it is FlashInfer that compiles: VLLM_USE_FLASHINFER_SAMPLER: 0 in server.env, or another "
                "attention backend."
            ),
        ),
        log=texts(
            r"nvcc compiler not found|Cannot find CUDA_HOME|Cannot find `?(?:ptxas|nvcc|hipcc|ld\.lld)\b",
            (
                r"No such file or directory: '(?!/opt/dtk)(?:[^']*/)?(?:[\w-]+-linux-gnu-(?:gcc|g\+\+)|ld\.lld"
                r"|cmake|ptxas|make)'"
            ),
            r"InvalidCxxCompiler|No working C\+\+ compiler found",
            (
                r"Failed to find C compiler|Could not find nvcc|ninja: not found"
                r"|Ninja is required to load C\+\+ extensions"
            ),
            (
                r"(?:sh: |line )\d+: (?!/opt/dtk)(?:\S*/)?(?:nvcc|hipcc|clang(?:\+\+)?|gcc|g\+\+|c\+\+|cc"
                r"|ninja): (?:command )?not found"
            ),
            (
                r"No such file or directory: '(?!/opt/dtk)(?:[^']*/)?(?:nvcc|hipcc|clang(?:\+\+)?|gcc|g\+\+|c\+\+"
                r"|cc|ninja)'"
            ),
            r"CUDA_HOME environment variable is not set",
        ),
    ),
    Rule(
        id="headers-missing",
        title="a header file for the compiler is missing: {header}",
        why="Kernels are compiled on the machine; the compiler is there, but not all that it includes.",
        advice=(
            "Use an image that has it (Python.h: package python3-dev; cuda_runtime.h, cublas: the CUDA toolkit).",
            "If the toolkit is there, set CUDA_HOME or ROCM_PATH to it in server.env.",
            "Or let it compile less: server.flags.enforce-eager: true.",
        ),
        log=texts(
            r"fatal error: '?(?P<header>[\w/.+-]+\.(?:h|hpp|cuh))'?(?:: No such file or directory| file not found)",
            r"catastrophic error: cannot open source file \"(?P<header>[^\"]+)\"",
        ),
    ),
    Rule(
        id="toolkit-too-old",
        title="the image's compiler does not know this accelerator",
        why="nvcc or ptxas of the image is older than the device and cannot make code for {arch}.",
        advice=(
            "Use an image with a newer CUDA toolkit.",
            (
                "If a newer toolkit is in the image: CUDA_HOME in server.env, and TRITON_PTXAS_PATH: its bin/ptxas, "
                "since Triton brings a ptxas of its own."
            ),
        ),
        log=texts(
            r"SM \d+\.\w+ requires CUDA >= ",
            r"nvcc fatal +: Unsupported gpu architecture '(?P<arch>\w+)'",
            r"ptxas fatal +: Value '(?P<arch>\w+)' is not defined for option 'gpu-name'",
            r"error: (?:unknown|invalid) (?:target ID|gpu arch\w*) '(?P<arch>[\w:+-]+)'",
            r"No supported CUDA architectures found for major versions",
        ),
    ),
    Rule(
        id="jit-build-failed",
        title="a kernel could not be compiled on the machine",
        why="The compiler was called and failed; its own words, after FAILED: or error: in the log, say on what.",
        advice=(
            "Check the image's toolkit, and that CUDA_HOME or ROCM_PATH in server.env is the one that torch wants.",
            "Compile less: server.flags.enforce-eager: true; for FlashInfer choose another attention backend.",
            "Remove what an earlier attempt left in the caches that container.mounts brings in.",
        ),
        log=texts(
            (
                r"Ninja build failed|Error building extension '(?P<name>[^']+)'|FAILED: (?:\[code=\d+\] )?\S+\.(?:o"
                r"|so)\b"
            ),
            r"CalledProcessError: Command '\[?'?(?:\S*/)?(?:ninja|nvcc|gcc|g\+\+|c\+\+|clang|hipcc|cc)\b",
            r"nvcc fatal +: |NVCC compilation failed|NVRTC compilation failed|ptxas fatal +: |PTXASError",
            r"hipErrorCompilation|HIPRTC_ERROR_COMPILATION|NVRTC_ERROR_COMPILATION",
            r"Error: Failed to (?:compile|build) \S+",
            r"\.(?:cu|cuh|cpp|cc|c|h|hip)[(:]\d+\S* (?:fatal )?error: |error: ld returned|cannot find -l\w+",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="compiling-failed",
        title="torch.compile or Triton could not make a kernel of the model's code",
        why=(
            "The model's code was translated on the machine and that failed, in the compiler itself or by what it "
            "called."
        ),
        advice=(
            "Do without: server.flags.enforce-eager: true.",
            (
                "If it worked before, remove the caches in container.mounts, or VLLM_DISABLE_COMPILE_CACHE: 1 in "
                "server.env."
            ),
            "Use an image whose torch and Triton fit its vLLM: unchanged, without packages added.",
        ),
        log=texts(
            (
                r"ConstraintViolationError|GuardOnDataDependentSymNode|DynamicOutputShapeException"
                r"|DataDependentOutputException|MosaicError"
            ),
            (
                r"Mosaic failed to compile|neuronx-cc\S* (?:failed|terminated)"
                r"|UserError: Could not guard on data-dependent"
            ),
            r"InductorError\b|BackendCompilerFailed|LoweringException|CompilationError\b|CppCompileError",
            r"LLVM ERROR: |PassManager::run failed|error: Failures have been detected while ",
            r"torch\._dynamo\.exc\.\w+: ",
            r"[Gg]raph compile failed\. synStatus|expected size \d+==\d+, stride \d+==\d+ at dim",
            r"The compiled artifact is not serializable|aot_compile is not supported by the current",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="kernel-too-large",
        title="a kernel wants more shared memory or registers than the device has",
        why=(
            "Its block sizes were chosen for another device; the shared memory is that on the chip and has "
            "nothing to "
            "do with /dev/shm."
        ),
        advice=(
            "Take another kernel: another attention backend, or leave out kernel switches in server.env.",
            "Use an image whose vLLM has settings for this device, or a model quantized in another way.",
            "If it came while compiling: server.flags.enforce-eager: true.",
        ),
        log=texts(
            r"OutOfResources: out of resource: (?P<what>[\w ]+)",
            r"\bOutOfResources: ",
            r"Failed to set the allowed dynamic shared memory size|too many resources requested for launch",
        ),
    ),
    Rule(
        id="compile-cache-broken",
        title="a cache of compiled kernels is damaged or of another version",
        why=(
            "vLLM, torch and Triton keep compiled kernels in folders; a server that was cut off, or another "
            "version, left parts."
        ),
        advice=(
            (
                "Remove the caches (torch_compile_cache, .triton, torchinductor, torch_extensions) in what "
                "container.mounts brings in."
            ),
            "Or give each image its own: VLLM_CACHE_ROOT and TRITON_CACHE_DIR in server.env.",
            "Once without the cache: VLLM_DISABLE_COMPILE_CACHE: 1 in server.env.",
        ),
        log=texts(
            r"Bytes object is corrupted, checksum does not match|leading to a corrupted compilation artifact",
            r"(?:FileNotFound|JSONDecode|Unpickling|EOF)Error.*torch_compile_cache|FileNotFoundError.*torchinductor_",
            r"(?:FileNotFound|JSONDecode|Unpickling|EOF)Error.*\.triton/",
            r"/torchinductor_\S+: file too short|/\.triton/cache/\S+: file too short",
            r"torch_extensions/\S+\.so: (?:cannot open shared object file|file too short|undefined symbol)",
            r"Source code has changed since the last compilation|FlashInfer autotune cache is incompatible",
            r"Inductor cache lookup failed",
        ),
        raised=texts(
            r"/triton/runtime/cache\.py → (?:\w+\.)*(?:JSONDecode|FileNotFound|EOF)Error",
            (
                r"/_?(?:inductor|dynamo|functorch)/\S*(?:cache|precompile)\S* → (?:\w+\.)*(?:EOF|Unpickling"
                r"|JSONDecode|FileNotFound)Error"
            ),
        ),
    ),
    Rule(
        id="deep-gemm-failed",
        title="DeepGEMM, the library of FP8 kernels, cannot be used here",
        why="It is not in the image, is older than this vLLM wants, or has no kernel for this accelerator.",
        advice=(
            "Do without it: VLLM_USE_DEEP_GEMM: 0 in server.env.",
            "If only its warm-up fails: VLLM_DEEP_GEMM_WARMUP: skip in server.env.",
            "Use the image that vLLM publishes for this accelerator, unchanged.",
        ),
        log=texts(
            r"Assertion error \(\S*deep_gemm\S*:\d+\): ",
            r"DeepGEMM (?:backend )?is (?:not available|unavailable)",
            r"Assertion error \(\S*[Dd]eep_?(?:gemm|GEMM)\S*:\d+\): (?:Unknown|Unsupported|Invalid) ",
            r"requires DeepGEMM (?:to be installed|support)|requires a (?:usable )?DeepGEMM (?:installation|build)",
        ),
    ),
    Rule(
        id="graph-capture-failed",
        title="the kernels of a step could not be recorded as a graph",
        why=(
            "While a graph is recorded nothing may wait for the device or allocate; a kernel, a library or a plugin "
            "did."
        ),
        advice=(
            "Do without graphs: server.flags.enforce-eager: true.",
            "Leave out what was added: kernel switches in server.env, another attention backend, plugins, speculation.",
            "If memory is short too, lower server.flags.gpu-memory-utilization or server.flags.max-num-seqs.",
        ),
        log=texts(
            r"operation not permitted when stream is capturing|operation failed due to a previous error during capture",
            r"(?:cuda|hip)ErrorStreamCapture\w+|operation would make the legacy stream depend on a capturing",
        ),
        needs_accelerator=True,
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="graph-mode-refused",
        title="graphs (cudagraph) of the kind that is asked for do not go with the other settings",
        why="Which kinds of graphs there can be depends on the attention backend, on what is compiled and on sizes.",
        advice=(
            "Remove cudagraph_mode, cudagraph_capture_sizes and compile_sizes from server.flags.compilation-config.",
            "Or do without graphs: server.flags.enforce-eager: true.",
        ),
        log=texts(
            r"CUDAGraphMode\.\w+ is not supported with",
            r"Full CUDAGraph not supported for|Invalid value for cuda_graph_sizes",
            r"(?:should be|with) Compilation\w+\.\w+ when cudagraph_mode|piecewise CUDA graphs \(cudagraph_mode=",
            r"compile_sizes contains \d+ which|Maximum cudagraph size should be|cudagraph_capture_sizes (?:should|not)",
            r"[Mm]amba with cuda graph is not supported",
            r"Invalid encoder cudagraph budget|[Ee]ncoder (?:CUDA graph|cudagraph) c",
            r"MRV2 .*CUDA graphs|PCP FULL graphs require|size type in compile_sizes|Invalid compile range",
            r"encoder_cudagraph_max_\w+ \(|Invalid minimum budget \S+ for encoder|dual-path encoder CUDA graphs",
        ),
    ),
)

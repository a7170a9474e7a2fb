"""Causes in memory: of the accelerator, of the node, of /dev/shm, of the disk."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="accelerator-occupied",
        title="somebody else holds memory of the accelerator",
        why=(
            "At the start less memory is free than gpu-memory-utilization asks for, so another process or "
            "container uses the device."
        ),
        advice=(
            "See who: hy-smi or rocm-smi --showpids, or nvidia-smi; and orch ps for deployments of orch.",
            (
                (
                    "End it, choose other devices (HIP_VISIBLE_DEVICES in server.env), or lower "
                    "server.flags.gpu-memory-utilization below free over total: {free} of {total} GiB."
                ),
                (
                    "End it, choose other devices (HIP_VISIBLE_DEVICES in server.env), or lower "
                    "server.flags.gpu-memory-utilization."
                ),
            ),
        ),
        log=texts(
            (
                r"(?:Free|Available) memory on (?:device"
                r"|node)(?: \S+)? \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than"
            ),
            r"(?:Free|Available) memory on (?:device|node)\b.* on startup is less than",
            r"Error in memory profiling\. Initial free memory",
            r"Externally held weights on device .* exceed the desired GPU memory",
        ),
        versions="0.8.5: only when it changes while memory is measured; 0.9 and later: always",
    ),
    Rule(
        id="kv-cache-too-small",
        title="the KV cache is too small for max-model-len",
        why="What the weights leave of the memory does not hold one request of the greatest length.",
        advice=(
            (
                "Set server.flags.max-model-len to {estimate} or less.",
                "Lower server.flags.max-model-len.",
            ),
            (
                "Raise server.flags.gpu-memory-utilization, or server.flags.tensor-parallel-size if devices are "
                "left; server.flags.kv-cache-dtype: fp8 halves the need where it is supported."
            ),
            "On a CPU the size is VLLM_CPU_KVCACHE_SPACE, in GiB, in server.env.",
        ),
        log=texts(
            (
                r"To serve at least one request with the models?'s? max seq len \((?P<length>\d+)\).*estimated "
                r"maximum model length is (?P<estimate>\d+)"
            ),
            r"To serve at least one request with the model",
            (
                r"The model's max seq len \((?P<length>\d+)\) is larger than the maximum number of tokens that can "
                r"be stored in KV cache \((?P<estimate>\d+)\)"
            ),
            r"is larger than the maximum number of tokens that can be stored in KV cache",
        ),
    ),
    Rule(
        id="no-memory-for-kv-cache",
        title="nothing is left for the KV cache",
        why="Weights and working memory take all that gpu-memory-utilization allows.",
        advice=(
            "Raise server.flags.gpu-memory-utilization.",
            (
                "Spread the model over more devices (server.flags.tensor-parallel-size), or use a smaller or "
                "quantized one."
            ),
            "Lower server.flags.max-num-seqs or server.flags.max-num-batched-tokens: both take working memory.",
        ),
        log=texts(r"No available memory for the cache blocks|not enough GPU memory available to serve even a single"),
    ),
    Rule(
        id="out-of-device-memory",
        title="the accelerator ran out of memory",
        why="Weights, working memory and KV cache together do not fit, or another process uses the device too.",
        advice=(
            (
                "Lower server.flags.gpu-memory-utilization (working memory lies beside it), "
                "server.flags.max-num-seqs or server.flags.max-num-batched-tokens."
            ),
            "Spread the model over more devices (server.flags.tensor-parallel-size), or use a quantized one.",
            "See whether somebody else uses the device: hy-smi, rocm-smi or nvidia-smi.",
        ),
        log=texts(
            r"Error: (?!Ran )[A-Z]\w{2,7} out of memory\b|\[DEVMEM\] Allocation failed",
            r"PT_DEVMEM Allocation failed|NRT_RESOURCE: ",
            r"(?:Runtime|Accelerator)Error: \w{2,8} (?:driver |runtime )?[Ee]rror: (?:\(\w+\) )?out of memory",
            r"(?:CUDA|HIP|NPU|XPU) out of memory\b",
            r"(?<!ray\.exceptions\.)\bOutOfMemoryError\b",
            r"hipErrorOutOfMemory|cudaErrorMemoryAllocation|HIP error: out of memory|CUDA error: out of memory",
            r"GetDeviceCount.*Error 2: out of memory",
            r"HSA_STATUS_ERROR_OUT_OF_RESOURCES|UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY|nrt_tensor_allocate status=4",
            r"(?:Cuda|HIP) failure (?:\d+ )?'out of memory'|Triton Error \[\w+\]: out of memory|in memory space hbm",
            r"(?:Jax|Xla)RuntimeError: RESOURCE_EXHAUSTED|RESOURCE_EXHAUSTED: .*(?:memory|alloc|\b[hv]bm|HBM)",
            r"NVML_SUCCESS == r INTERNAL ASSERT FAILED at .*CachingAllocator",
        ),
    ),
    Rule(
        id="out-of-node-memory",
        title="the node, or the container's limit, has too little memory",
        why="An allocation in ordinary memory was refused.",
        advice=(
            "Free memory on the node, or raise container.memory.",
            "On a CPU, lower VLLM_CPU_KVCACHE_SPACE (GiB) in server.env.",
        ),
        log=texts(
            r"_ArrayMemoryError: |MemoryError: Unable to allocate|unable to mmap \d+ bytes from file .*Cannot allocate",
            r"memory on node \d+ \(\S+ GiB\) on kv cache allocation is less than requested memory for kv",
            r"due to the node running low on memory|exceeds the memory usage threshold of",
            r"DefaultCPUAllocator: can't allocate memory|DefaultCPUAllocator: not enough memory",
            r"(?:^|: )MemoryError\b|std::bad_alloc|(?<!failed with error )Cannot allocate memory",
        ),
    ),
    Rule(
        id="killed-for-memory",
        title="the kernel killed it for memory",
        why="The container reached its limit, or the node ran out of memory, most often while weights were read.",
        advice=(
            "Raise container.memory, or remove it.",
            "Free memory on the node: free -g, and dmesg | grep -i oom names who was killed.",
            "On a CPU, lower VLLM_CPU_KVCACHE_SPACE (GiB) in server.env.",
        ),
        is_oom=True,
    ),
    Rule(
        id="shm-too-small",
        title="shared memory (/dev/shm) is too small",
        why=(
            "The processes of a server talk through shared memory; a container has 64 MiB of it unless told otherwise."
        ),
        advice=(
            (
                "Set container.shm_size: {needed} MiB are needed and {free} free; 16g is plenty.",
                "Set container.shm_size, such as 16g.",
            ),
            (
                "With container.ipc: host the node's /dev/shm counts and container.shm_size does not: df -h "
                "/dev/shm, and remove what crashed servers left there."
            ),
        ),
        log=texts(
            r"No space left on device: '/(?:psm_|torch_|sem\.|nccl-)",
            r"object store size .* exceeds /dev/shm",
            r"No space left on device.*/dev/shm|/dev/shm\S* .*No space left on device",
            (
                r"NCCL WARN .*(?:shared memory segment|posix_fallocate|shmOpen"
                r"|failed to extend).*(?:No space left on device|size \d+\)$)"
            ),
            r"[NR]CCL WARN .*failed to extend /dev/shm/\S+ to \d+ bytes",
            r"unable to (?:write to|open|resize|mmap \d+ bytes from) file </?torch_\S+>: No space left on device",
            r"Insufficient space in /dev/shm .*: (?P<needed>\d+) MiB required, (?P<free>\d+) MiB free",
            r"unexpected bus error encountered in worker|insufficient shared memory \(shm\)",
            r"(?:^|: |\d )Bus error\b",
        ),
        exit_codes=(135,),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="disk-full",
        title="a disk is full",
        why="Something was to be written and there was no room: a cache, a compiled kernel, a log.",
        advice=(
            "See which: df -h on the node, and docker system df.",
            "Mount a roomier folder for the caches with container.mounts, such as on /root/.cache.",
        ),
        log=texts(r"\[Errno 28\] No space left on device|No space left on device|Disk quota exceeded"),
        engine=texts(r"no space left on device"),
    ),
    Rule(
        id="swap-space-too-large",
        title="swap-space is larger than the node's memory allows",
        why="swap-space is taken from the node's memory once for each device.",
        advice=("Set server.flags.swap-space to a smaller number of GiB, such as 1, or 0.",),
        log=texts(r"Too large swap space\. "),
        versions="up to 0.10",
    ),
    Rule(
        id="state-cache-too-small",
        title="the memory holds fewer states than max-num-seqs asks for",
        why="Models with Mamba or linear attention keep one state for each running request, beside the KV cache.",
        advice=(
            (
                "Set server.flags.max-num-seqs to {blocks} or less.",
                "Lower server.flags.max-num-seqs.",
            ),
            "Or raise server.flags.gpu-memory-utilization.",
        ),
        log=texts(r"exceeds available Mamba cache blocks \((?P<blocks>\d+)\)", r"exceeds available Mamba cache"),
    ),
    Rule(
        id="memory-share-invalid",
        title="gpu-memory-utilization is no share of the memory",
        why="It is a share between 0 and 1, not a percentage and not GiB.",
        advice=("Set server.flags.gpu-memory-utilization to a number such as 0.9.",),
        log=texts(r"GPU memory utilization must be less than 1\.0"),
    ),
    Rule(
        id="memory-not-pinned",
        title="the node's memory cannot be locked for the accelerator to read it directly",
        why="Offloading and some kernels need pinned memory (UVA), which WSL and some platforms do not have.",
        advice=(
            "Remove server.flags.cpu-offload-gb, and what else offloads, from server.flags.",
            "Set VLLM_USE_V2_MODEL_RUNNER: 0 in server.env if it is the new model runner that wants it.",
        ),
        log=texts(
            r"Error: .*cudaHostRegister failed|failed to cudaHostAlloc|CUDA_ERROR_HOST_MEMORY",
            r"Error: UVA is not available|[Pp]in(?:ned)? memory is not available",
            r"get_accelerator_view_from_cpu_tensor` is",
            r"requires uva \(pin memory\) support|CPU tensor must be pinned",
        ),
    ),
)

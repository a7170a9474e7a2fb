"""Causes in several devices: how the model is shared among them, and how they talk to each other."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="heads-not-divisible",
        title="the model's attention heads cannot be shared among that many devices",
        why="tensor-parallel-size must divide the number of attention heads.",
        advice=(
            (
                "Set server.flags.tensor-parallel-size to a divisor of {heads}.",
                "Set server.flags.tensor-parallel-size to 1, 2, 4 or 8.",
            ),
        ),
        log=texts(
            (
                r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
                r"\((?P<size>\d+)\)"
            ),
            r"heads\D* must be divisible by (?:the )?tensor(?:_| )(?:model_)?parallel(?:_| )size",
        ),
        source=texts(
            r"heads % \S*(?:tp_|tensor_|world_)\w*(?:\(\))? == 0.* → AssertionError",
            r"(?:tp_\w+|world_size) % \S*heads == 0.* → AssertionError",
        ),
    ),
    Rule(
        id="sizes-not-divisible",
        title="a size of the model ({size}) cannot be shared among {count} devices",
        why=(
            "tensor-parallel-size must divide the sizes of the model's layers and of its vocabulary, not only its "
            "heads."
        ),
        advice=(
            "Set server.flags.tensor-parallel-size to a divisor of {size}, such as 1, 2, 4 or 8.",
            "Use more devices through server.flags.pipeline-parallel-size, or several servers.",
        ),
        log=texts(
            r"(?:AssertionError|ValueError): (?P<size>\d+) is not divisible by (?P<count>\d+)\.?$",
            (
                r"(?:hidden|intermediate|vocab)\w*[ _]size \(?(?P<size>\d+)\)? (?:is not"
                r"|must be) divisible by .*?(?P<count>\d+)"
            ),
        ),
        source=texts(
            r"(?:size|sizes|dim|features|channels)\)? % \S*(?:tp_|tensor_|world_)\w*(?:\(\))? == 0.* → AssertionError",
        ),
    ),
    Rule(
        id="pipeline-unsupported",
        title="the model or this vLLM cannot be split into pipeline stages like that",
        why="pipeline-parallel-size needs a model whose layers can lie on different devices.",
        advice=(
            (
                "Set server.flags.pipeline-parallel-size to 1 and server.flags.tensor-parallel-size to the "
                "devices' number."
            ),
        ),
        log=texts(
            r"Pipeline parallelism is not supported for this model",
            r"(?:Error: |Value error, ).*[Pp]ipeline parallel\w* (?:is )?(?:only|not) (?:yet )?supported",
            r"Error: Invalid partition string",
            r"len\(partitions\)=\d+ does not match pp_size",
            r"sum\(partitions\)=\d+ does not match",
            r"does not support pipeline parallel yet",
            r"Error: PP is not supported for this model|MRV2 PCP does not support PP",
        ),
        source=texts(
            r"assert supports_pp\(.* → AssertionError",
            r"get_pp_group\(\)\.world_size == 1.* → AssertionError",
        ),
    ),
    Rule(
        id="expert-parallel-refused",
        title="the experts cannot be shared among the devices like that",
        why="enable-expert-parallel needs a model with experts, and numbers that fit the devices.",
        advice=(
            (
                "Remove server.flags.enable-expert-parallel, or correct server.flags.tensor-parallel-size and "
                "server.flags.data-parallel-size."
            ),
        ),
        log=texts(
            r"\bn(?:um)?_\w*experts\S* must be divisible by|must be divisible by ep_size",
            r"Number of experts in the model must be greater than 0 when expert parallelism is enabled",
            r"(?:Error: |Value error, ).*[Ee]xpert parallel\w* (?:is )?(?:only|not) (?:yet )?supported",
            r"EPLB (?:is not|is only|currently only) support|Redundant experts are only supported with EPLB",
            r"Error: Unknown all2all backend|only supports all2all_backend=|Unsupported expert placement strategy",
            r"DeepEPv2 (?:requires NCCL GIN|communicator properties)|Unknown expert placement strategy",
            r"Elastic EP is not (?:yet )?supported|unsupported MoRI all2all backend|not expert-major",
        ),
        source=texts(
            r"experts % \S*(?:ep_|world_)size == 0.* → AssertionError",
        ),
        raised_in=(
            "/distributed/eplb/",
            "/elastic_ep/",
        ),
    ),
    Rule(
        id="collective-library",
        title="the devices cannot talk to each other (RCCL/NCCL)",
        why=(
            "The library that joins the devices of a tensor-parallel server failed: /dev/shm, peer access, network "
            "interface, or a device in a bad state."
        ),
        advice=(
            "Set NCCL_DEBUG: INFO in server.env and start again: the lines before the error then name the step.",
            (
                "Give it shared memory (container.shm_size: 16g, or container.ipc: host) and unlimited locked "
                "memory (container.ulimits: {memlock: -1})."
            ),
            (
                "Try NCCL_P2P_DISABLE: 1, or the right NCCL_SOCKET_IFNAME, in server.env; check the links with "
                "hy-smi, rocm-smi --showtopo or nvidia-smi topo -m."
            ),
        ),
        log=texts(
            (
                r"[HMCXR]?CCL error in: |(?:MCCL|CNCL|ECCL|XCCL) error|Error: oneCCL: |ccl::exception"
                r"|\bhcclComm\w+ failed"
            ),
            r"Detected mismatch between collectives on ranks|failed to pass monitoredBarrier",
            r"[NR]CCL [Ee]rror(?: \d+|:| in)|\bDistBackendError\b",
            r"nccl(?:UnhandledCudaError|SystemError|InvalidUsage|InternalError|RemoteError|InvalidArgument)\b",
            r"Watchdog caught collective operation timeout",
            r"hccl api failed|Hccl\w+ failed|HCCL function error",
            r"initialize the HCCP process|Transport init error|Getting socket times out",
            r"librccl\S* .*failed|Failed to load NCCL library",
            r"NCCL version \S+ or higher is required",
            r"Symmetric memory requires pynccl",
            r"Fallback Gloo backend is not available",
            r"failed to load the NCCL library|NCCL only supports CUDA and ROCm",
            r"Fault detected in EP all2all communication",
        ),
        raised_in=("/distributed/device_communicators/",),
    ),
    Rule(
        id="peer-access",
        title="the devices cannot read each other's memory",
        why=(
            "The custom all-reduce and NCCL's direct way need access from device to device, which the mainboard, the "
            "IOMMU, the virtual machine or the allocator's settings do not give here."
        ),
        advice=(
            "Set server.flags.disable-custom-all-reduce to true.",
            "If NCCL fails next: NCCL_P2P_DISABLE: 1 in server.env.",
            "If it is symmetric memory or multicast: VLLM_ALLREDUCE_USE_SYMM_MEM: 0 in server.env.",
            "Take expandable_segments out of PYTORCH_CUDA_ALLOC_CONF in server.env; check nvidia-smi topo -p2p r.",
        ),
        log=texts(
            r"custom_all_reduce\.(?:cuh|cu|hip|hpp):\d+",
            r"peer access is not supported between|ErrorPeerAccess\w+|ErrorTooManyPeers",
            r"NCCL WARN .*(?:P2P|p2p).*(?:failed|not supported|Cuda failure)",
            r"Device does not support multicasting|Error happened when batch testing peer-to-peer access",
            r"RuntimeError: CUDART error: |MoonEP requires NVSwitch multicast|requires NVLink multicast",
        ),
        source=texts(r"_SymmetricMemory\.\w+\(.* → RuntimeError: CUDA driver error"),
        needs_accelerator=True,
    ),
    Rule(
        id="context-parallel-refused",
        title="the context cannot be shared among the devices like that",
        why=(
            "decode-context-parallel-size and prefill-context-parallel-size need an attention backend that can, and "
            "numbers that fit tensor-parallel-size and the model's KV heads."
        ),
        advice=(
            (
                "Remove server.flags.decode-context-parallel-size, server.flags.prefill-context-parallel-size and "
                "server.flags.dcp-comm-backend."
            ),
            "Or let decode-context-parallel-size divide tensor-parallel-size over the model's number of KV heads.",
        ),
        log=texts(
            r"Error: .*(?:\bdcp_\w|[Dd]ecode[ _]context[ _]parallel|[Pp]refill[ _]context[ _]parallel|\bDCP\b|\bPCP\b)",
            r"Error: .*dcp_(?:world_)?size|Error: .*greater than total num kv heads",
            r"Error: .*\bcp_kv_cache_interleave_size",
        ),
        raised_in=("/pcp_manager.py",),
        strength=Strength.SYMPTOM,
        versions="0.11 and later",
    ),
)

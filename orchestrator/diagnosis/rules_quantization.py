"""Causes in quantization and data types: methods, kernels and numbers that the accelerator does not compute."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="quantization-unknown",
        title="vLLM does not know the quantization method",
        why=(
            "server.flags.quantization, or quant_method in the model's config.json, names a method that this "
            "version does not have."
        ),
        advice=(
            "Correct server.flags.quantization; that line of the log lists the methods that this vLLM has.",
            "Leave server.flags.quantization out: vLLM reads the method from the model.",
        ),
        log=texts(
            r"Unknown quantization method: (?P<method>[\w.-]+)",
            r"Invalid quantization method: (?P<method>[\w.-]+)",
            r"argument --quantization/-q: invalid choice: '?(?P<method>[\w.-]+)",
        ),
    ),
    Rule(
        id="quantization-not-in-checkpoint",
        title="the model is not quantized with the method that is asked for",
        why=(
            "server.flags.quantization wants weights that were quantized beforehand; the model's folder has no "
            "settings of that method."
        ),
        advice=(
            "Leave server.flags.quantization out: vLLM reads the method from the model.",
            (
                "Or give a model that was quantized with {method}.",
                "Or give a model that was quantized with that method.",
            ),
        ),
        log=texts(
            r"Cannot find the config file for (?P<method>[\w.-]+)",
            r"Cannot find any of \[.*\] in the model's quantization config",
            (
                r"Quantization method specified in the model config \((?P<found>[\w.-]+)\) does not match the "
                r"quantization method specified in the `quantization` argument \((?P<method>[\w.-]+)\)"
            ),
            r"does not match the quantization method specified in the `quantization` argument",
        ),
    ),
    Rule(
        id="quantization-unsupported",
        title="the quantization method does not work on this accelerator, with this dtype, or for this model",
        why=(
            "Each method has kernels for some devices and data types only, and some classes of models leave "
            "methods out."
        ),
        advice=(
            "Set server.flags.dtype to one of the supported: {dtypes}",
            (
                (
                    "Use a model quantized in another way, or an image whose vLLM has kernels for it: {method} has "
                    "none here."
                ),
                "Use a model quantized in another way, or an image whose vLLM has kernels for it.",
            ),
        ),
        log=texts(
            r"(?P<method>[\w.-]+) quantization is currently not supported in ",
            r"The quantization method (?P<method>[\w.-]+) is not supported for the current GPU",
            (
                r"is not supported for quantization method (?P<method>[\w.-]+)\. Supported dtypes: "
                r"?(?P<dtypes>\[[^\]]*\])?"
            ),
            r"does not support (?P<method>\w+) quantization yet",
            r"Quantization scheme is not supported for (?:the )?current GPU",
            r"No compressed-tensors compatible scheme was found|Unsupported FusedMoe scheme",
            r"FP8 Fused MoE layers?, (?:only|we require) .*(?:supported|require)",
            r"Sparsity support has been removed from compressed-tensors|lacks _dyn_quant_\* 4bit ops",
            r"BitsAndBytes loader does not support (?P<method>\w+) quant|Prequant BitsAndBytes",
            r"Error: Quantization scheme is not supported for|Unknown ModelOpt quant algo",
            r"float16 is required for (?:MoE compressed|marlin24)",
            r"Missing weight quantization config for layer",
            r"Error: \w+ does not support quantization$",
        ),
        raised_in=("/layers/quantization/", "/vllm/quantization/"),
    ),
    Rule(
        id="quantization-no-kernel",
        title="vLLM has no kernel for layers quantized like this on this accelerator",
        why="Each kernel takes certain bits, group sizes, shapes and devices; none takes all that the model has.",
        advice=(
            "Read the lines after it: they say for each kernel what it lacks.",
            "Where they speak of sizes that are not divisible, lower server.flags.tensor-parallel-size.",
            "Else use a model quantized in another way, or an image whose vLLM has kernels for this device.",
        ),
        log=texts(
            r"Failed to find a kernel that can implement the (?P<kind>\w+) linear layer",
            r"No (?P<kind>\w+) MoE backend supports the deployment configuration",
            r"No compiled \w+ (?:(?:mm )?kernel|for )",
            r"Failed to find a kernel that can implement|No kernel found for (?:quantized|mixed)",
        ),
        source=texts(
            r"assert self\.(?:is_supported|can_implement)\(.* → AssertionError",
        ),
    ),
    Rule(
        id="cutlass-refused",
        title="CUTLASS, the library of matrix kernels, refuses a layer",
        why=(
            "It gives only a status: the layer's shape or data type does not suit the device, or the library was not "
            "built for it."
        ),
        advice=(
            "Use an image whose vLLM was built for this accelerator, or a newer one.",
            "Use a model quantized in another way; sparse and fp8 kernels are made for some devices only.",
            "Another server.flags.tensor-parallel-size gives the layers other shapes.",
        ),
        log=texts(
            r"(?:Error: |, )Error (?:Internal|Not Supported|Invalid Problem|Misaligned Operand|Arch Mismatch)$",
            r"(?:gemm|GEMM) .*cutlass \S+ .*(?:fail|status)|cutlass\w* .*failed: Error (?:Internal|Invalid)",
        ),
    ),
    Rule(
        id="quantization-groups-split",
        title="the quantized weights cannot be shared among that many devices",
        why="Quantized weights come in groups; a device's share of a layer is no whole number of them.",
        advice=(
            "Lower server.flags.tensor-parallel-size, to half for a start.",
            "Use more devices through server.flags.pipeline-parallel-size, or a model with smaller groups.",
            "For a mixture of experts: server.flags.enable-expert-parallel: true leaves each expert whole.",
        ),
        log=texts(
            r"not aligned with the quantized weight shape",
            (
                r"Error: (?!Failed to find).* is not divisible by (?:weight quantization block_|min_thread_"
                r"|group_size|the group)"
            ),
            r"Error: (?!Failed to find).*(?:input|output|intermediate)_size\w* .*must be divisible by ",
        ),
        source=texts(
            r"assert \w*_size\w* % \S*group_size == 0.* → AssertionError",
        ),
    ),
    Rule(
        id="float-format-unsupported",
        title="the accelerator does not compute in this form of fp8",
        why=(
            "The form of fp8 that NVIDIA calls e4m3 (Triton: fp8e4nv) needs compute capability 8.9 or more; AMD's "
            "differs by device."
        ),
        advice=(
            "If server.flags.kv-cache-dtype is fp8, remove it, or try fp8_e5m2.",
            "If the model itself is in fp8, use one quantized in another way (AWQ, GPTQ, INT8).",
        ),
        log=texts(
            r"type fp8e4\w+ not supported in this architecture|fp8e4nv.*(?:not supported|requires)",
            r"FP8 .*requires? (?:compute capability|device capability|SM) ?\S*[89]|native FP8 \(fp8e4nv\) requires",
            r"torch\._scaled_mm is only supported on",
        ),
    ),
    Rule(
        id="kv-cache-dtype-unsupported",
        title="the KV cache cannot be kept in that data type here",
        why="Each attention backend keeps the KV cache in some data types only, on some devices only.",
        advice=(
            "Remove server.flags.kv-cache-dtype, or set it to auto.",
            "Or use another attention backend that takes it.",
        ),
        log=texts(
            (
                r"[Ff][Pp]8\w* (?:kv|KV)[ -]cache (?:dtype )?(?:is )?not (?:yet )?supported|not support (?:fp8"
                r"|FP8) (?:kv|KV)[ -]cache"
            ),
            r"Does not support (?:key|value) cache of type ",
            r"(?:Unsupported|Unknown|[Ii]nvalid) (?:kv|KV)[ _-]cache[ _-](?:data ?type|dtype)",
            r"FP8 KV cache (?:is not supported|needs native)|kv_cache_dtype \S+ is not supported",
            r"not compatible with FP8 KV cache|FP8 scale file not found",
            r"not support scaled kvcache|Unsupported KV cache type ",
        ),
    ),
    Rule(
        id="dtype-unsupported",
        title="the accelerator does not compute in this data type",
        why="bfloat16 needs newer devices than float16.",
        advice=("Set server.flags.dtype to float16.",),
        log=texts(
            r"Bfloat16 is only supported on GPUs with compute capability",
            r"Bfloat16 is not supported|bfloat16 is not supported on this",
        ),
    ),
    Rule(
        id="model-dtype-refused",
        title="the model does not work in this data type",
        why="Its numbers leave the range of float16, so vLLM refuses it.",
        advice=("Set server.flags.dtype to bfloat16, or to float32 on a device without bfloat16; or leave it out.",),
        log=texts(r"The model type '(?P<name>[\w-]+)' does not support float16"),
    ),
    Rule(
        id="kernel-choice-refused",
        title="the chosen kernels do not take this model on this accelerator",
        why="A flag or a variable chose who computes (FlashInfer, CUTLASS, TensorRT-LLM …), and that one cannot.",
        advice=(
            "Let vLLM choose: remove server.flags.moe-backend, and VLLM_USE_FLASHINFER_… and the like from server.env.",
            "Use an image with a newer vLLM and FlashInfer, or a model quantized in another way.",
        ),
        log=texts(
            r"backend '(?P<name>[\w-]+)' does not support the deployment configuration",
            r"FusedMoE flashinfer kernels are only supported for|explicitly requested moe_backend=",
            r"\b(?:moe|attention|linear|gemm)_backend='(?P<name>[\w-]+)' is not supported",
            r"BackendSupportedError: (?P<what>\w+) does not support backend",
            r"[Rr]equires (?:a )?(?:GPUs? with )?(?:sm|SM)_?\d|[Rr]equires (?:a )?GPUs? with compute capability",
            r"[Oo]nly (?:SM ?\d|Hopper|Blackwell).*\bsupported|not supported on SM ?\d+",
            r"Check failed: .*(?:must be bfloat16|must be float16|SM version|compute capability)",
            r"Unknown VLLM_NVFP4_GEMM_BACKEND=|is not implemented as lack of triton|Forced NVFP4 kernel",
            r"FlashInfer sparse MLA .*not available|requires FlashInfer's ",
            r"requires an AITER build|needs an AITER build",
            r"[Ff]lash[Ii]nfer allreduce .*not supported for multi-node|This AITER build ignores",
            r"requires the public API shipped with FlashInfer|GEMM-RS/AR requires|weights require FLASHINFER_TRTLLM",
            r"FP8 W8A8 kernel (?:requires|got)",
            r"Mori (?:needs to be used with|does not support)",
            r"mori currently only support",
            r"WNA16 (?:MoE|checkpoint) .*requires |Error: b12x ",
        ),
        raised_in=(
            "/layers/fused_moe/",
            "/model_executor/kernels/",
            "/model_executor/warmup/",
        ),
    ),
)

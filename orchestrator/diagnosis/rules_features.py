"""Causes in what flags switch on: attention backends, speculation, adapters, media, parsers and their files."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="attention-backend-unsupported",
        title="no attention backend, or not the chosen one, takes this model on this accelerator",
        why=(
            "Each backend takes certain devices, head sizes and data types; the chosen one, or all, refuse what is "
            "asked for."
        ),
        advice=(
            (
                "Let vLLM choose: remove VLLM_ATTENTION_BACKEND from server.env and container.env, or "
                "server.flags.attention-backend."
            ),
            "Remove server.flags.kv-cache-dtype and server.flags.block-size; they rule backends out.",
            "Use an image whose vLLM knows both the model and the device.",
        ),
        log=texts(
            r"Selected backend \S+ is not valid for this configuration|No valid attention backend found",
            r"TypeError: \w+(?:Attention|Attn|MLA)\w*Impl\w*\.__init__\(\) (?:got|missing) ",
            r"No operator found for `memory_efficient_attention",
            r"No valid \w+ MLA \w*backend|No valid MLA \w+ backend|Backend \S+ is not supported for vit attention",
            r"Head size (?P<size>\d+) is not supported|Unsupported head[_ ]?(?:size|dim)",
            r"(?:Invalid|Unknown|Unsupported) attention backend|attention backend \S+ is not (?:supported|available)",
            r"FlashAttention only supports Ampere GPUs or newer|Unsupported FA version: ",
            r"flash attention build does not support|FlashAttention\S* (?:forward )?only supports ",
            (
                r"Error: (?:XFormers|Flash\w+|\w*SDPA|\w*MLA|\w*Attention\w*)(?: \w+)? "
                r"(?:does not support|only supports) (?!.*(?:kv|KV)[ _-]cache)"
            ),
            r"VLLM_ATTENTION_BACKEND is set to \w+, but",
            r"FlashMLA \S*is not (?:supported|available)|MLA (?:backend|attention) is not supported",
            r"Hybrid models in V1 require an attention backend",
            r"Only FLASH_ATTN backend is supported|attn_backend must be an MLA ",
            r"Non-Attention backend is not supported",
            r"[Aa]ttention backend \S+ is not supported",
            r"\bnum_heads \(\d+\) is not divisible by num_kv",
            r"Chunked attention with lookback requires the|DualChunkFlashAttention is (?:not|only) supported",
            r"GDN prefill backend '\S+' was requested|sparse_indexer_topk_backend='\S+' was requested",
            r"batch_invariant mode is not supported for|SparseMQAIndexer requires ",
            r"Attention backend reorders decodes with threshold",
            r"attention does not support \d+ heads",
            r"Error: \S+ does not support \S+ backend now|Unsupported vision attention backend",
        ),
        raised_in=(
            "/attention/backends/",
            "/attention/selector.py",
            "/layers/attention/",
            "/v1/attention/",
            "/vllm/attention/",
        ),
    ),
    Rule(
        id="speculation-unsupported",
        title="speculative decoding does not work here",
        why="It is not made for this platform, this engine, or together with another flag.",
        advice=(
            "Remove server.flags.speculative-config.",
            (
                "Or use an image whose vLLM has it for this platform; this one has {version}.",
                "Or use an image whose vLLM has it for this platform.",
            ),
        ),
        log=texts(
            r"[Ss]pec(?:ulative)?[ _][Dd]ecod(?:e|ing) is not (?:yet )?supported(?! by the V1 Engine)",
            r"(?:Error: |Value error, ).*[Ss]peculative decoding (?:does not|is not compatible|cannot)",
            (
                r"(?:Error: |Value error, ).*not (?:yet )?support(?:ed)? (?:with )?speculative decoding"
                r"|Unsupported speculative method"
            ),
            r"Model does not support EAGLE3 interface",
            r"Expected model instance for EAGLE3|speculative decoding requires ",
            r"Unknown speculative decoding method|for custom proposer '|[Cc]ustom proposer class '",
            r"needs the target input embedding, but it is unavailable|Target model does not have (?:'|an ')\w+'",
            r"Adaptive verification could not profile|Multi-module MTP with prefix caching requires",
            r"speculative decoding requires the language model|[Cc]annot import module '\S+' for custom proposer",
        ),
        source=texts(r"assert .*(?:vocab_sizes|draft_\w+|proposer\w*|num_spec\w*)\b.* → AssertionError$"),
        raised_in=("/spec_decode/",),
    ),
    Rule(
        id="engine-generation-refused",
        title="VLLM_USE_V1 and the other settings contradict each other",
        why="vLLM of 0.8 to 0.10 has two engines; one was demanded that cannot do what the flags ask for.",
        advice=("Remove VLLM_USE_V1 from server.env and container.env: vLLM then chooses itself.",),
        log=texts(
            r"VLLM_USE_V1=\d is not supported with (?P<feature>.+)",
            r"Using V[01] \w+, but envs\.VLLM_USE_V1=",
        ),
        versions="0.8 to 0.10",
    ),
    Rule(
        id="lora-refused",
        title="an adapter (LoRA) does not fit the settings or the model",
        why="The adapter's rank is greater than max-lora-rank, or the model's class takes no adapters.",
        advice=(
            (
                "Set server.flags.max-lora-rank to {rank} or more.",
                "Set server.flags.max-lora-rank to the adapter's r, one of 8, 16, 32, 64, 128, 256, 320, 512.",
            ),
            "Check server.flags.lora-modules: each adapter must be made for server.model.",
        ),
        log=texts(
            r"LoRA rank (?P<rank>\d+) is greater than max_lora_rank",
            r"max_lora_rank \(\d+\) must be one of|does not support LoRA yet|Loading lora \S+ failed",
            r"expected target modules in|is not a supported LoRA",
            r"No supported LoRA modules found in|(?:Error: |\]: )LoRA is not enabled|To support LoRA for MoE model",
            r"Fused MoE LoRA|The embedding LoRA size\(",
            r"does not support LoRA(?: context setup)?[.,]",
            r"define quant_method for LoRA",
            r"Could not locate the language model submodule for LoRA|VLLM_LORA_RESOLVER_CACHE_DIR must be set",
            r"must implement get_mm_lora_token_counts",
            r"LoRA resolver '\S+' not found",
        ),
        source=texts(
            r"assert not is_lora_enabled.* → AssertionError",
        ),
        raised_in=("/vllm/lora/",),
    ),
    Rule(
        id="media-batch-too-small",
        title="one image, video or sound is longer than a batch may be",
        why="This model takes each medium in one piece, and max-num-batched-tokens is smaller than the largest.",
        advice=(
            "Raise server.flags.max-num-batched-tokens to {tokens} or more.",
            "Allow fewer or smaller media: server.flags.limit-mm-per-prompt, server.flags.mm-processor-kwargs.",
        ),
        log=texts(
            r"max_tokens_per_mm_item \((?P<tokens>\d+)\) is larger than max_num_batched_tokens",
            r"multimodal? (?:items?|tokens) .*(?:exceed|larger than).*max_(?:num_batched_tokens|model_len)",
        ),
    ),
    Rule(
        id="flag-file-missing",
        title="a file that a flag names is not in the container: {path}",
        why="The value is taken for a path inside the container; no file is there.",
        advice=(
            "Check the flag in server.flags: a path is one inside the container.",
            "Mount the file with container.mounts, and give its target.",
        ),
        log=texts(
            (
                r"supplied chat template(?: string)? \(?'?(?P<path>[^')\s]+)'?\)? (?:appears path-like, but doesn't "
                r"exist|looks like)"
            ),
            r"appears path-like, but doesn't exist|looks like a file path, but it failed to be opened",
            r"No such file or directory: '(?P<path>[^']+\.(?:jinja2?|pem|crt|key))'",
            r"Failed to load module '\S+' from (?P<path>\S+)",
        ),
        source=texts(r"(?:chat_template|config_file|ssl_\w+|plugin)\w*.* → FileNotFoundError: .*: '(?P<path>[^']+)'"),
        raised=texts(
            r"/(?:uvicorn/config|ssl)\.py → (?:\w+\.)*FileNotFoundError: ",
            r"/uvicorn/\S+ → ssl\.SSLError",
        ),
    ),
    Rule(
        id="block-size-refused",
        title="no attention backend takes blocks of {size} tokens",
        why="Each attention backend of this platform takes certain block sizes; the size in use must fit all.",
        advice=(
            "Remove server.flags.block-size: vLLM then takes one that fits.",
            (
                "Or set server.flags.block-size to a size that the backends take: {wanted}.",
                "Or set server.flags.block-size to a size that the line names.",
            ),
        ),
        log=texts(
            r"No common block size for (?P<size>\d+)(?: \((?P<wanted>.+)\))?",
            r"Error: Block size must be (?:a multiple of|one of) (?P<wanted>.+?)\.?$",
            r"block size (?P<size>\d+) is not supported by attention backend|share no supported KV cache block size",
            r"Attention block size should be increased to at least (?P<wanted>\d+)",
            r"Invalid (?:hash_block_size|prefix_match_unit)=",
            r"kernel_block_size \d+ must divide",
            r"Error: [Bb]lock_size ?\(\d+\) should be",
            r"cache align mode, block_size \(",
            r"--block-size=(?P<size>\d+) requires intel_extension|retention_interval \(\d+\) must be non-negative",
        ),
    ),
    Rule(
        id="kv-connector-failed",
        title="what carries the KV cache between servers (NIXL, UCX) does not work here",
        why=(
            "server.flags.kv-transfer-config names a connector whose library the image lacks, or whose transport "
            "cannot register the device's memory."
        ),
        advice=(
            "Without separate prefill and decode servers remove server.flags.kv-transfer-config.",
            "Use an image that has the connector's library (nixl, ucx) for this platform.",
            (
                "If its transport fails: UCX_TLS: all, or UCX_NET_DEVICES, in server.env; container.ulimits: {memlock: "
                "-1}, and container.devices for /dev/infiniband."
            ),
        ),
        log=texts(
            r"Error: (?:NIXL|Mooncake|MoRIIO|LMCache)\S* is not available|NIXL_ERR_(?P<what>\w+)|\bnixlBackendError\b",
            r"Mooncake Transfer Engine initialization failed|Mooncake .*(?:registration failed|exited during startup)",
            r"Error: (?:NIXL does not support|PD with decode_context)",
            r"when using NixlConnector|equal to the NIXL transfer",
            r"not currently supported with KV connectors|External KV connector is not verified",
        ),
        raised_in=(
            "/kv_transfer/",
            "/ec_transfer/",
            "/v1/kv_offload/",
            "/simple_kv_offload/",
            "/mooncake_store",
        ),
    ),
    Rule(
        id="hybrid-cache-refused",
        title="layers of different kinds cannot share one KV cache here",
        why=(
            "The model has layers that keep different things; with the hybrid cache manager off, by a flag or because "
            "of a KV connector, all layers would have to be alike."
        ),
        advice=(
            "Remove server.flags.disable-hybrid-kv-cache-manager.",
            "If a connector switched it off, remove server.flags.kv-transfer-config, or use a vLLM where both go.",
        ),
        log=texts(
            r"failed to convert the KV cache specs to one unified type",
            r"page size (?:of the layer )?is not divisible by the maximum page size",
            r"Failed to promote local KV cache specs",
            r"HybridKVCacheCoordinator assumes|Hybrid KV cache groups with multiple block sizes do not support",
            r"Error: Unsupported KV cache spec type",
            r"Error: Unknown KV cache spec type",
            r"No manager found for KV cache spec type",
            r"layers in the same KV cache group must have the same window",
            r"Multiple KVCacheGroups is not ?currently supported",
        ),
        source=texts(
            r"assert len\(page_sizes\) == 1.* → AssertionError",
        ),
    ),
)

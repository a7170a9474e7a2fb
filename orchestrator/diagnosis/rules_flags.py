"""Causes in the command line of the server: flags and their values."""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.diagnosis.rule import Rule, Strength, texts
from orchestrator.vllm.serve_flags import SERVE_FLAGS

NOTES = MappingProxyType({f"--{flag.name}": f"--{flag.name} {flag.history()}." for flag in SERVE_FLAGS})
"""What to say of a flag that only some versions know."""

RULES = (
    Rule(
        id="unknown-flag",
        title="this vLLM does not know one of the flags",
        why="Flags come and go from version to version; the image's vLLM has none of that name.",
        advice=(
            "Correct or remove it in server.flags: {flag}",
            "Check all of the profile's flags against the image at once: orch profile lint --image PROFILE",
            "The image has vLLM {version}.",
        ),
        log=texts(
            r"error: unrecognized arguments: (?P<flag>\S.*)", r"error: ambiguous option: (?P<flag>\S+) could match"
        ),
        notes=NOTES,
    ),
    Rule(
        id="invalid-json",
        title="the value of a flag is not valid JSON",
        why=(
            "The flag takes a JSON object. Doubled quotes, single quotes and unquoted names come from a table or a "
            "shell and are not JSON."
        ),
        advice=(
            (
                (
                    "Write the value as a mapping and let orch make the JSON: server.flags.{flag}: "
                    "{num_speculative_tokens: 3}"
                ),
                "Write values that are JSON as mappings in server.flags and let orch make the JSON.",
            ),
        ),
        log=texts(
            r"Input should be a valid dictionary \[type=dict_type, input_value='\{",
            (
                r"argument --(?P<flag>[\w-]+)(?:/\S+)?: (?:invalid \w*loads\w* value"
                r"|Value .* cannot be converted to <function \S*loads)"
            ),
            (
                r"argument --(?P<flag>[\w-]+)(?:/\S+)?: (?:Invalid JSON|.*(?:not|must be) (?:a )?valid JSON"
                r"|.*JSONDecodeError)"
            ),
        ),
    ),
    Rule(
        id="bad-flag-value",
        title="the value of a flag is not one that vLLM takes",
        why="The flag exists, but its value has another type, or is none of the choices that this version has.",
        advice=(
            (
                "Correct server.flags.{flag}; that line of the log, or the ones after it, say what it takes.",
                "Correct what the line names, in server.flags, server.env or config.json; it lists what may be given.",
            ),
            "The image has vLLM {version}; other versions take other values.",
        ),
        log=texts(
            (
                r"error: argument --(?P<flag>[\w-]+)(?:/\S+)?: (?:invalid|expected|ignored|not allowed|Value "
                r"|\d+ validation error|.*invalid choice)"
            ),
            r"error: argument -(?P<flag>\w)(?:/\S+)?: (?:invalid|expected)|error: the following arguments are required",
            (
                r"ValueError: (?:Unknown|Invalid|Unsupported) [\w -]{3,40}: .*"
                r"(?:[Vv]alid|[Ss]upported|[Aa]vailable|[Aa]llowed) (?:options|values|choices|backends|types)"
            ),
            r"ValueError: .{3,200}(?:[Ee]xpected|[Mm]ust be|[Cc]hoose) ?(?:one of|from|in)? ?[\[({]['\"]",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="variable-refused",
        title="an environment variable has a value that vLLM cannot use: {name}",
        why="vLLM reads settings from variables whose names begin with VLLM_; this one's value is not of their kind.",
        advice=(
            "Correct {name} in server.env or container.env.",
            "If VLLM_PORT appears to be a URI, a cluster's service is called vllm: set VLLM_PORT to a number there.",
        ),
        log=texts(
            r"(?P<name>VLLM_PORT) '\S+' appears to be a URI",
            r"Invalid value '.*' (?:for|in) (?P<name>VLLM_\w+)\. Valid options",
            r"Invalid environment variable (?P<name>VLLM_\w+)|Failed to parse (?P<variable>VLLM_\w+)",
            r"Error: (?P<name>VLLM_\w+)(?:=| \S+)? (?:must be|is set to|is set but|\(\S+\) must be|expected)",
            r"Error: (?P<name>VLLM_\w+)(?: '\S+'|:) (?:must be|expected)",
            r"Error: (?P<name>VLLM_(?!USE_V1)\w+)=\S+ (?:is not supported|requires|needs|only supports|does not|but)",
            r"/sys/class/infiniband not found|invalid literal for int\(\) with base \d+: '(?:tcp|udp)://",
            r"No (?P<name>VLLM_GPU_NIC_PCIE_MAPPING) entry for",
            r"No /sys/class/infiniband device",
            r"Error: (?P<name>VLLM_\w+)(?: \S+)? should ",
        ),
        source=texts(
            (
                r"(?:environ|getenv).{0,12}['\"](?P<name>VLLM_\w+)['\"].* → ValueError: (?:invalid literal|could not"
                r" convert)"
            ),
        ),
        raised=texts(
            (
                r"/vllm(?:_\w+)?/envs\.py → (?:\w+\.)*(?:Value|Type|JSONDecode)Error: (?:invalid|could not"
                r"|Expecting|int\(\))"
            ),
        ),
        raised_in=(
            "/vllm/envs.py",
            "/vllm_net_devices.py",
        ),
    ),
    Rule(
        id="settings-rejected",
        title="vLLM refuses the settings as a whole",
        why="Each flag can be read, but one of the values, or two of them together, cannot be used.",
        advice=(
            "The line says which; correct it in server.flags, or in server.env.",
            "The image has vLLM {version}; others take other values.",
        ),
        log=texts(
            r"\d+ validation errors? for \w+",
            r"(?:Value|Assertion|NotImplemented|Type)Error: (?:.*[\s`'\"(])?--[a-z][\w-]{3,}",
            (
                r"ValueError: `?(?:max|enable|disable|limit_mm|tensor_parallel|pipeline_parallel|data_parallel"
                r"|gpu_memory|kv_cache|kv_transfer|block_size|cpu_offload|num_speculative|cudagraph|prefix_caching)"
                r"\w*`? \w"
            ),
            r"ValueError: .* (?:is|are) (?:mutually exclusive|incompatible with|not compatible with)\b",
            r"(?:Value|Assertion)Error: .*\b(?:[Ss]et|[Uu]se|[Rr]emove|[Uu]nset|[Rr]equires) `?VLLM_[A-Z_0-9]+",
            r"Error: (?:Unknown|Unsupported) (?:distributed executor backend|scheduling policy|hash function)",
            r"unrecognized distributed_executor_backend",
            r"distributed_executor_backend must be a|passing worker_cls is no longer",
            r"Error: (?:world_size|node_rank|nnodes|data_parallel_\w+)(?:=\d+)? (?:must|or|and|>|is)\b",
            r"[Pp]refix caching is not supported for|custom_ops cannot both enable|Config file must be of a yaml",
            r"No (?:config file|model) specified! Please|Port must be between|Invalid custom op syntax",
            r"Error: `model` should be provided as the first|Sleep mode allocator is not available",
            r"support auto CPU binding|reserves \S+ GiB .*decoder cache budget|Fault tolerance requires an FT-capable",
            r"Error: (?:global )?world_size \(\d+\) must be|match local world size|Error: A head_dtype different from",
        ),
        strength=Strength.SYMPTOM,
        raised_in=(
            "/vllm/config/",
            "/vllm/config.py",
            "/engine/arg_utils.py",
            "/vllm/platforms/",
            "/cli_args.py",
            "/entrypoints/cli/",
            "/v1/core/kv_cache",
            "/v1/kv_cache",
            "/models/config.py",
            "/argparse_utils.py",
            "/layers/mamba/",
        ),
    ),
    Rule(
        id="speculative-model-missing",
        title="speculative decoding has no draft model",
        why=(
            "num_speculative_tokens alone is enough only for models with layers of their own for it (DeepSeek V3 "
            "and R1, and what the image's vLLM adds); all others need a method or a model."
        ),
        advice=(
            (
                "Add a method or a model in server.flags.speculative-config, such as {method: ngram, …} or {model: "
                "PATH, …}."
            ),
            "Remove server.flags.speculative-config.",
        ),
        log=texts(
            r"num_speculative_tokens was provided (?:without speculative model|but without speculative model)",
            r"(?:speculative|draft) model (?:is )?(?:required|not (?:provided|specified))",
        ),
    ),
    Rule(
        id="batched-tokens-below-length",
        title="max-num-batched-tokens is smaller than max-model-len",
        why="Without chunked prefill a whole prompt must fit into one batch.",
        advice=(
            "Raise server.flags.max-num-batched-tokens from {batched} to {length} or more.",
            "Set server.flags.enable-chunked-prefill to true, or lower server.flags.max-model-len.",
        ),
        log=texts(r"max_num_batched_tokens \((?P<batched>\d+)\) is smaller than max_model_len \((?P<length>\d+)\)"),
    ),
    Rule(
        id="port-in-use",
        title="the port is in use",
        why=(
            "Another process listens on it. On the node's own network that may be any other server, also a "
            "forgotten one."
        ),
        advice=(
            "See by whom: ss -ltnp 'sport = :{port}'",
            "Choose another: --set server.port=…, or end the other server (orch ps, orch down).",
        ),
        log=texts(
            (
                r"\[Errno 98\] (?:error while attempting to bind on address \('[^']*', (?P<port>\d+)"
                r"|[Aa]ddress already in use)"
            ),
            r"^(?!.*(?:server socket|ZMQError|Dist\w+Error|NCCL)).*ddress already in use",
            r"^(?!.*(?:server socket|ZMQError|Dist\w+Error|NCCL)).*EADDRINUSE",
        ),
        engine=texts(
            r"(?:listen|bind)\S* .*:(?P<port>\d+): bind: address already in use",
            r"Bind for \S+?:(?P<port>\d+) failed: port is already allocated",
            r"port is already allocated|address already in use",
        ),
        versions="all; vLLM up to 0.24 shares the port with another vLLM in silence",
    ),
    Rule(
        id="batched-tokens-below-seqs",
        title="max-num-batched-tokens is smaller than max-num-seqs",
        why="Each running request takes at least one token of every batch.",
        advice=(
            (
                "Raise server.flags.max-num-batched-tokens from {batched}, or lower server.flags.max-num-seqs from "
                "{seqs}."
            ),
        ),
        log=texts(
            (
                r"max_num_batched_tokens \((?P<batched>\d+)\) must be greater than or equal to max_num_seqs "
                r"\((?P<seqs>\d+)\)"
            ),
        ),
    ),
)

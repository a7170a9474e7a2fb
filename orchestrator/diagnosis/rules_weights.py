"""Causes in the weights: missing, damaged, or not those that the model's class expects."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="weights-missing",
        title="the model's folder holds no weights",
        why=(
            "There is no *.safetensors, *.bin or *.pt file beside config.json: the download stopped early, or the "
            "weights lie elsewhere."
        ),
        advice=(
            "Copy or download the model again, with its weights.",
            "Check what is in {path}.",
        ),
        log=texts(
            r"Error no file named \S+.* found in directory",
            r"does not appear to have a file named (?:pytorch_model|model\.safetensors)",
            r"Cannot find any model weights with `(?P<path>[^`]*)`",
            r"No such file or directory: .*\.safetensors",
            r"FileNotFoundError: .*\.safetensors",
            r"No model weights found in: `(?P<path>[^`]*)`",
            r"Cannot find any safetensors model weights with `(?P<folder>[^`]*)`",
            r"removed all weight files for `(?P<model>[^`]*)`|Could not find checkpoint files '(?P<files>[^']*)'",
            r"Weight files referenced in index but missing",
        ),
    ),
    Rule(
        id="weights-broken",
        title="a file of weights is damaged or only a pointer",
        why=(
            "The file is cut short, or it is the small text file that git clone leaves in place of a large one "
            "when git-lfs is missing."
        ),
        advice=(
            "Compare the files' sizes with the source's and copy or download what differs.",
            "If they are of a few hundred bytes: git lfs pull in the model's folder.",
        ),
        log=texts(
            (
                r"UnpicklingError: (?:Weights only load failed|pickle data was truncated)"
                r"|Invalid magic number; corrupt file"
            ),
            r"Unable to load weights from pytorch checkpoint file|Error while deserializing header",
            (
                r"BadZipFile: |(?:Safetensor|SafeTensor)Error: (?:header|tensor of type|overflow|I/O error"
                r"|Could not find storage)"
            ),
            r"Error parsing line b'version https://git-lfs",
            r"SafetensorError: (?:Error while deserializing|invalid|incomplete|.*[Hh]eader)",
            (
                r"HeaderTooLarge|HeaderTooSmall|MetadataIncompleteBuffer|InvalidHeaderDeserialization"
                r"|incomplete metadata"
            ),
            r"PytorchStreamReader failed|UnpicklingError: invalid load key",
        ),
        raised=texts(
            r"/safetensors/\S* → \w*Error: \[Errno 5\]",
            r"/torch/serialization\.py → EOFError: ",
            r"/model_loader/\S+ → OSError: \[Errno 5\]",
        ),
    ),
    Rule(
        id="weights-mismatch",
        title="the weights and vLLM's class of the model do not fit together",
        why=(
            "The checkpoint holds a tensor that the model's class in this vLLM does not have, lacks one, or "
            "has it in "
            "another shape: the quantization, an adapter or the model's version is not one that it knows."
        ),
        advice=(
            (
                "Use an image with the vLLM that the model's page names; this one has {version}.",
                "Use an image with the vLLM that the model's page names.",
            ),
            (
                "Check server.flags.quantization and quantization_config in config.json: not every class reads "
                "every kind."
            ),
            "A draft model in server.flags.speculative-config must belong to server.model.",
        ),
        log=texts(
            r"SafetensorError: File does not contain tensor",
            r"There is no module or parameter named '?(?P<name>[\w.]+)'? in ",
            r"Following weights were not initialized from checkpoint|Attempted to load weight \(",
            r"Tried to load weights of size|Error: Unexpected weight\b",
            r"KeyError: '(?P<name>[\w.]+\.(?:q?weight|bias|qzeros|g_idx|weight_scale\w*))'$",
            (
                r"KeyError: '(?P<name>[\w.]*(?:layers|blocks)\.\d+\.[\w.]*(?:weight|bias|scale|qzeros|g_idx"
                r"|absmax)\w*)'$"
            ),
            (
                r"AttributeError: '(?:\w+Linear|FusedMoE|\w*Embedding"
                r"|Parameter)' object has no attribute '\w*(?:weight|scale)\w*'"
            ),
            r"Error\(s\) in loading state_dict for",
            r"Attempted to load nested weight|was never loaded \(still NaN\)|was skipped because it is tied to",
            r"Layer '\S+' has no recognized weight attribute|does not currently support tensor parallelism",
            r"are not in the checkpoint and will falsely use random|Error: (?:\[\w+\] )?Failed to load weight '",
        ),
        source=texts(
            r"params_dict\[[^\]]+\].* → KeyError: '?(?P<name>[\w.]+)'?",
            r"param\w*(?:\.data)?\.(?:shape|size\(\)) == loaded_weight\.(?:shape|size\(\)) → AssertionError",
            r"loaded_weight\.narrow\(.* → RuntimeError: start ",
            r"\.data\.shape == loaded_weight\.shape.* → AssertionError",
            r"assert loaded_weight\.(?:shape|numel|size)\S* .* → AssertionError",
            r"assert loaded_shard_id (?:in|<) .* → AssertionError",
        ),
        raised_in=(
            "/layers/linear.py",
            "/model_executor/parameter.py",
            "/vocab_parallel_embedding.py",
        ),
    ),
    Rule(
        id="gguf-unsupported",
        title="this vLLM cannot read the GGUF file",
        why="GGUF is read for some architectures only, from a single file, with the tokenizer of the original model.",
        advice=(
            "Give the file itself as server.model, and the original model's tokenizer: server.flags.tokenizer.",
            "Better: use the original weights, or a quantization made for servers (AWQ, GPTQ, FP8).",
        ),
        log=texts(
            r"GGUF model with architecture (?P<name>\S+) is not supported|Unknown gguf model_type: (?P<kind>\w+)",
            r"Failed to (?:load|parse|map) GGUF",
            r"Unrecogni[sz]ed GGUF reference|Wrong GGUF model or invalid GGUF quant|Could not find GGUF file",
            r"Can't get gguf config for|with multiple indices is not supported for GGUF",
            r"For multimodal GGUF models, the original tokenizer",
        ),
        raised_in=(
            "/gguf_loader.py",
            "/gguf_utils.py",
        ),
    ),
    Rule(
        id="load-format-refused",
        title="the weights cannot be read in the way that load-format says",
        why=(
            "Each way of loading takes certain files, settings of its own in model-loader-extra-config, and some "
            "models only."
        ),
        advice=(
            "Remove server.flags.load-format and server.flags.model-loader-extra-config: vLLM reads *.safetensors.",
            "For sharded_state the folder must have been saved with the same server.flags.tensor-parallel-size.",
        ),
        log=texts(
            r"Error: Load format `?\w+`? is not supported|Error: Unknown load_format: ",
            r"Unexpected extra config keys for",
            r"Model loader extra config is not supported",
            r"model_loader_extra_config must",
            r"Error: Missing keys .* in loaded state!|tensorizer_uri must be|one of tensorizer_dir or",
            r"Error: (?:num_threads|concurrency|memory_limit) must be an? (?:positive )?integer",
            r"(?:cannot use|does not support) pre-processed weights",
        ),
        raised_in=(
            "_loader.py",
            "/model_loader/loader.py",
            "/model_loader/utils.py",
            "/model_loader/weight_utils.py",
            "/model_loader/tensorizer",
            "/model_loader/__init__.py",
        ),
    ),
)

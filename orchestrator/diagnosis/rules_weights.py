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
            r"Cannot find any model weights with `(?P<path>[^`]*)`",
            r"No such file or directory: .*\.safetensors",
            r"FileNotFoundError: .*\.safetensors",
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
            r"SafetensorError: (?:Error while deserializing|invalid|incomplete|.*[Hh]eader)",
            (
                r"HeaderTooLarge|HeaderTooSmall|MetadataIncompleteBuffer|InvalidHeaderDeserialization"
                r"|incomplete metadata"
            ),
            r"PytorchStreamReader failed|UnpicklingError: invalid load key",
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
        ),
        source=texts(
            r"params_dict\[[^\]]+\].* → KeyError: '?(?P<name>[\w.]+)'?",
            r"param\w*(?:\.data)?\.(?:shape|size\(\)) == loaded_weight\.(?:shape|size\(\)) → AssertionError",
            r"loaded_weight\.narrow\(.* → RuntimeError: start ",
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
        ),
    ),
)

"""Causes in the model: its path, its code, its tokenizer, its weights, its quantization, its length."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
    Rule(
        id="model-missing",
        title="the model is not where server.model says",
        why=(
            "vLLM takes a path that is not a folder of the container for the name of a repository on the hub, "
            "hence the message about repository names."
        ),
        advice=(
            "Check server.model: {path}",
            "A path is one inside the container: mount its folder with container.mounts and check the target.",
            "See what the container sees: docker run --rm -v SOURCE:TARGET IMAGE ls TARGET",
        ),
        log=texts(
            r"HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '(?P<path>[^']*)'",
            r"HFValidationError: Repo id must ",
            (
                r"(?:OSError|ValueError): (?P<path>/\S+) (?:is not a local folder"
                r"|does not appear to have a file named config\.json)"
            ),
            r"No such file or directory: '(?P<path>/[^']*)/config\.json'",
            r"RepositoryNotFoundError: ",
        ),
    ),
    Rule(
        id="hub-unreachable",
        title="the model would have to come from the hub, which cannot be reached",
        why=(
            "server.model is the name of a repository, it is not in the container's cache, and the hub does not "
            "answer or is switched off."
        ),
        advice=(
            (
                "Put the model on the node, mount it with container.mounts and give its path in the container as "
                "server.model."
            ),
            (
                "Or let the container reach the hub: container.network, a proxy in container.env, HF_ENDPOINT for "
                "a mirror, no HF_HUB_OFFLINE; or mount a filled cache on /root/.cache/huggingface."
            ),
        ),
        log=texts(
            r"LocalEntryNotFoundError|OfflineModeIsEnabled",
            r"We couldn't connect to 'https?://\S+' to load",
            (
                r"Can't load (?:the configuration|the model|tokenizer|config) (?:of"
                r"|for) '\S+'\. If you were trying to load"
            ),
            r"Invalid repository ID or local directory specified: '[^/']",
            r"Cannot find an appropriate cached snapshot folder|outgoing traffic has been disabled",
            r"huggingface\.co.*(?:Max retries exceeded|timed out|Failed to resolve|NameResolutionError)",
            r"Max retries exceeded with url.*NameResolutionError",
        ),
    ),
    Rule(
        id="remote-code",
        title="the model brings code of its own, which nobody has allowed",
        why="Its folder holds Python files that vLLM would have to run to load it.",
        advice=(
            "Read that code, then set server.flags.trust-remote-code to true.",
            "Or use a version of vLLM that knows the architecture itself.",
        ),
        log=texts(
            r"requires you to execute the configuration file in that repo",
            r"contains custom code which must be executed to correctly load",
            r"consider setting `trust_remote_code=True`",
            r"pass (?:the argument )?`trust_remote_code=True`",
        ),
    ),
    Rule(
        id="tokenizer-class-missing",
        title="the tokenizer was saved by a newer transformers than the image has",
        why=(
            "tokenizer_config.json names a class that the image's transformers does not have; transformers 5 "
            "writes TokenizersBackend, which version 4 (vLLM of the time of 0.8.5) cannot read."
        ),
        advice=(
            (
                "Copy the model's tokenizer files, set tokenizer_class to PreTrainedTokenizerFast in "
                "tokenizer_config.json, and give the copy as server.flags.tokenizer."
            ),
            "Or use an image with a newer transformers.",
        ),
        log=texts(r"Tokenizer class (?P<name>\w+) does not exist or is not currently imported"),
        versions="transformers 4",
    ),
    Rule(
        id="architecture-unknown",
        title="this vLLM does not know the model's architecture",
        why="The model is newer than the image's vLLM or transformers, or is no language model.",
        advice=(
            (
                "Use an image with a newer vLLM; this one has {version}.",
                "Use an image with a newer vLLM.",
            ),
            "Check architectures and model_type in the model's config.json.",
        ),
        log=texts(
            r"Model architectures \[.*\] (?:are|is) not supported|Model architectures \[.*\] failed to be inspected",
            r"The checkpoint you are trying to load has model type `[^`]*` but Transformers does not recognize",
            r"has no vLLM implementation|Cannot find model module",
        ),
    ),
    Rule(
        id="config-broken",
        title="the model's config.json is missing or cannot be read",
        why="The folder is there, but it is not, or not completely, a model in the Hugging Face format.",
        advice=(
            "Check config.json in the model's folder; copy or download the model again.",
            "If server.model is a folder above the model's, give the model's own.",
        ),
        log=texts(
            r"It looks like the config file at '(?P<path>[^']*)' is not (?:a )?valid JSON",
            r"Unrecognized model in (?P<path>\S+)\. Should have a `model_type` key",
            r"No supported config format found in",
            r"Invalid repository ID or local directory specified: '(?P<path>/[^']*)'",
        ),
    ),
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
        id="max-model-len-too-long",
        title="max-model-len is longer than the model allows",
        why="The model's configuration ends earlier; longer positions would be out of its range.",
        advice=(
            (
                "Set server.flags.max-model-len to {derived} or less.",
                "Set server.flags.max-model-len to what the model's config.json allows, or less.",
            ),
            (
                "If the model was made for more, say so with rope scaling in server.flags.hf-overrides; "
                "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 in server.env only silences the check."
            ),
        ),
        log=texts(
            (
                r"User-specified max_model_len \((?P<length>\d+)\) is greater than the derived max_model_len "
                r"\(\w+=(?P<derived>\d+)"
            ),
            r"User-specified max_model_len \S+ is greater than the derived max_model_len",
        ),
    ),
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
            (
                r"Quantization method specified in the model config \((?P<found>[\w.-]+)\) does not match the "
                r"quantization method specified in the `quantization` argument \((?P<method>[\w.-]+)\)"
            ),
            r"does not match the quantization method specified in the `quantization` argument",
        ),
    ),
    Rule(
        id="quantization-unsupported",
        title="the quantization method does not work on this accelerator, or not with this dtype",
        why="Each method has kernels for some devices and data types only.",
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
            r"Quantization scheme is not supported for (?:the )?current GPU",
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
)

"""Causes in the model's folder: its path, its code, its configuration, its tokenizer, its length."""

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
            r"(?:OSError|ValueError): (?P<path>/\S+) is not a local folder",
        ),
    ),
    Rule(
        id="model-folder-unusable",
        title="server.model is no folder in the container, or a folder without a configuration",
        why=(
            "vLLM found no config.json there; its words are the same whether the folder is missing or only that file."
        ),
        advice=(
            "See which: docker run --rm -v SOURCE:TARGET IMAGE ls {path}",
            "If the folder is missing: correct server.model, or mount it there with container.mounts.",
            "If it is there: it must hold config.json itself; give the folder below it, or copy the model again.",
        ),
        log=texts(
            r"Invalid repository ID or local directory specified: '(?P<path>/[^']*)'",
            r"(?:OSError|ValueError): (?P<path>/\S+) does not appear to have a file named config\.json",
            r"No such file or directory: '(?P<path>/[^']*)/config\.json'",
            r"Can't load the configuration of '(?P<path>/[^']*)'",
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
        id="remote-code-not-found",
        title="the model's own code is not found where it was copied to",
        why=(
            "transformers copies the Python files of a model to a cache under the name of its folder; a dot in that "
            "name, or a cache that not all processes can write and read, hides them."
        ),
        advice=(
            "Mount the model under a name without dots (container.mounts) and give that as server.model.",
            "Give the cache a folder that the server's user may write: HF_MODULES_CACHE in server.env.",
            "Or use an image whose vLLM knows the architecture, without server.flags.trust-remote-code.",
        ),
        log=texts(r"No module named '(?P<module>transformers_modules\.[\w.-]+)'"),
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
        id="tokenizer-files-missing",
        title="the model's tokenizer cannot be read",
        why=(
            "Files of the tokenizer are missing beside the model, are damaged, or are of a kind that "
            "tokenizer-mode does not read."
        ),
        advice=(
            (
                "Check tokenizer.json, tokenizer_config.json or tokenizer.model in the model's folder; copy what "
                "is missing."
            ),
            "Give the tokenizer of the original model: server.flags.tokenizer.",
            (
                "Models of Mistral have two forms: server.flags.tokenizer-mode: mistral needs tekken.json or "
                "tokenizer.model.v…, auto the others."
            ),
        ),
        log=texts(
            r"Can't load tokenizer for '(?P<path>/[^']*)'|Couldn't instantiate the backend tokenizer",
            r"Unable to load vocabulary from file|Found \d+ files matching the pattern: `?\S*(?:tekken|tokenizer)",
            (
                r"No tokenizer file found|Error while initializing BPE"
                r"|Converting from \w+ failed, if a converter for|sentencepiece_processor\.cc\S* .*model_proto"
            ),
            r"Error: (?:tokenizer\.tok\.json|tiktoken\.model) not found at|Could not find tiktoken\.model or",
            r"Unable to get tokenizer because skip_tokenizer_init|make sure skip_tokenizer_init is False",
        ),
        source=texts(r"LoadFromFile\(.* → (?:TypeError: not a string|RuntimeError: Internal)"),
        raised_in=(
            "/vllm/tokenizers/",
            "/transformers_utils/tokenizer",
        ),
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
            r"Model architectures \[.*\] (?:are|is) not supported|Model architecture '\S+' is not supported by",
            r"The checkpoint you are trying to load has model type `[^`]*` but Transformers does not recognize",
            r"has no vLLM implementation|Cannot find model module",
            r"Transformers modeling backend (?:does not|cannot|only)|Unable to infer (?:any|vision) encoder class",
            r"The required method 'load_weights' is not defined in class",
            r"Error: Activation function \S+ is not supported",
        ),
        source=texts(r"CONFIG_MAPPING\[.* → KeyError: '(?P<name>[\w-]+)'"),
        raised_in=(
            "/models/transformers",
            "/models/registry.py",
        ),
    ),
    Rule(
        id="config-broken",
        title="the model's config.json is missing or cannot be read",
        why="What is in the folder is not, or not completely, a model in the Hugging Face format.",
        advice=(
            "Check config.json in the model's folder (server.model); copy or download the model again.",
            "If server.model is a folder above the model's, give the model's own.",
        ),
        log=texts(
            r"It looks like the config file at '(?P<path>[^']*)' is not (?:a )?valid JSON",
            r"Unrecognized model in (?P<path>\S+)\. Should have a `model_type` key",
            r"No supported config format found in",
            r"Could(?: not|n't) determine (?:the )?number of (?:kv heads|key-value attention heads)",
        ),
        raised_in=(
            "/transformers_utils/config",
            "/transformers_utils/model_arch",
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
        id="rope-scaling-refused",
        title="the rope scaling of the model, or of a flag, is not one that this vLLM reads",
        why="Names and keys of rope scaling change between versions of vLLM and transformers.",
        advice=(
            "Check rope_scaling or rope_parameters in config.json, and server.flags.hf-overrides or rope-scaling.",
            "Use an image with the vLLM that the model's page names.",
        ),
        log=texts(
            r"Found conflicts between 'rope_type=",
            r"Unknown RoPE scaling type (?P<name>\w+)|Error: .*`rope_scaling`(?:'s| must be| should)",
            r"Error: .*rope_(?:scaling|parameters) should have a '?\w+'? key",
        ),
        source=texts(r"rope_(?:scaling|parameters)\[.* → KeyError: '(?P<name>\w+)'"),
        raised_in=("/layers/rotary_embedding",),
    ),
    Rule(
        id="processor-unusable",
        title="the model's processor for images, sound or video cannot be used",
        why=(
            "The model takes media, and the files that say how (preprocessor_config.json, processor_config.json) are "
            "missing, often after a conversion, or are of another transformers than the image's."
        ),
        advice=(
            "Copy preprocessor_config.json and processor_config.json of the original model into the model's folder.",
            "If they are there, use an image whose transformers is the one that the model was saved with.",
            "For text alone set each kind to 0 in server.flags.limit-mm-per-prompt.",
        ),
        log=texts(
            r"Can't load (?:image processor|video processor|feature extractor|processor) for '(?P<path>[^']+)'",
            r"does not appear to have a file named (?:pre)?processor_config\.json",
            r"Invalid type of HuggingFace processor|Failed to apply \w*Processor\w* on data=",
            r"Error: Unrecognized (?:image |video )?processor in |'\w+Processor(?:Fast)?' object has no attribute",
            r"TypeError: \w+Processor(?:Fast)?\.\w+\(\) (?:got|missing) ",
            r"module 'transformers_modules\.\S+' has no attribute '\w*Processor\w*'",
            r"Error: Expected there to be \d+ (?:prompt (?:updates|placeholders)|\w+ items in keyword)",
            r"has no registered multimodal processor|Invalid type of HuggingFace config\. Expected",
        ),
        raised_in=(
            "/vllm/multimodal/registry.py",
            "/multimodal/processing",
            "/multimodal/profiling.py",
            "/multimodal/budget",
        ),
    ),
)

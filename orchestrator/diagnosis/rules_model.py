"""Causes in the model's folder: its path, its code, its configuration, its length."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

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
            r"Unrecognized configuration class <.* for this kind of AutoModel",
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
        raised=texts(
            r"/configuration_auto\.py → KeyError: '(?!model_type')\w+'",
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
        raised=texts(
            r"/transformers/configuration_utils\.py → (?:\w+\.)*JSONDecodeError",
            r"/configuration_auto\.py → KeyError: 'model_type'",
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
        source=texts(
            r"rope_(?:scaling|parameters)\[.* → KeyError: '(?P<name>\w+)'",
            r"assert sum\(\S*mrope_section\).* → AssertionError",
        ),
        raised_in=("/layers/rotary_embedding",),
    ),
    Rule(
        id="model-class-refused",
        title="vLLM's class of the model does not take this model as it is",
        why=(
            "The class knows the architecture, but something in config.json, or a flag, is of a form that it was not "
            "written for."
        ),
        advice=(
            "The line says what; compare config.json with the model that the class was written for.",
            (
                "Use an image with the vLLM that the model's page names; this one has {version}.",
                "Use an image with the vLLM that the model's page names.",
            ),
            "Leave out what changes the model: hf-overrides, quantization and speculative-config in server.flags.",
        ),
        log=texts(
            r"Error: Unsupported (?:hidden )?activation(?: function)?: |Error: Unsupported feature select layer",
            r"RuntimeError: No \w+ (?:layer )?found in (?:the )?(?:language_)?model",
            r"you instantiated the text-only version",
        ),
        source=texts(r"assert (?:not )?(?:self\.)?config\.\w+.* → AssertionError$"),
        raised_in=("/model_executor/models/",),
        strength=Strength.SYMPTOM,
    ),
)

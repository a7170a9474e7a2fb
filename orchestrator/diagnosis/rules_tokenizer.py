"""Causes in what turns text and media into numbers: the tokenizer and the processor of the model."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, texts

RULES = (
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
            (
                r"TokenizerException: Unrecognized tokenizer file|could not parse ModelProto from"
                r"|Not found: \S+tokenizer\.model"
            ),
            (
                r"'bool' object has no attribute 'all_special|loading vocab file: failed"
                r"|HarmonyError: error (?:downloading|loading)"
            ),
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
        raised=texts(
            (
                r"/(?:transformers|tokenizers)/\S*token\S* → Exception: (?:expected value|EOF|No such file"
                r"|missing field|unknown variant)"
            ),
            r"/tokenization_\w+\.py → TypeError: (?:expected str|stat: path|not a string)",
        ),
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

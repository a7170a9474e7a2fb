"""Causes in Python packages: missing, or of versions that do not fit together."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

_PLUGIN = (
    r"(?:^|/)(?:vllm_(?:ascend|gaudi|hpu|neuron|xpu|spyre|rbln|musa|metax|kunlun|mlu|gcu|fl|metal|tpu|qaic|iluvatar"
    r"|omni|plugin\w*)|tpu_inference|tpu_commons|neuronx_distributed_inference)"
)
"""Folders of packages that plug into vLLM."""
_REFUSED = r"(?:got an unexpected keyword|missing \d+ required|takes (?:from )?\d+ |got multiple values for)"
_CALL_REFUSED = rf"[\w.<>]+\(\) {_REFUSED}"
"""How Python says that a caller knows another form of a function."""
_PLUGIN_CLASS = (
    r"(?:NPU|HPU|TPU|XPU|MLU|MUSA|GCU|QAIC|Ascend|Gaudi|Neuron|Spyre|RBLN|Rbln|Musa|Maca|Metax|Kunlun|Metal)"
)
"""How the classes of such packages are called."""

RULES = (
    Rule(
        id="transformers-mismatch",
        title="the image's transformers does not fit this vLLM or this model",
        why=(
            "vLLM uses inner parts of transformers, which change between its versions: it is newer, or older, than "
            "this vLLM or the model's files expect."
        ),
        advice=(
            (
                "Use an image unchanged: its transformers is the one that its vLLM {version} was tested with.",
                "Use an image unchanged: its transformers is the one that its vLLM was tested with.",
            ),
            (
                "If the model is newer than the image, use a newer one in container.image; if transformers was "
                "upgraded in it, take the older one back (vLLM up to 0.11 wants transformers 4)."
            ),
        ),
        log=texts(
            r"StrictDataclassFieldValidationError|StrictDataclassClassValidationError",
            r"has no attribute '?all_special_tokens_extended",
            r"ValueError: '[\w-]+' is already used by a Transformers (?:config|model), pick another name",
            r"cannot import name '(?P<name>\w+)' from '(?:transformers|vllm\.transformers_utils)[\w.]*'",
            (
                r"'(?!Vllm|Model|Compilation|Parallel|Cache|Scheduler|Speculative|Load|Device|Attention"
                r"|KV)\w+Config' object has no attribute "
            ),
            r"module '?transformers(?!_modules)[\w.]*'? has no attribute '(?P<name>\w+)'",
            r"'(?!MistralTokenizer'|Cached)\w+Tokenizer(?:Fast)?' object has no attribute '(?P<name>\w+)'",
            r"Received a \w+ for argument \w+, but a .{1,200} was expected",
            r"ModuleNotFoundError: No module named 'transformers\.[\w.]+'",
            r"data did not match any variant of untagged enum \w+",
            (
                r"Error: transformers\S*(?:>=|<|==)\S+ is required|Error: .*[Rr]equires? transformers ?(?:>=|<|=="
                r"|version)"
            ),
        ),
        raised=texts(
            r"/transformers/modeling_rope_utils\.py → KeyError: ",
            r"/transformers/\S+ → TypeError: [\w.]+\(\) got an unexpected keyword",
            r"/transformers/tokenization_\S+ → AttributeError: ",
            r"/transformers/models/\S*processing\S* → AttributeError: '\w*Tokenizer\w*' object",
        ),
    ),
    Rule(
        id="python-package-missing",
        title="a Python package is missing: {module}",
        why="The model, its tokenizer, a flag or a plugin needs a package that the image does not have.",
        advice=(
            (
                "Use an image that has it, or build one: FROM the image, RUN pip install the package; then "
                "container.image."
            ),
            "Or leave out what needs it: the flag in server.flags, the variable in server.env.",
        ),
        log=texts(
            r"PackageNotFoundError: No package metadata was found for (?!vllm\b)(?P<module>\w+)",
            r"Error: `?(?P<module>\w+)`? is not installed|RuntimeError: No module named '?(?P<package>\w+)",
            (
                r"ModuleNotFoundError: No module named '(?P<module>(?!vllm\.|transformers\b"
                r"|transformers_modules)[\w.]+)'"
            ),
            (
                r"(?:Import|ModuleNotFound|Value|Runtime)Error: .*[Pp]lease install (?:or update )?(?:the "
                r")?[`']?(?P<module>[\w\[\].-]+)"
            ),
            r"packages that were not found in your environment: (?P<module>[\w., -]+)",
            r"requires? (?:the )?[`']?(?P<module>\w+)[`']? library but it was not found in your environment",
            r"[`']?(?P<module>tiktoken|sentencepiece|protobuf)[`']? is required to read",
            r"need to have (?P<module>sentencepiece)(?: or tiktoken)? installed",
            r"Error: .*Failed to import (?P<module>[Rr]ay)\b|the package (?P<flash>\w+) seems to be not installed",
            r"Error: .*but (?P<module>\w+) module was not found|Error: .*\b(?P<package>\w+) is not installed",
            r"Error: .*pip install (?P<module>[\w\[\].-]+).* to use",
            r"ImportError: (?:.{0,60} )?(?P<module>[\w.-]+) (?:is|are) (?:required|not (?:installed|available|found))",
            r"ImportError: .*\b(?:pip|uv) install |ImportError: .*requires (?:the )?installation of (?P<module>\w+)",
            r"Error: (?P<module>pplx_kernels|DeepEP|MoRI)(?: kernels)? not found",
            r"(?P<package>[Ff]lash[Ii]nfer) .*module (?:not|cannot be) found",
            r"Error: (?P<module>DeepEP v2|MoonEP) (?:\(\w+\) )?not available",
            r"ImportError: .*requires the `(?P<package>[\w-]+)` package",
            r"Error: (?P<module>FlashInfer|Cutlass) is required for|requires (?P<package>CuteDSL); install it",
            r"Error: (?P<module>\w+) is required for the '\w+'|ImportError: Failed to import (?P<package>[\w.]+)",
            r"torch\.xpu\.\S+ (?:is|are|MemPool APIs are) not available|allocator extension is not available",
            r"[Ll]ong audio .* requires (?P<module>FlashAttention)",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="python-packages-mismatch",
        title="Python packages of the image do not fit together",
        why="One package was replaced by a version that another one was not made for.",
        advice=(
            "Use the image unchanged, or install what you add with the versions that its vLLM demands: pip check.",
            (
                "Check that no folder of packages from the node lies over the image's: container.mounts, "
                "PYTHONPATH in "
                "server.env and container.env."
            ),
        ),
        log=texts(
            r"flashinfer-(?:cubin|jit-cache) version \(\S+ does not match",
            r"PyTorch was compiled with CUDA \S+ but|PydanticUserError: ",
            r"is required for a normal functioning of this module, but found",
            r"ImportError: cannot import name '(?P<name>\w+)' from '(?!transformers|vllm)(?P<module>[\w.]+)'",
            r"numpy\.dtype size changed|numpy\.ufunc size changed|RuntimeError: Numpy is not available",
            r"ImportError: numpy\.core\.multiarray failed to import|Numba needs NumPy \S+ or less",
            r"TypeError: Descriptors cannot (?:not )?be created directly",
            r"operator torchvision::\w+ does not exist|PyTorch and torch\w+ were compiled with different CUDA",
            (
                r"infer_schema\(func\): Parameter \w+ has unsupported type|VersionConflict: "
                r"|TypeError: \w*(?:flash_attn|trtllm|flashinfer"
                r"|cutlass)\w*\(\) got an unexpected keyword argument"
            ),
            r"AttributeError: (?:partially initialized )?module '(?!vllm|transformers)[\w.]+' has no attribute",
            r"TypeError: (?:snapshot_download|hf_hub_download|cached_files?)\(\) got an unexpected keyword argument",
            (
                r"TypeError: (?:\w+_(?:fwd|bwd|forward)|\w+_cuda|flash_\w+)\(\)"
                r"(?:: incompatible function arguments| takes \d+)"
            ),
            r"TypeError: type '[\w.]+' is not subscriptable|for \|: '(?:type|_\w+|\w+Meta)' and '",
            r"was removed in the NumPy 2\.0 release",
            r"'(?:_IncludedRouter|FieldInfo|APIRouter|FastAPI)' object has no attribute",
            r"TypeError: (?:Router|APIRouter|FastAPI|Starlette)\.\w+\(\) got an unexpected keyword argument",
            r"TypeError: \w+(?:Attention|Prefill|Decode)\w*Wrapper\.\w+\(\) got an unexpected keyword argument",
            r"Error: .*(?:requires|needs) (?:PyTorch|torch) ?>= ?\d",
        ),
    ),
    Rule(
        id="plugin-mismatch",
        title="a plugin of vLLM, or code laid over it, is made for another version",
        why=(
            "Plugins for accelerators and models reach into vLLM's inner parts, which change with every version; one "
            "that they ask for is not there in this one."
        ),
        advice=(
            (
                "Use the image that the plugin's makers publish for vLLM {version}, unchanged.",
                "Use the image that the plugin's makers publish, unchanged.",
            ),
            "If plugins are not needed, load none: VLLM_PLUGINS in server.env, set to the names that are.",
            "Check that container.mounts lays no folder of another vLLM over the image's.",
        ),
        log=texts(
            (
                r"cannot import name '(?P<name>\w+)' from (?:partially initialized module )?'vllm"
                r"(?!\.(?:transformers_utils|vllm_flash_attn|_\w*C\b))[\w.]*'(?! \(unknown)"
            ),
            r"No module named '(?P<module>vllm\.(?!\S*_\w*C')[\w.]+)'",
            r"Current vLLM config is not set\. |needs? to use the new-style plugin|Please register it using @register_",
        ),
        raised=texts(
            rf"{_PLUGIN}/.* → TypeError: {_CALL_REFUSED}",
            (
                rf"{_PLUGIN}/.* → AttributeError: "
                r"'\w+(?:Config|Args|Context|Output|Batch|Runner|Worker|Spec|Metadata|Layer)'"
            ),
            rf"{_PLUGIN}/.* → AttributeError: (?:module 'vllm[\w.]*'|type object '\w+') has no attribute",
            rf"/vllm/.* → TypeError: (?:\w+\.)*{_PLUGIN_CLASS}\w*(?:\.\w+)*\(\) {_REFUSED}",
            rf"/vllm/.* → AttributeError: (?:type object )?'{_PLUGIN_CLASS}\w*' (?:object )?has no attribute",
            rf"→ TypeError: Can't instantiate abstract class {_PLUGIN_CLASS}\w* ",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="platform-plugins-clash",
        title="several plugins want to be this server's platform",
        why="The image has plugins for several kinds of accelerators, and more than one takes the machine for its own.",
        advice=(
            "Name the one to load: VLLM_PLUGINS in server.env; the line lists them.",
            "Or use an image for this accelerator alone; cuda and cpu together: its vLLM was built for CPUs.",
        ),
        log=texts(r"Only one platform plugin can be activated, but got: (?P<names>.+)"),
    ),
)

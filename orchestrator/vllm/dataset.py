"""The flags in which vLLM's benchmark clients want each dataset described.

Sources: the argument parsers of `vllm bench serve` and benchmark_serving.py 0.8.0 to 0.33.0, and that of
`vllm-rs bench serve` 0.32.0. Of a dataset that is not in this table the client is told its name and its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DatasetFlags:
    """How one dataset is described."""

    output_len: str | None
    """Output tokens of each request; None for a dataset whose requests have no output."""
    input_len: str | None = None
    """Prompt tokens of each request."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Its other keys in the profile, each with the flag's names, newest first."""
    own_output: str | None = None
    """What the output length is where each line of the file is to say it; None where nothing needs to be said."""


FLAGS: Mapping[str, DatasetFlags] = {
    "random": DatasetFlags(
        "--random-output-len",
        "--random-input-len",
        {
            "range_ratio": ("--random-range-ratio",),
            "prefix_len": ("--random-prefix-len",),
            "batch_size": ("--random-batch-size",),
        },
    ),
    "random-mm": DatasetFlags(
        "--random-output-len",
        "--random-input-len",
        {
            "range_ratio": ("--random-range-ratio",),
            "prefix_len": ("--random-prefix-len",),
            "items": ("--random-mm-base-items-per-request",),
        },
    ),
    "random-rerank": DatasetFlags(
        None,
        "--random-input-len",
        {
            "range_ratio": ("--random-range-ratio",),
            "batch_size": ("--random-batch-size",),
            "reranker": ("--no-reranker",),
        },
    ),
    "sharegpt": DatasetFlags("--sharegpt-output-len"),
    "sonnet": DatasetFlags("--sonnet-output-len", "--sonnet-input-len", {"prefix_len": ("--sonnet-prefix-len",)}),
    "prefix_repetition": DatasetFlags(
        "--prefix-repetition-output-len",
        options={
            "prefix_len": ("--prefix-repetition-prefix-len",),
            "suffix_len": ("--prefix-repetition-suffix-len",),
            "num_prefixes": ("--prefix-repetition-num-prefixes",),
        },
    ),
    "custom": DatasetFlags(
        "--custom-output-len",
        options={"skip_chat_template": ("--skip-chat-template", "--custom-skip-chat-template")},
        own_output="-1",
    ),
    **dict.fromkeys(("custom_image", "custom_audio"), DatasetFlags("--custom-output-len")),
    "hf": DatasetFlags(
        "--hf-output-len",
        options={
            "subset": ("--hf-subset",),
            "split": ("--hf-split",),
            "hf_name": ("--hf-name",),
            "stream": ("--no-stream",),
            "skip_chat_template": ("--skip-chat-template",),
        },
    ),
    "spec_bench": DatasetFlags("--spec-bench-output-len", options={"category": ("--spec-bench-category",)}),
    "speed_bench": DatasetFlags(
        "--speed-bench-output-len",
        options={"subset": ("--speed-bench-dataset-subset",), "category": ("--speed-bench-category",)},
    ),
}
SHARED_NAMES = frozenset({"hf", "spec_bench", "speed_bench", "random-mm"})
"""Datasets whose flags may stand in `bench.client_flags` as well, unless their key is given."""


@dataclass(frozen=True)
class Said:
    """One thing that the client is told about a point, and the key of the profile that asks for it."""

    key: str
    names: tuple[str, ...]
    """Names of the flag, newest first."""
    value: str | None = None
    """None for a flag that stands alone."""

    def name(self, options: frozenset[str] | None) -> str:
        """Return the newest name that the client knows, or the newest of all where none is known or none was asked."""
        return next((name for name in self.names if options and name in options), self.names[0])


def said_of_dataset(
    dataset: str,
    input_len: int | None,
    output_len: int | None,
    options: Mapping[str, object],
    *,
    generates: bool = True,
) -> list[Said]:
    """Return what a client is told about a point's prompts, without the name of the dataset and its file.

    Args:
        dataset: The dataset's name.
        input_len: Prompt tokens of each request, where the profile says.
        output_len: Output tokens of each request, where the profile says.
        options: The dataset's other keys.
        generates: Requests have an output.
    """
    flags = FLAGS.get(dataset)
    if flags is None:
        return []
    said = []
    if flags.input_len is not None and input_len is not None:
        said.append(Said("bench.lengths", (flags.input_len,), str(input_len)))
    output = (flags.own_output if generates else None) if output_len is None else str(output_len)
    if output is not None and flags.output_len is not None:
        key = "bench.dataset.output_len" if flags.input_len is None else "bench.lengths"
        said.append(Said(key, (flags.output_len,), output))
    for name, value in options.items():
        said.append(Said(f"bench.dataset.{name}", flags.options[name], _shown(value)))
    return said


def _shown(value: object) -> str | None:
    """Return how a key's value is written; None for a switch, whose flag stands alone."""
    if isinstance(value, bool):
        return None
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)


def owned_flags() -> dict[str, str]:
    """Return every flag that only a dataset's key may set, without its dashes, and that key of the profile."""
    owned = {}
    for name, flags in FLAGS.items():
        if name in SHARED_NAMES:
            continue
        output = "bench.dataset.output_len" if flags.input_len is None else "bench.lengths"
        if flags.output_len is not None:
            owned[flags.output_len] = output
        if flags.input_len is not None:
            owned[flags.input_len] = output
        options = flags.options.items()
        owned |= {flag: f"bench.dataset.{key}" for key, names in options for flag in names}
    del owned["--skip-chat-template"]  # datasets beyond this table know it too
    return {name.removeprefix("--"): key for name, key in owned.items()}

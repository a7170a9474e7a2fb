"""The datasets of a sweep: where prompts come from, each kind with its own keys.

A file of the node is mounted read-only into the container; which flags the client gets is the dialect's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, ValidatorFunctionWrapHandler, field_validator

from orchestrator.profile.schema.dataset.base import Dataset, FileDataset, Length, json_lines, mistyped, place_of
from orchestrator.profile.schema.dataset.hub import HubDataset, SpecBenchDataset, SpeedBenchDataset
from orchestrator.profile.schema.dataset.random import (
    PrefixRepetitionDataset,
    RandomDataset,
    RandomMultiModalDataset,
    RandomRerankDataset,
)
from orchestrator.profile.schema.values import Count, NonEmpty

__all__ = ["AnyDataset", "Dataset", "FileDataset", "RandomDataset", "place_of"]

OTHER = "<other>"
"""What stands in the place of an error for a dataset that has no keys of its own."""


class ShareGptDataset(FileDataset):
    """Conversations in a JSON file; the first turn is the prompt, the second tells how long the output is.

    The client takes prompts of 4 to 1024 tokens with which the output makes at most 2048, and drops all others.
    """

    name: Literal["sharegpt"]
    """Conversations in a JSON file."""
    output_len: Count | None = None
    """Output tokens of each request, reached exactly; without it at most as many as the conversation's answer has."""


class SonnetDataset(FileDataset):
    """Lines of a text file, as many as fit into the input length of `bench.lengths`.

    Clients from vLLM 0.32 on do not have it; the model's tokenizer needs a chat template.
    """

    name: Literal["sonnet"]
    """Lines of a text file."""
    prefix_len: Length = 200
    """Tokens, out of the input length, that all prompts of a point share."""

    @property
    def has_lengths(self) -> bool:
        """Say that `bench.lengths` says how long requests are."""
        return True

    def options(self) -> dict[str, Any]:
        """Return how much prompts share."""
        return {"prefix_len": self.prefix_len}


class CustomDataset(FileDataset):
    """Prompts of one's own: a file `*.jsonl` with a JSON object a line, the prompt under `prompt`."""

    name: Literal["custom"]
    """Prompts of one's own in a JSON Lines file."""
    output_len: Count | None = None
    """Output tokens of each request, reached exactly; without it at most as many as the line's `output_tokens` says."""
    skip_chat_template: StrictBool = False
    """Send prompts as they are, without the model's chat template around them."""

    def options(self) -> dict[str, Any]:
        """Return whether prompts are sent as they are."""
        return {"skip_chat_template": True} if self.skip_chat_template else {}

    @field_validator("file", "path", mode="wrap")
    @classmethod
    def _json_lines(cls, file: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return json_lines(file, handler, "custom")


class CustomMediaDataset(FileDataset):
    """Prompts of one's own with images or sounds: a file `*.jsonl` with a JSON object a line.

    What it names must lie in the container: mount it.
    """

    name: Literal["custom_image", "custom_audio"]
    """Prompts with images, or with sounds."""
    output_len: Count = 256
    """Output tokens of each request."""

    @property
    def needs_backend(self) -> tuple[str, ...]:
        """Return the backends that the client sends images or sounds to."""
        return ("openai-chat", "openai-audio") if self.name == "custom_audio" else ("openai-chat",)

    @field_validator("file", "path", mode="wrap")
    @classmethod
    def _json_lines(cls, file: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return json_lines(file, handler, "custom")


NAMED: dict[str, type[Dataset]] = {
    "random": RandomDataset,
    "random-mm": RandomMultiModalDataset,
    "random-rerank": RandomRerankDataset,
    "prefix_repetition": PrefixRepetitionDataset,
    "sharegpt": ShareGptDataset,
    "sonnet": SonnetDataset,
    "custom": CustomDataset,
    **dict.fromkeys(("custom_image", "custom_audio"), CustomMediaDataset),
    "hf": HubDataset,
    "spec_bench": SpecBenchDataset,
    "speed_bench": SpeedBenchDataset,
}


class OtherDataset(FileDataset):
    """Any other dataset of the client; its flags are given in `bench.client_flags`."""

    needs_file: ClassVar[bool] = False

    name: Annotated[NonEmpty, Field(json_schema_extra={"not": {"enum": list(NAMED)}})]
    """Name of the dataset as the client knows it, such as `burstgpt` or `timed_trace`."""


def _kind(value: Any) -> str:
    if isinstance(value, Dataset):
        name = value.name
    else:
        name = value.get("name", "random") if isinstance(value, Mapping) else "random"
    if not isinstance(name, str):
        return OTHER
    meant = [name] if name in NAMED else mistyped(name)  # so that the other keys are judged as what was meant
    return f"<{_first_of(meant[0])}>" if meant else OTHER


def _first_of(name: str) -> str:
    """Return the first of the names that a dataset's kind has."""
    return next(known for known, kind in NAMED.items() if kind is NAMED[name])


AnyDataset = Annotated[
    Annotated[RandomDataset, Tag("<random>")]
    | Annotated[RandomMultiModalDataset, Tag("<random-mm>")]
    | Annotated[RandomRerankDataset, Tag("<random-rerank>")]
    | Annotated[PrefixRepetitionDataset, Tag("<prefix_repetition>")]
    | Annotated[ShareGptDataset, Tag("<sharegpt>")]
    | Annotated[SonnetDataset, Tag("<sonnet>")]
    | Annotated[CustomDataset, Tag("<custom>")]
    | Annotated[CustomMediaDataset, Tag("<custom_image>")]
    | Annotated[HubDataset, Tag("<hf>")]
    | Annotated[SpecBenchDataset, Tag("<spec_bench>")]
    | Annotated[SpeedBenchDataset, Tag("<speed_bench>")]
    | Annotated[OtherDataset, Tag(OTHER)],
    Discriminator(_kind),
]

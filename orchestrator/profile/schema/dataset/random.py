"""The datasets that the client makes up: random tokens, with images or in pairs where the API wants those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag, ValidationInfo, field_validator

from orchestrator.profile.schema.dataset.base import Dataset, Length
from orchestrator.profile.schema.values import Count, Section
from orchestrator.text import Text


def _ratio(value: Any) -> Any:
    if isinstance(value, int | float) and value >= 1:
        raise ValueError(
            Text(
                "must be less than 1, and 0 for exact lengths; a script that draws lengths from X·r to X "
                "is told its own: client_flags: {{random-range-ratio: {value}}}",
                value=value,
            )
        )
    return value


Ratio = Annotated[
    float,
    Field(ge=0, lt=1, strict=True),
    BeforeValidator(_ratio, json_schema_input_type=Annotated[float, Field(ge=0, lt=1, strict=True)]),
]


class RangeRatio(Section):
    """How far lengths of prompts and of outputs vary, each by itself."""

    input: Ratio = 0.0
    """Of prompts."""
    output: Ratio = 0.0
    """Of outputs."""


def _ratio_kind(value: Any) -> str:
    return "<each>" if isinstance(value, RangeRatio | Mapping) else "<both>"


AnyRatio = Annotated[Annotated[Ratio, Tag("<both>")] | Annotated[RangeRatio, Tag("<each>")], Discriminator(_ratio_kind)]


class _Drawn(Dataset):
    """Random tokens, whose lengths may vary."""

    range_ratio: AnyRatio = 0.0
    """How far lengths vary: those of X tokens are drawn evenly from X·(1 - r) to X·(1 + r); 0 makes them exact.
    `{input: r, output: r}` says it of each; clients before vLLM 0.20 know one number only."""

    @property
    def has_lengths(self) -> bool:
        """Say that `bench.lengths` says how long requests are."""
        return True

    def options(self) -> dict[str, Any]:
        """Return how lengths vary, if they do."""
        asked = self.range_ratio
        each = {"input": asked.input, "output": asked.output} if isinstance(asked, RangeRatio) else {"input": asked}
        ratio = each if len(set(each.values())) > 1 else each["input"]
        return {"range_ratio": ratio} if ratio else {}


class RandomDataset(_Drawn):
    """Random tokens, as many as `bench.lengths` asks for."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"batch_size"})

    name: Literal["random"] = "random"
    """Prompts are of the asked length, but for tokens that merge."""
    prefix_len: Length = 0
    """Tokens that all prompts of a point begin with, before those of `bench.lengths`."""
    batch_size: Count = 1
    """Texts of one request, for backends that embed; `num_prompts` counts texts."""

    def options(self) -> dict[str, Any]:
        """Return what differs from exact lengths and prompts that share nothing."""
        values = {"prefix_len": self.prefix_len, "batch_size": self.batch_size if self.batch_size > 1 else 0}
        return {**super().options(), **{key: value for key, value in values.items() if value}}


class RandomMultiModalDataset(_Drawn):
    """Random tokens with random images, for `openai-chat`; what else images are like is said in `client_flags`."""

    name: Literal["random-mm"]
    """Random tokens with random images."""
    prefix_len: Length = 0
    """Tokens that all prompts of a point begin with, before those of `bench.lengths`."""
    items: Length | None = None
    """Images of a request, on average; the client's own number is 1."""

    @property
    def needs_backend(self) -> tuple[str, ...]:
        """Return the one backend that every client sends images to."""
        return ("openai-chat",)

    def options(self) -> dict[str, Any]:
        """Return what differs from what the client does by itself."""
        values = {**super().options(), "items": self.items, "prefix_len": self.prefix_len or None}
        return {key: value for key, value in values.items() if value is not None}


class RandomRerankDataset(_Drawn):
    """A random query with random documents; the input length is that of a query with one document."""

    name: Literal["random-rerank"]
    """A random query with random documents."""
    batch_size: Count = 1
    """Documents of one request; `num_prompts` counts documents."""
    reranker: StrictBool = True
    """The model takes query and document together; false for one that embeds each by itself, where `batch_size` and
    `num_prompts` count the query too."""

    @field_validator("reranker")
    @classmethod
    def _batch_holds_the_query(cls, reranker: bool, info: ValidationInfo) -> bool:
        if not reranker and info.data.get("batch_size") == 1:
            raise ValueError("without a reranker batch_size counts the query too, and must be 2 or more")
        return reranker

    @property
    def needs_backend(self) -> tuple[str, ...]:
        """Return the backend that takes a query with documents."""
        return ("vllm-rerank",)

    def options(self) -> dict[str, Any]:
        """Return what differs from one document at a time for a model that reranks."""
        values = {
            **super().options(),
            "batch_size": self.batch_size if self.batch_size > 1 else None,
            "reranker": None if self.reranker else False,
        }
        return {key: value for key, value in values.items() if value is not None}


class PrefixRepetitionDataset(Dataset):
    """Random prompts in groups that share a prefix, to measure the prefix cache."""

    name: Literal["prefix_repetition"]
    """Random prompts in groups that share a prefix."""
    prefix_len: Count = 256
    """Tokens that the prompts of a group share."""
    suffix_len: Count = 256
    """Tokens of a prompt after that."""
    num_prefixes: Count = 10
    """Groups; `num_prompts` is a multiple of it."""
    output_len: Count = 128
    """Output tokens of each request."""

    @property
    def groups(self) -> int:
        """Return how many prefixes share the prompts evenly."""
        return self.num_prefixes

    def options(self) -> dict[str, Any]:
        """Return the shape of the prompts."""
        return {"prefix_len": self.prefix_len, "suffix_len": self.suffix_len, "num_prefixes": self.num_prefixes}

"""The kinds of value in the `bench` section, each read from the forms in which people write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from orchestrator.profile.schema.arrival import as_list
from orchestrator.profile.schema.quantities import Duration
from orchestrator.profile.schema.values import ABSOLUTE_PATH_PATTERN, AbsolutePath, Count, NonEmpty, Section
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.text import Text
from orchestrator.workload.backend import BACKENDS, OTHER_NAMES


class LengthProduct(Section):
    """All combinations of input and output lengths."""

    input: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Prompt lengths in tokens."""
    output: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """Output lengths in tokens; left out for a backend whose requests generate nothing."""


def _read_pair(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise ValueError("write an input and an output length, such as [512, 512]")
    return value


def _lengths_kind(value: Any) -> str:
    return "<combined>" if isinstance(value, LengthProduct | Mapping) else "<pairs>"


LengthPair = Annotated[tuple[Count, Count], BeforeValidator(_read_pair, json_schema_input_type=tuple[Count, Count])]
Lengths = Annotated[
    Annotated[tuple[LengthPair, ...], Field(json_schema_extra={"minItems": 1}), Tag("<pairs>")]
    | Annotated[LengthProduct, Tag("<combined>")],
    Discriminator(_lengths_kind),
]


Counts = Annotated[
    Annotated[tuple[Count, ...], Field(min_length=1)],
    BeforeValidator(as_list, json_schema_input_type=Count | Annotated[list[Count], Field(min_length=1)]),
]


def _read_prompts(value: Any) -> Any:
    counts = as_list(value)
    if isinstance(counts, list | tuple) and any(item == ALL_PROMPTS for item in counts):
        raise ValueError(
            "all of a dataset is refused, because a measurement is complete only by a number; count its prompts (a "
            "custom dataset has as many as lines: wc -l) and write how many"
        )
    return value


ALL_PROMPTS = -1
"""What newer clients take for all prompts of a dataset."""
Prompts = Annotated[Counts, BeforeValidator(_read_prompts)]
Percentile = Annotated[float, Field(gt=0, lt=100, strict=True)]
Percentiles = Annotated[
    tuple[Percentile, ...],
    BeforeValidator(as_list, json_schema_input_type=Percentile | list[Percentile]),
]
EndpointPath = Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]


def _read_backend(value: Any) -> Any:
    if not isinstance(value, str) or value in BACKENDS:
        return value
    meant = [OTHER_NAMES[value]] if value in OTHER_NAMES else nearest(value, BACKENDS)
    hint = did_you_mean(meant) or f"; there are {', '.join(BACKENDS)}"
    raise ValueError(Text("unknown backend{hint}", hint=hint))


BackendName = Annotated[
    NonEmpty,
    BeforeValidator(_read_backend),
    WithJsonSchema({"type": "string", "enum": list(BACKENDS), "title": "Backend"}),
]


class Estimate(Section):
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    ttft: Duration = 1.0
    """Expected time to first token."""
    tpot: Duration = 0.05
    """Expected time per further output token."""


def _warmup_kind(value: Any) -> str:
    return "<auto>" if isinstance(value, str) else "<requests>"


Warmup = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")] | Annotated[Annotated[int, Field(ge=0, strict=True)], Tag("<requests>")],
    Discriminator(_warmup_kind),
]


def _client_kind(value: Any) -> str:
    return "<path>" if isinstance(value, str) and value.startswith("/") else "<name>"


Client = Annotated[
    Annotated[Literal["vllm", "vllm-rs"], Tag("<name>")] | Annotated[AbsolutePath, Tag("<path>")],
    Discriminator(_client_kind),
]

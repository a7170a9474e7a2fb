"""The datasets that come from the Hugging Face hub, or from a copy of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, StrictBool, ValidationInfo

from orchestrator.profile.schema.dataset.base import FileDataset
from orchestrator.profile.schema.problems import Lacking, Problem, given
from orchestrator.profile.schema.values import Count, NonEmpty


class _HubDataset(FileDataset):
    """Prompts that the client fetches, or reads from a copy."""

    path: NonEmpty | None = Field(default=None, validate_default=True)
    """Name on the hub, which the client fetches from within the container, or a path that is in the container."""
    output_len: Count | None = None
    """Output tokens of each request, reached exactly; without it what the client takes for this dataset, at most."""

    @classmethod
    def _misplaced(cls, path: object, info: ValidationInfo) -> Iterator[Problem]:
        if given(info, "file") and path is not None:
            yield (), "give either file, which is on the node, or path, which is in the container"
        if not given(info, "file") and path is None:
            text = f"the dataset '{info.data.get('name')}' needs path: a name on the hub, or a path in the container"
            yield (), Lacking(text, "bench.dataset.path", "bench.dataset.file")


class HubDataset(_HubDataset):
    """A dataset of the Hugging Face hub, one of those that the client knows how to read."""

    ADDED: ClassVar[frozenset[str]] = frozenset(
        {"output_len", "subset", "split", "hf_name", "stream", "skip_chat_template"}
    )

    name: Literal["hf"]
    """A dataset of the hub."""
    subset: NonEmpty | None = None
    """Its subset."""
    split: NonEmpty | None = None
    """Its split, such as `train`."""
    hf_name: NonEmpty | None = None
    """Name on the hub of what lies under a path, by which the client knows how to read it."""
    stream: StrictBool = True
    """Read no more of it than is needed; false fetches all of it first."""
    skip_chat_template: StrictBool = False
    """Send prompts as they are, without the model's chat template around them."""

    def options(self) -> dict[str, Any]:
        """Return what the client is told beside the name."""
        values = {
            "subset": self.subset,
            "split": self.split,
            "hf_name": self.hf_name,
            "stream": None if self.stream else False,
            "skip_chat_template": True if self.skip_chat_template else None,
        }
        return {key: value for key, value in values.items() if value is not None}


class SpecBenchDataset(_HubDataset):
    """The questions of Spec-Bench, in a JSON Lines file."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"output_len", "category"})

    name: Literal["spec_bench"]
    """The questions of Spec-Bench."""
    category: NonEmpty | None = None
    """Only those of one category."""

    def options(self) -> dict[str, Any]:
        """Return which of the questions are asked."""
        return {} if self.category is None else {"category": self.category}


class SpeedBenchDataset(_HubDataset):
    """The prompts of SPEED-Bench, in a folder in the container."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"output_len", "subset", "category"})

    name: Literal["speed_bench"]
    """The prompts of SPEED-Bench."""
    subset: NonEmpty | None = None
    """Its subset, such as `qualitative`."""
    category: NonEmpty | None = None
    """Only those of one category."""

    def options(self) -> dict[str, Any]:
        """Return which of the prompts are sent."""
        values = {"subset": self.subset, "category": self.category}
        return {key: value for key, value in values.items() if value is not None}

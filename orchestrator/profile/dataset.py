"""The datasets of a sweep: where prompts come from, each kind with its own keys.

A file of the node is mounted read-only into the container; which flags the client gets is the dialect's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, WithJsonSchema, field_validator

from orchestrator.profile.names import did_you_mean, nearest
from orchestrator.profile.together import Lacking, checked, given
from orchestrator.profile.values import ABSOLUTE_PATH_PATTERN, AbsolutePath, Count, Section, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationInfo, ValidatorFunctionWrapHandler

    from orchestrator.profile.together import Problem

FOLDER = "/run/orch-dataset"
"""Folder in the container that the node's file is mounted into, under its own name."""
OTHER = "<other>"
"""What stands in the place of an error for a dataset that has no keys of its own."""
JSON_LINES = ".jsonl"
"""How a file of the custom dataset must be named: vLLM's client reads no other."""

NodeFile = Annotated[
    str, Field(pattern=ABSOLUTE_PATH_PATTERN), WithJsonSchema({"type": "string", "minLength": 1, "title": "File"})
]
Length = Annotated[int, Field(ge=0, strict=True)]


def place_of(file: str) -> str:
    """Return where in the container a file of the node is mounted."""
    return f"{FOLDER}/{file.rpartition('/')[2]}"


class Dataset(Section):
    """What all datasets have in common."""

    name: Text
    """Which dataset this is."""

    @field_validator("name", mode="before")
    @classmethod
    def _name_is_not_mistyped(cls, name: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        if isinstance(name, str) and (meant := _mistyped(name)):
            raise ValueError(f"unknown dataset{did_you_mean(meant)}")
        return name

    @property
    def client_path(self) -> str | None:
        """Return where the client finds the file, if the dataset is one."""
        return None

    @property
    def node_file(self) -> str | None:
        """Return the file of the node that has to be mounted, if there is one."""
        return None

    @property
    def groups(self) -> int:
        """Return what the number of prompts is a multiple of."""
        return 1

    def options(self) -> dict[str, Any]:
        """Return the keys that differ from the client's own behaviour, without the file and the output length."""
        return {}


class FileDataset(Dataset):
    """A dataset that is a file."""

    needs_file: ClassVar[bool] = True

    file: NodeFile | None = None
    """File of the node, relative to the profile's file; it is mounted read-only, hashed and recorded."""
    path: AbsolutePath | None = Field(default=None, validate_default=True)
    """File that is in the container already, in place of `file`."""

    @property
    def client_path(self) -> str | None:
        """Return where the client finds the file."""
        return self.path if self.file is None else place_of(self.file)

    @property
    def node_file(self) -> str | None:
        """Return the file of the node that has to be mounted, if it is not in the container already."""
        return self.file

    @field_validator("path", mode="wrap")
    @classmethod
    def _one_place(cls, path: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        return checked(path, handler, cls._misplaced(path, info))

    @classmethod
    def _misplaced(cls, path: object, info: ValidationInfo) -> Iterator[Problem]:
        if given(info, "file") and path is not None:
            yield (), "give either file, which is on the node, or path, which is in the container"
        if cls.needs_file and not given(info, "file") and path is None:
            text = f"the dataset '{info.data.get('name')}' is a file: give file, which is on the node, or path"
            yield (), Lacking(text, "bench.dataset.file", "bench.dataset.path")


class RandomDataset(Dataset):
    """Random tokens, as many as `bench.lengths` asks for."""

    name: Literal["random"] = "random"
    """Prompts are of the asked length, but for tokens that merge."""
    range_ratio: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    """How far lengths vary: those of X tokens are drawn evenly from X·(1 - r) to X·(1 + r); 0 makes them exact."""
    prefix_len: Length = 0
    """Tokens that all prompts of a point begin with, before those of `bench.lengths`."""

    def options(self) -> dict[str, Any]:
        """Return what differs from exact lengths and prompts that share nothing."""
        values = {"range_ratio": self.range_ratio, "prefix_len": self.prefix_len}
        return {key: value for key, value in values.items() if value}


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

    def options(self) -> dict[str, Any]:
        """Return how much prompts share."""
        return {"prefix_len": self.prefix_len}


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
    def _json_lines(cls, file: Any, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
        wrong = isinstance(file, str) and not file.endswith(JSON_LINES)
        problem = f"the file of a custom dataset is JSON Lines, and its name must end in {JSON_LINES}"
        return checked(file, handler, [((), problem)] if wrong else [])


NAMED: dict[str, type[Dataset]] = {
    "random": RandomDataset,
    "sharegpt": ShareGptDataset,
    "sonnet": SonnetDataset,
    "prefix_repetition": PrefixRepetitionDataset,
    "custom": CustomDataset,
}


class OtherDataset(FileDataset):
    """Any other dataset of the client; its flags are given in `bench.client_flags`."""

    needs_file: ClassVar[bool] = False

    name: Annotated[Text, Field(json_schema_extra={"not": {"enum": list(NAMED)}})]
    """Name of the dataset as the client knows it, such as `hf` or `burstgpt`."""


def _mistyped(name: str) -> list[str]:
    """Return what was meant by a name that no dataset has; `random-mm` and its like are datasets of the client."""
    is_one = name in NAMED or name.startswith(tuple(f"{known}{mark}" for known in NAMED for mark in "-_"))
    return [] if is_one else nearest(name, NAMED)


def _kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    if isinstance(value, Dataset):
        name = value.name
    else:
        name = value.get("name", "random") if isinstance(value, Mapping) else "random"
    if not isinstance(name, str):
        return OTHER
    meant = [name] if name in NAMED else _mistyped(name)  # so that the other keys are judged as what was meant
    return f"<{meant[0]}>" if meant else OTHER


AnyDataset = Annotated[
    Annotated[RandomDataset, Tag("<random>")]
    | Annotated[ShareGptDataset, Tag("<sharegpt>")]
    | Annotated[SonnetDataset, Tag("<sonnet>")]
    | Annotated[PrefixRepetitionDataset, Tag("<prefix_repetition>")]
    | Annotated[CustomDataset, Tag("<custom>")]
    | Annotated[OtherDataset, Tag(OTHER)],
    Discriminator(_kind),
]

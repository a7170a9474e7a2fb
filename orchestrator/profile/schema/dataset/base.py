"""What all datasets of a sweep have in common, and what those have that are files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from orchestrator.profile.schema.problems import Lacking, Problem, checked, given
from orchestrator.profile.schema.values import AbsolutePath, Grown, NodeFile, NonEmpty
from orchestrator.profile.text.names import did_you_mean, nearest
from orchestrator.text import Text

FOLDER = "/run/orch-dataset"
"""Folder in the container that the node's file is mounted into, under its own name."""
JSON_LINES = ".jsonl"
"""How a file of the custom datasets must be named: vLLM's client reads no other."""
NAMES = (
    *("random", "random-mm", "random-rerank", "prefix_repetition", "sharegpt", "sonnet"),
    *("custom", "custom_image", "custom_audio", "hf", "spec_bench", "speed_bench"),
)
"""The datasets that have keys of their own."""


def _in_the_container(path: Any) -> Any:
    if isinstance(path, str) and path and not path.startswith("/"):
        raise ValueError(
            Text("must be an absolute path in the container; of a file of the node write file: {path}", path=path)
        )
    return path


ContainerPath = Annotated[AbsolutePath, BeforeValidator(_in_the_container, json_schema_input_type=AbsolutePath)]
Length = Annotated[int, Field(ge=0, strict=True)]


def place_of(file: str) -> str:
    """Return where in the container a file of the node is mounted."""
    return f"{FOLDER}/{file.rpartition('/')[2]}"


def mistyped(name: str) -> list[str]:
    """Return what was meant by a name that no dataset has; `custom_x` and its like may be datasets of the client."""
    is_one = name in NAMES or name.startswith(tuple(f"{known}{mark}" for known in NAMES for mark in "-_"))
    return [] if is_one else nearest(name, NAMES)


class Dataset(Grown):
    """What all datasets have in common."""

    name: NonEmpty
    """Which dataset this is."""

    @field_validator("name", mode="before")
    @classmethod
    def _name_is_not_mistyped(cls, name: Any) -> Any:
        if isinstance(name, str) and (meant := mistyped(name)):
            raise ValueError(Text("unknown dataset{did_you_mean}", did_you_mean=did_you_mean(meant)))
        return name

    @property
    def client_path(self) -> str | None:
        """Return where the client finds the prompts: a path in the container, or a name on the hub."""
        return None

    @property
    def container_path(self) -> str | None:
        """Return the file or folder in the container, if there is one."""
        path = self.client_path
        return path if path is not None and path.startswith("/") else None

    @property
    def node_file(self) -> str | None:
        """Return the file of the node that has to be mounted, if there is one."""
        return None

    @property
    def groups(self) -> int:
        """Return what the number of prompts is a multiple of."""
        return 1

    @property
    def has_lengths(self) -> bool:
        """Say whether `bench.lengths` says how long its requests are."""
        return False

    @property
    def needs_backend(self) -> tuple[str, ...]:
        """Return the backends that it can be sent to; empty for all."""
        return ()

    @property
    def asked_output_len(self) -> int | None:
        """Return the output length that its own keys ask for, if they do."""
        found = getattr(self, "output_len", None)
        return found if isinstance(found, int) else None

    def options(self) -> dict[str, Any]:
        """Return the keys that differ from the client's own behaviour, without the file and the output length."""
        return {}


class FileDataset(Dataset):
    """A dataset that is a file."""

    needs_file: ClassVar[bool] = True

    file: NodeFile | None = None
    """File of the node, relative to the profile's file; it is mounted read-only, hashed and recorded."""
    path: ContainerPath | None = Field(default=None, validate_default=True)
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
    def _one_place(cls, path: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return checked(path, handler, cls._misplaced(path, info))

    @classmethod
    def _misplaced(cls, path: object, info: ValidationInfo) -> Iterator[Problem]:
        if given(info, "file") and path is not None:
            yield (), "give either file, which is on the node, or path, which is in the container"
        if cls.needs_file and "name" in info.data and not given(info, "file") and path is None:
            name = info.data["name"]
            text = f"the dataset '{name}' is a file: give file, which is on the node, or path"
            yield (), Lacking(text, "bench.dataset.file", "bench.dataset.path")


def json_lines(file: Any, handler: ValidatorFunctionWrapHandler, name: str) -> Any:
    """Return the file of a dataset that is JSON Lines; its name says so, or is a fault."""
    wrong = isinstance(file, str) and not file.endswith(JSON_LINES)
    problem = f"the file of a {name} dataset is JSON Lines, and its name must end in {JSON_LINES}"
    return checked(file, handler, [((), problem)] if wrong else [])

"""The kinds of value that a profile is made of, each read from the forms in which people write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StrictBool,
    Tag,
    field_validator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationInfo

    from orchestrator.profile.together import Problem

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FLAG_NAME = re.compile(r"-{0,2}[A-Za-z0-9][A-Za-z0-9_.-]*\+?")
END = r"$(?!\n)"
"""The end of the text; `$` alone would also match before a final newline."""
ENV_NAME_PATTERN = rf"^{ENV_NAME.pattern}{END}"
FLAG_NAME_PATTERN = rf"^{FLAG_NAME.pattern}{END}"
PROFILE_NAME_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,62}}{END}"
ABSOLUTE_PATH_PATTERN = "^/"
DEVICE_PATH_PATTERN = rf"^/[^:]*{END}"
"""Docker takes a device as text in which colons separate."""
DEVICE_PERMISSIONS_PATTERN = rf"^[rwm]{{1,3}}{END}"
CDI_PATTERN = (
    r"^[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?"
    rf"=[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?{END}"
)
"""A qualified name: cncf-tags/container-device-interface, pkg/parser."""
HELD_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}{END}"
ULIMIT_NAME_PATTERN = rf"^[a-z]+{END}"
AXIS_PATTERN = rf"^(server|container)\.\S+{END}"
IPC_PATTERN = rf"^(private|shareable|host|none|container:.+){END}"

AbsolutePath = Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]


def _number_text(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


TextOrNumber = Annotated[Text, BeforeValidator(_number_text, json_schema_input_type=Text | int)]


class Section(BaseModel):
    """Unknown keys are errors and nothing changes after loading."""

    # Deferred: a command that reads no profile does not pay for its validators.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, regex_engine="python-re")


class FromEnv(Section):
    """A secret that is read from an environment variable of the shell that runs orch."""

    from_env: Annotated[str, Field(pattern=ENV_NAME_PATTERN)]
    """Name of the variable; the value never enters the profile, the record or the container's definition."""


class FromFile(Section):
    """A secret that is read from a file on the node."""

    from_file: AbsolutePath
    """The file's path; a final newline is not part of the value."""


SecretRef = FromEnv | FromFile


def _env_text(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if isinstance(value, bool):
        raise ValueError('an environment variable is text: write "1", "0", "true" or "false" in quotes')  # noqa: TRY004 - pydantic expects it
    return _number_text(value)


def _env_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    if isinstance(value, FromFile) or (isinstance(value, Mapping) and "from_file" in value):
        return "<from_file>"
    return "<from_env>" if isinstance(value, FromEnv | Mapping) else "<text>"


def is_secret(value: Any) -> bool:  # noqa: ANN401 - sees whatever the file holds
    """Say whether a variable is set to a secret, be it a well-formed one or not."""
    return _env_kind(value) != "<text>"


PlainEnvValue = Annotated[str, BeforeValidator(_env_text, json_schema_input_type=str | int | float)]
EnvValue = Annotated[
    Annotated[PlainEnvValue, Tag("<text>")]
    | Annotated[FromEnv, Tag("<from_env>")]
    | Annotated[FromFile, Tag("<from_file>")],
    Discriminator(_env_kind),
]
Env = Mapping[Annotated[str, Field(pattern=ENV_NAME_PATTERN)], EnvValue | None]
"""Variables by name; null takes away a variable that an extended profile sets."""

Flags = Mapping[Annotated[str, Field(pattern=FLAG_NAME_PATTERN)], JsonValue]
"""Command-line flags, with or without their dashes; see `orchestrator.vllm.flags` for how values are written."""


def _read_mount(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if not isinstance(value, str):
        return value
    parts = value.split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"], ["rw"]):
        raise ValueError(f"'{value}' is not a mount; write /on/the/node:/in/the/container, then :ro for read-only")
    return {"source": parts[0], "target": parts[1], "read_only": parts[2:] == ["ro"]}


class MountSpec(Section):
    """A folder or file of the node that the container sees; also written `source:target[:ro]`."""

    source: AbsolutePath
    """Path on the node; it must exist."""
    target: AbsolutePath
    """Path in the container."""
    read_only: StrictBool = False
    """Whether the container may only read it."""


Mount = Annotated[MountSpec, BeforeValidator(_read_mount, json_schema_input_type=str | MountSpec)]


def mount_targets(mounts: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - sees whatever the file holds
    """Yield where each mount that has a target is mounted, by its place in the list."""
    for number, mount in enumerate(mounts) if isinstance(mounts, list | tuple) else ():
        target = _target(mount)
        if isinstance(target, str):
            yield number, target.rstrip("/")


def _target(mount: Any) -> Any:  # noqa: ANN401 - sees whatever the file holds
    if isinstance(mount, str):
        return mount.split(":")[1] if ":" in mount else None
    if isinstance(mount, Mapping):
        return mount.get("target")
    return mount.target if isinstance(mount, MountSpec) else None


def mounted_twice(mounts: Any) -> Iterator[Problem]:  # noqa: ANN401 - sees whatever the file holds
    """Yield the mounts whose target another one before them has."""
    seen: set[str] = set()
    for number, target in mount_targets(mounts):
        if target in seen:
            yield (number, "target"), f"two mounts share the target {target}"
        seen.add(target)


def _read_ulimit(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return {"soft": value, "hard": value} if isinstance(value, int | str) else value


class UlimitSpec(Section):
    """A resource limit of the container's processes; also written as one number for both; -1 is no limit."""

    soft: Annotated[int, Field(ge=-1, strict=True)]
    """The limit in force."""
    hard: Annotated[int, Field(ge=-1, strict=True)]
    """How far a process may raise it."""

    @field_validator("hard")
    @classmethod
    def _soft_is_within_hard(cls, hard: int, info: ValidationInfo) -> int:
        soft = info.data.get("soft")
        if soft is not None and hard != -1 and (soft == -1 or soft > hard):
            raise ValueError(f"the soft limit {soft} is above the hard limit {hard}")
        return hard


Ulimit = Annotated[UlimitSpec, BeforeValidator(_read_ulimit, json_schema_input_type=int | UlimitSpec)]

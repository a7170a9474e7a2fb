"""The kinds of value that a profile is made of, each read from the forms in which people write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    SerializerFunctionWrapHandler,
    StrictBool,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from orchestrator.profile.schema.mount_text import VARIABLE, VOLUME_NAME, read_mount, target_of
from orchestrator.profile.schema.pairs import ALONE, PLAIN, PairForm, as_mapping
from orchestrator.profile.schema.patterns import (
    END,
    LABEL_NAME_PATTERN,
    LABEL_PATTERN,
    LIMIT,
    MOUNT_TEXT_PATTERN,
    PAIR_PATTERN,
)
from orchestrator.profile.schema.problems import Problem
from orchestrator.text import Text

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FLAG_NAME = re.compile(r"-{0,2}[A-Za-z0-9][A-Za-z0-9_.-]*\+?")
ENV_NAME_PATTERN = rf"^{ENV_NAME.pattern}{END}"
FLAG_NAME_PATTERN = rf"^{FLAG_NAME.pattern}{END}"
PROFILE_NAME_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,62}}{END}"
ABSOLUTE_PATH_PATTERN = "^/"
NODE_PATH_PATTERN = rf"^(?![\s\S]*{VARIABLE.pattern})[\s\S]"
"""A path of the node, absolute or not; what looks like a variable is none of its name."""
IMAGE_PATTERN = rf"^[^\s$]+{END}"
CAPABILITY_PATTERN = rf"^[A-Za-z_]+{END}"
SECURITY_OPTION_PATTERN = rf"^(no-new-privileges|[a-z-]+[=:][\s\S]+){END}"
TMPFS_PATTERN = rf"^/[^:]*(:[^:]+)?{END}"
HOST_PATTERN = rf"^[^:=\s]+[:=]\S+{END}"
CGROUP_RULE_PATTERN = rf"^[acb] (\*|[0-9]+):(\*|[0-9]+) [rwm]{{1,3}}{END}"
NAMESPACE_PATTERN = rf"^(host|container:.+){END}"
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
ULIMIT_PATTERN = rf"^{LIMIT}{END}"
AXIS_PATTERN = rf"^(server|container)\.\S+{END}"
IPC_PATTERN = rf"^(private|shareable|host|none|container:.+){END}"

AbsolutePath = Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]
NodeFile = Annotated[
    str,
    Field(pattern=ABSOLUTE_PATH_PATTERN),
    WithJsonSchema({"type": "string", "pattern": NODE_PATH_PATTERN, "title": "File"}),
]
"""A file of the node; a relative path is one of the profile's folder, which reading a profile makes whole."""
NonEmpty = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]


def _number_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


TextOrNumber = Annotated[NonEmpty, BeforeValidator(_number_text, json_schema_input_type=NonEmpty | float)]


class Section(BaseModel):
    """Unknown keys are errors and nothing changes after loading."""

    # Deferred: a command that reads no profile does not pay for its validators.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, regex_engine="python-re")


class Grown(Section):
    """A section to which keys were added: while they are not set, a dump and its hash are as they were before."""

    ADDED: ClassVar[frozenset[str]] = frozenset()
    """Keys that are left out of a dump where they have their default; the others come first."""

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        added = {
            key: data[key]
            for key in data
            if key in self.ADDED and getattr(self, key) != fields[key].get_default(call_default_factory=True)
        }
        return {**{key: value for key, value in data.items() if key not in self.ADDED}, **added}


class _OrOne:
    """Says in the JSON Schema that one value stands for a list of one."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler(core)
        return {"anyOf": [whole["items"], whole]}


def listed(value: Any) -> Any:
    """Return a list, or one value as a list of it."""
    if isinstance(value, Mapping) and value and all(str(key).isdecimal() for key in value):
        raise ValueError("must be a list; its items have no keys, so give the whole list")
    return value if isinstance(value, list | tuple) else (value,)


Item = TypeVar("Item")
OneOrMore = Annotated[tuple[Item, ...], BeforeValidator(listed), _OrOne()]
"""A list; one value that is no list stands for a list of one."""


class OrPairs:
    """Reads docker's list of `NAME=VALUE`, or one of them, as a mapping, and says so in the JSON Schema."""

    def __init__(self, form: PairForm = PLAIN, pattern: str = PAIR_PATTERN) -> None:
        self.form = form
        self.pattern = pattern

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: as_mapping(value, self.form), handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pair = {"type": "string", "pattern": self.pattern}
        return {"anyOf": [handler(core), pair, {"type": "array", "items": pair}]}


Pairs = Annotated[Mapping[NonEmpty, TextOrNumber], OrPairs()]
"""A mapping, also written as docker's `NAME=VALUE`."""
Labels = Annotated[
    Mapping[
        Annotated[NonEmpty, Field(json_schema_extra={"pattern": LABEL_NAME_PATTERN})],
        Annotated[str, BeforeValidator(_number_text, json_schema_input_type=str | float)],
    ],
    OrPairs(ALONE, LABEL_PATTERN),
]
"""The same, of which a value may be empty: docker's `NAME=` or `NAME`."""


class FromEnv(Section):
    """A secret that is read from an environment variable of the shell that runs orch."""

    from_env: Annotated[str, Field(pattern=ENV_NAME_PATTERN)]
    """Name of the variable; the value never enters the profile, the record or the container's definition."""


class FromFile(Section):
    """A secret that is read from a file on the node."""

    from_file: NodeFile
    """The file's path; a final newline is not part of the value."""


SecretRef = FromEnv | FromFile


def _no_number(value: Any) -> Any:
    """Return a value that is no number, which Python takes for true or false."""
    return value if isinstance(value, bool) or not isinstance(value, int | float) else str(value)


class Inherit(Section):
    """A variable that is no secret, passed on from the shell that runs orch: docker's `--env NAME`."""

    inherit: Annotated[Literal[True, False, "if-set"], BeforeValidator(_no_number)]
    """`true` refuses to start where it is not set there. With `if-set` the container then goes without it, as with
    docker: without the image's own value too. `false` takes the image's own value away wherever it is started."""


def _env_text(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError('an environment variable is text: write "1", "0", "true" or "false" in quotes')
    return _number_text(value)


def _env_kind(value: Any) -> str:
    for name, kind in (("from_file", FromFile), ("inherit", Inherit)):
        if isinstance(value, kind) or (isinstance(value, Mapping) and name in value):
            return f"<{name}>"
    return "<from_env>" if isinstance(value, FromEnv | Mapping) else "<text>"


def is_secret(value: Any) -> bool:
    """Say whether a variable is set to a secret, be it a well-formed one or not."""
    return _env_kind(value) in ("<from_env>", "<from_file>")


def is_inherited(value: Any) -> bool:
    """Say whether a variable is passed on from the shell that runs orch, or taken away from the image."""
    return _env_kind(value) == "<inherit>"


def is_told_at_start(value: Any) -> bool:
    """Say whether only the shell that runs orch tells what a variable is."""
    said = value.inherit if isinstance(value, Inherit) else value.get("inherit") if isinstance(value, Mapping) else None
    return is_inherited(value) and said is not False


PlainEnvValue = Annotated[str, BeforeValidator(_env_text, json_schema_input_type=str | int | float)]
EnvValue = Annotated[
    Annotated[PlainEnvValue, Tag("<text>")]
    | Annotated[FromEnv, Tag("<from_env>")]
    | Annotated[FromFile, Tag("<from_file>")]
    | Annotated[Inherit, Tag("<inherit>")],
    Discriminator(_env_kind),
]
Env = Mapping[Annotated[str, Field(pattern=ENV_NAME_PATTERN)], EnvValue | None]
"""Variables by name; null takes away a variable that an extended profile sets."""

Flags = Mapping[Annotated[str, Field(pattern=FLAG_NAME_PATTERN)], JsonValue]
"""Command-line flags, with or without their dashes; see `orchestrator.vllm.flags` for how values are written."""


class MountSpec(Grown):
    """A folder or file of the node, or a volume, that the container sees; also written `source:target[:options]`."""

    source: Annotated[str, Field(pattern=NODE_PATH_PATTERN)]
    """Path on the node, which must exist (from `~` or the profile's own folder on if not absolute), or a volume."""
    target: Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]
    """Path in the container."""
    read_only: StrictBool = False
    """Whether the container may only read it."""
    type: Annotated[Literal["bind", "volume"], Field(validate_default=True)] = "bind"
    """`bind` is a path of the node; a name without a slash is a `volume`, which stays when the container goes."""
    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] | None = None
    """Whether mounts made below it on one side show on the other."""
    selinux: Literal["z", "Z"] | None = None
    """SELinux label: `z` shared between containers, `Z` this container's own."""
    no_copy: StrictBool = False
    """Leave a new volume empty, instead of filling it with what the image has at the target."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"type", "propagation", "selinux", "no_copy"})

    @field_validator("target")
    @classmethod
    def _target_is_written_out(cls, target: str) -> str:
        if VARIABLE.search(target):
            raise ValueError(
                Text("'{target}' holds a variable, and a profile reads none: write the path out", target=target)
            )
        return target

    @field_validator("type")
    @classmethod
    def _source_is_of_the_type(cls, kind: str, info: ValidationInfo) -> str:
        source = info.data.get("source", "/")
        if kind == "bind" and not source.startswith("/"):
            raise ValueError(Text("the source '{source}' must be a path: absolute, or from ~/ or ./ on", source=source))
        if kind == "volume" and not VOLUME_NAME.fullmatch(source):
            raise ValueError(
                Text("'{source}' is no volume's name; a path of the node is of the type bind", source=source)
            )
        return kind

    @field_validator("propagation", "no_copy")
    @classmethod
    def _option_is_of_the_type(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("type") == ("volume" if info.field_name == "propagation" else "bind"):
            kind = "a path of the node" if info.field_name == "propagation" else "a volume"
            raise ValueError(Text("only {kind} can have it", kind=kind))
        return value

    @field_validator("selinux")
    @classmethod
    def _label_is_written_with_colons(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and any(":" in info.data.get(key, "") for key in ("source", "target")):
            raise ValueError("docker cannot label a path that holds a colon; mount it under another name")
        return value


MountText = Annotated[str, Field(pattern=MOUNT_TEXT_PATTERN)]
Mount = Annotated[MountSpec, BeforeValidator(read_mount, json_schema_input_type=MountText | MountSpec)]


def mount_targets(mounts: Any) -> Iterator[tuple[int, str]]:
    """Yield where each mount that has a target is mounted, by its place in the list."""
    for number, mount in enumerate(mounts if isinstance(mounts, list | tuple) else [mounts]):
        target = _target(mount)
        if isinstance(target, str):
            yield number, target.rstrip("/")


def _target(mount: Any) -> Any:
    return mount.target if isinstance(mount, MountSpec) else target_of(mount)


def mounted_twice(mounts: Any) -> Iterator[Problem]:
    """Yield the mounts whose target another one before them has."""
    seen: set[str] = set()
    for number, target in mount_targets(mounts):
        if target in seen:
            yield (number, "target"), f"two mounts share the target {target}"
        seen.add(target)


def _read_ulimit(value: Any) -> Any:
    if not isinstance(value, int | str):
        return value
    soft, colon, hard = value.partition(":") if isinstance(value, str) else (value, "", value)
    limits = [
        int(text) if re.fullmatch(r"-?[0-9]{1,19}", str(text)) else text for text in (soft, hard if colon else soft)
    ]
    return dict(zip(("soft", "hard"), limits, strict=True))


class UlimitSpec(Section):
    """A resource limit of the container's processes; also written `both` or `soft:hard`; -1 is no limit."""

    soft: Annotated[int, Field(ge=-1, strict=True)]
    """The limit in force."""
    hard: Annotated[int, Field(ge=-1, strict=True)]
    """How far a process may raise it."""

    @field_validator("hard")
    @classmethod
    def _soft_is_within_hard(cls, hard: int, info: ValidationInfo) -> int:
        soft = info.data.get("soft")
        if soft is not None and hard != -1 and (soft == -1 or soft > hard):
            raise ValueError(Text("the soft limit {soft} is above the hard limit {hard}", soft=soft, hard=hard))
        return hard


UlimitText = Annotated[str, Field(pattern=ULIMIT_PATTERN)]
Ulimit = Annotated[UlimitSpec, BeforeValidator(_read_ulimit, json_schema_input_type=int | UlimitText | UlimitSpec)]

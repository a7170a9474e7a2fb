"""The profile as frozen models: each key, its type, its default and what it means.

The JSON Schema, the reference page and every error message derive from these classes. Nothing here reads a
file, the environment or a clock.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

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
    model_validator,
)

from orchestrator.objectives import parse_objective
from orchestrator.profile.units import Duration, Size  # noqa: TC001 - pydantic looks these up when it runs

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FLAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
END = r"$(?!\n)"
"""The end of the text; `$` alone would also match before a final newline."""
ENV_NAME_PATTERN = rf"^{ENV_NAME.pattern}{END}"
FLAG_NAME_PATTERN = rf"^{FLAG_NAME.pattern}{END}"
PROFILE_NAME_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,62}}{END}"
ABSOLUTE_PATH_PATTERN = "^/"
DEVICE_PERMISSIONS_PATTERN = rf"^[rwm]{{1,3}}{END}"
HELD_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}{END}"
ULIMIT_NAME_PATTERN = rf"^[a-z]+{END}"
IPC_PATTERN = rf"^(private|shareable|host|none|container:.+){END}"

AbsolutePath = Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, strict=True)]


def _number_text(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


TextOrNumber = Annotated[Text, BeforeValidator(_number_text, json_schema_input_type=Text | int)]


class _Model(BaseModel):
    """Unknown keys are errors and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, regex_engine="python-re")


class FromEnv(_Model):
    """A secret that is read from an environment variable of the shell that runs orch."""

    from_env: Annotated[str, Field(pattern=ENV_NAME_PATTERN)]
    """Name of the variable; the value never enters the profile, the record or the container's definition."""


class FromFile(_Model):
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
"""Command-line flags without their dashes; see `orchestrator.vllm.flags` for how values are written."""


def _read_mount(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if not isinstance(value, str):
        return value
    parts = value.split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"], ["rw"]):
        raise ValueError(f"'{value}' is not a mount; write /on/the/node:/in/the/container, then :ro for read-only")
    return {"source": parts[0], "target": parts[1], "read_only": parts[2:] == ["ro"]}


class MountSpec(_Model):
    """A folder or file of the node that the container sees; also written `source:target[:ro]`."""

    source: AbsolutePath
    """Path on the node; it must exist."""
    target: AbsolutePath
    """Path in the container."""
    read_only: StrictBool = False
    """Whether the container may only read it."""


Mount = Annotated[MountSpec, BeforeValidator(_read_mount, json_schema_input_type=str | MountSpec)]


def _read_device(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if not isinstance(value, str):
        return value
    source, _, rest = value.partition(":")
    target, _, permissions = rest.partition(":")
    return {"source": source, "target": target or source, "permissions": permissions or "rwm"}


class DeviceSpec(_Model):
    """A device node of the node; also written `/dev/kfd` or `/dev/a:/dev/b:rwm`."""

    source: AbsolutePath
    """Path of the device, or of a folder of devices, on the node."""
    target: AbsolutePath
    """Path in the container."""
    permissions: Annotated[str, Field(pattern=DEVICE_PERMISSIONS_PATTERN)] = "rwm"
    """What the container may do: read, write, make nodes."""


Device = Annotated[DeviceSpec, BeforeValidator(_read_device, json_schema_input_type=str | DeviceSpec)]


def _read_ulimit(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return {"soft": value, "hard": value} if isinstance(value, int | str) else value


class UlimitSpec(_Model):
    """A resource limit of the container's processes; also written as one number for both; -1 is no limit."""

    soft: Annotated[int, Field(ge=-1, strict=True)]
    """The limit in force."""
    hard: Annotated[int, Field(ge=-1, strict=True)]
    """How far a process may raise it."""

    @model_validator(mode="after")
    def _soft_is_within_hard(self) -> UlimitSpec:
        if self.hard != -1 and (self.soft == -1 or self.soft > self.hard):
            raise ValueError(f"the soft limit {self.soft} is above the hard limit {self.hard}")
        return self


Ulimit = Annotated[UlimitSpec, BeforeValidator(_read_ulimit, json_schema_input_type=int | UlimitSpec)]


def _gpus_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    if isinstance(value, list | tuple):
        return "<ids>"
    return "<all>" if isinstance(value, str) else "<count>"


Gpus = Annotated[
    Annotated[Literal["all"], Tag("<all>")]
    | Annotated[Count, Tag("<count>")]
    | Annotated[tuple[TextOrNumber, ...], Tag("<ids>")],
    Discriminator(_gpus_kind),
]


def _holds_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<auto>" if isinstance(value, str) else "<names>"


Holds = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")]
    | Annotated[tuple[Annotated[str, Field(pattern=HELD_PATTERN)], ...], Tag("<names>")],
    Discriminator(_holds_kind),
]


class Container(_Model):
    """The container that the server runs in: what `docker run` would be told."""

    image: Text
    """Image reference."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When to pull the image."""
    devices: tuple[Device, ...] = ()
    """Device nodes given to the container."""
    gpus: Gpus | None = None
    """NVIDIA devices by the container toolkit: `all`, a count, or a list of device ids."""
    mounts: tuple[Mount, ...] = ()
    """Folders and files of the node that the container sees."""
    shm_size: Size | None = None
    """Size of /dev/shm; tensor-parallel workers talk through it."""
    ipc: Annotated[str, Field(pattern=IPC_PATTERN)] | None = None
    """IPC namespace; `host` shares the node's, and then `shm_size` has no effect."""
    network: Text = "bridge"
    """`host`, `bridge` or the name of a network."""
    privileged: StrictBool = False
    """Give every capability and every device of the node."""
    security_opt: tuple[Text, ...] = ()
    """Security options such as `seccomp=unconfined`."""
    group_add: tuple[TextOrNumber, ...] = ()
    """Further groups of the container's user, by name in the image or by number."""
    cap_add: tuple[Text, ...] = ()
    """Capabilities to add, such as SYS_NICE for NUMA binding."""
    cap_drop: tuple[Text, ...] = ()
    """Capabilities to drop."""
    ulimits: Mapping[Annotated[str, Field(pattern=ULIMIT_NAME_PATTERN)], Ulimit] = Field(default_factory=dict)
    """Resource limits by name, such as `memlock: -1`."""
    cpuset_cpus: TextOrNumber | None = None
    """CPUs the container may use, such as `0-15`."""
    cpuset_mems: TextOrNumber | None = None
    """NUMA nodes whose memory it may use, such as `0,1`."""
    memory: Size | None = None
    """Memory limit."""
    runtime: Text | None = None
    """OCI runtime, where the node has a special one such as `dcu` or `nvidia`."""
    user: TextOrNumber | None = None
    """User in the container, as `name` or `uid:gid`."""
    env: Env = Field(default_factory=dict)
    """Environment of every process in the container."""
    holds: Holds = "auto"
    """What no other deployment of this node may hold meanwhile; `auto` is the accelerators that it makes visible."""
    source: tuple[AbsolutePath, ...] = ()
    """Shell files of the image that are sourced before the server starts, such as the DTK's env.sh."""
    supervise: StrictBool = True
    """Run the server under orch's supervisor, which stops it when its owner dies or its time is up."""

    @model_validator(mode="after")
    def _no_mount_target_twice(self) -> Container:
        targets = [mount.target.rstrip("/") for mount in self.mounts]
        for target in targets:
            if targets.count(target) > 1:
                raise ValueError(f"two mounts share the target {target}")
        return self


class Server(_Model):
    """The vLLM server in the container."""

    model: Text
    """Model path in the container, or a hub name."""
    command: Annotated[tuple[Text, ...], Field(min_length=1)] = ("vllm", "serve")
    """Command that the model and the flags are appended to."""
    host: Text = "127.0.0.1"
    """IP address of the node that the server can be reached at; 0.0.0.0 is all of them."""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 8000
    """Port of the node that the server can be reached at."""
    flags: Flags = Field(default_factory=dict)
    """Any flag of `vllm serve`: true, false (`--no-…`), number, text, list, or a mapping that becomes JSON.

    Null takes a flag away that an extended profile sets.
    """
    env: Env = Field(default_factory=dict)
    """Environment of the server alone, set after the sourced files."""

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, host: str) -> str:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"'{host}' is not an IP address; write 127.0.0.1 for this node alone") from None
        return host

    @field_validator("flags")
    @classmethod
    def _own_keys_stay_out_of_flags(cls, flags: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        return check_flags(flags, {"host": "server.host", "port": "server.port", "model": "server.model"})


class Health(_Model):
    """When the server counts as healthy, and how long that may take."""

    deadline: Duration = 1800.0
    """Longest time from the container's start to the first answer."""
    expected: Mapping[Literal["image", "container", "weights", "graphs"], Duration] = Field(default_factory=dict)
    """How long each phase usually takes; for the estimate and the progress display."""


class Dataset(_Model):
    """Where prompts come from."""

    name: Text = "random"
    """A dataset name of vLLM's client; `random` makes prompts of the asked length, but for tokens that merge."""
    path: AbsolutePath | None = None
    """File in the container, for datasets that are files."""


class LengthProduct(_Model):
    """All combinations of input and output lengths."""

    input: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Prompt lengths in tokens."""
    output: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Output lengths in tokens."""


def _read_pair(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise ValueError("write an input and an output length, such as [512, 512]")
    return value


def _lengths_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<combined>" if isinstance(value, LengthProduct | Mapping) else "<pairs>"


LengthPair = Annotated[tuple[Count, Count], BeforeValidator(_read_pair, json_schema_input_type=tuple[Count, Count])]
Lengths = Annotated[
    Annotated[tuple[LengthPair, ...], Tag("<pairs>")] | Annotated[LengthProduct, Tag("<combined>")],
    Discriminator(_lengths_kind),
]


def _as_list(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    return [value] if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _rate(value: Any) -> Any:  # noqa: ANN401 - a validator sees whatever the file holds
    if value in ("inf", ".inf", float("inf")):
        return "inf"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be requests per second, or inf to send everything at once")  # noqa: TRY004 - pydantic expects it
    return value


def _rate_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<inf>" if value == "inf" else "<number>"


Rate = Annotated[
    Annotated[Literal["inf"], Tag("<inf>")] | Annotated[float, Field(gt=0, allow_inf_nan=False), Tag("<number>")],
    Discriminator(_rate_kind),
    BeforeValidator(_rate, json_schema_input_type=Literal["inf"] | Annotated[float, Field(gt=0)]),
]
Counts = Annotated[
    Annotated[tuple[Count, ...], Field(min_length=1)],
    BeforeValidator(_as_list, json_schema_input_type=Count | Annotated[list[Count], Field(min_length=1)]),
]
Rates = Annotated[
    Annotated[tuple[Rate, ...], Field(min_length=1)],
    BeforeValidator(_as_list, json_schema_input_type=Rate | Annotated[list[Rate], Field(min_length=1)]),
]


class Estimate(_Model):
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    ttft: Duration = 1.0
    """Expected time to first token."""
    tpot: Duration = 0.05
    """Expected time per further output token."""


def _warmup_kind(value: Any) -> str:  # noqa: ANN401 - sees whatever the file holds
    return "<auto>" if isinstance(value, str) else "<requests>"


Warmup = Annotated[
    Annotated[Literal["auto"], Tag("<auto>")] | Annotated[Annotated[int, Field(ge=0, strict=True)], Tag("<requests>")],
    Discriminator(_warmup_kind),
]


class Bench(_Model):
    """The sweep: each combination of lengths, concurrency, request rate and number of prompts is a point."""

    lengths: Lengths | None = None
    """Lengths in tokens: a list of [input, output] pairs, or `input:` and `output:` lists to combine."""
    concurrency: Counts | None = None
    """Requests in flight at most; none means no limit."""
    request_rate: Rates = ("inf",)
    """Requests per second; `inf` sends everything at once."""
    num_prompts: Counts | None = None
    """Requests of a point."""
    prompts_per_concurrency: Count | None = None
    """Requests of a point as a multiple of its concurrency, in place of `num_prompts`."""
    repetitions: Count = 1
    """How many times each point is measured."""
    warmup: Warmup = "auto"
    """Requests sent before a point is first measured, at its input length and concurrency; left out of every result.
    `auto` is as many as are in flight at once, at most 64."""
    client: Literal["vllm"] | AbsolutePath = "vllm"
    """What measures: `vllm`, which is `vllm bench serve` of the image, or the path of a benchmark_serving.py in it."""
    dataset: Dataset = Dataset()
    """Where prompts come from."""
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    """Base from which each point's own seed is derived, so that no two points share prompts."""
    client_flags: Flags = Field(default_factory=dict)
    """Further flags of the benchmark client, written as in `server.flags`."""
    deadline: Duration = 1800.0
    """Longest time for one point; the client is then killed in the container."""
    stall: Duration = 300.0
    """The server counts as hanging when requests run and no token has come for this long."""
    restarts: Annotated[int, Field(ge=0, strict=True)] = 1
    """How often a server that died during the sweep is started again before the run is given up."""
    estimate: Estimate = Estimate()
    """A guess of the server's speed, used only to estimate how long the sweep takes."""

    @field_validator("client_flags")
    @classmethod
    def _own_keys_stay_out_of_flags(cls, flags: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        owned = {
            "max-concurrency": "bench.concurrency",
            "request-rate": "bench.request_rate",
            "num-prompts": "bench.num_prompts",
            "random-input-len": "bench.lengths",
            "random-output-len": "bench.lengths",
            "dataset-name": "bench.dataset.name",
            "dataset-path": "bench.dataset.path",
            "seed": "bench.seed",
            "model": "server.model",
            "host": "server.host",
            "port": "server.port",
        }
        for name in ("backend", "endpoint-type", "save-result", "result-dir", "result-filename"):
            owned[name] = "orch itself"
        return check_flags(flags, owned)

    @model_validator(mode="after")
    def _axes_fit_together(self) -> Bench:
        if (self.num_prompts is None) == (self.prompts_per_concurrency is None):
            raise ValueError("give either num_prompts or prompts_per_concurrency")
        if self.prompts_per_concurrency is not None and self.concurrency is None:
            raise ValueError("prompts_per_concurrency multiplies concurrency, which is not given")
        if self.dataset.name == "random" and not self.lengths:
            raise ValueError("the random dataset needs lengths, such as [[512, 512], [1024, 1024]]")
        if self.dataset.name != "random" and self.lengths is not None:
            raise ValueError(
                f"lengths belong to the random dataset; give '{self.dataset.name}' its flags in client_flags"
            )
        return self


class Profile(_Model):
    """One profile, resolved: bases merged, defaults filled, frozen."""

    name: Annotated[str, Field(pattern=PROFILE_NAME_PATTERN)]
    """Name of the profile; from the file's name unless given."""
    description: str = ""
    """What it is for, in one line."""
    container: Container
    server: Server
    health: Health = Health()
    bench: Bench | None = None
    """The sweep; a profile without one can be served but not benchmarked."""
    objectives: tuple[Text, ...] = ()
    """What each measurement must keep to, such as `p99_ttft_ms<2000`; a run that misses one ends with exit code 4."""

    def secrets(self) -> dict[str, SecretRef]:
        """Return the secrets by environment variable; the server's own win over the container's."""
        merged = {**self.container.env, **self.server.env}
        return {name: value for name, value in merged.items() if isinstance(value, FromEnv | FromFile)}

    @field_validator("objectives")
    @classmethod
    def _objectives_can_be_read(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        for text in objectives:
            parse_objective(text)
        return objectives

    @model_validator(mode="after")
    def _secrets_need_the_supervisor(self) -> Profile:
        if not self.container.supervise and self.secrets():
            raise ValueError(
                "secrets are handed to the server by the supervisor; set container.supervise to true or "
                f"remove {', '.join(sorted(self.secrets()))}"
            )
        return self


def check_flags(flags: Mapping[str, JsonValue], owned: Mapping[str, str]) -> Mapping[str, JsonValue]:
    """Return the flags; raise ValueError for one that another key owns, or one written in two ways."""
    seen: dict[str, str] = {}
    for name in flags:
        plain = name.replace("_", "-")
        if plain in owned:
            raise ValueError(f"'{name}' is set by {owned[plain]}")
        if plain in seen:
            raise ValueError(f"'{name}' and '{seen[plain]}' are the same flag")
        seen[plain] = name
    return flags

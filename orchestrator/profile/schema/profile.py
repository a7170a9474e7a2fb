"""The profile as frozen models: each key, its type, its default and what it means.

The JSON Schema, the reference page and every error message derive from these classes. Nothing here reads a
file, the environment or a clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from orchestrator.metrics.objectives import OBJECTIVE_PATTERN, parse_objective
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.container_checks import misfits
from orchestrator.profile.schema.dataset.kinds import place_of
from orchestrator.profile.schema.devices import Device, Gpus, Holds
from orchestrator.profile.schema.docker_options import DockerOptions
from orchestrator.profile.schema.flag_names import check_flags
from orchestrator.profile.schema.pairs import PLAIN
from orchestrator.profile.schema.patterns import ADDRESS_PATTERN, NETWORK_PATTERN, ULIMIT_PAIR_PATTERN
from orchestrator.profile.schema.problems import Problem, checked, raise_all
from orchestrator.profile.schema.quantities import Duration, Size
from orchestrator.profile.schema.values import (
    CAPABILITY_PATTERN,
    IMAGE_PATTERN,
    IPC_PATTERN,
    PROFILE_NAME_PATTERN,
    SECURITY_OPTION_PATTERN,
    ULIMIT_NAME_PATTERN,
    AbsolutePath,
    Env,
    Flags,
    FromEnv,
    FromFile,
    Grown,
    Mount,
    NonEmpty,
    OneOrMore,
    OrPairs,
    SecretRef,
    Section,
    TextOrNumber,
    Ulimit,
    is_inherited,
    is_secret,
    is_told_at_start,
    mount_targets,
    mounted_twice,
)
from orchestrator.profile.schema.vary import Vary
from orchestrator.text import Text
from orchestrator.vllm.command import command_problem
from orchestrator.vllm.command_spelling import spelling_problem


def _objective(text: str) -> str:
    parse_objective(text)
    return text


Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
OWNED = {
    "host": "server.host",
    "port": "server.port",
    **dict.fromkeys(("model", "model-tag"), "server.model"),
}
"""Flags of the server that keys of the profile set, with those keys."""
ObjectiveText = Annotated[NonEmpty, AfterValidator(_objective), Field(json_schema_extra={"pattern": OBJECTIVE_PATTERN})]


Capability = Annotated[str, Field(pattern=CAPABILITY_PATTERN)]
SecurityOption = Annotated[str, Field(pattern=SECURITY_OPTION_PATTERN)]


class Container(DockerOptions):
    """The container that the server runs in: what `docker run` would be told."""

    image: Annotated[str, Field(min_length=1, pattern=IMAGE_PATTERN)]
    """Image reference."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When to pull the image."""
    devices: OneOrMore[Device] = ()
    """Device nodes given to the container, and CDI devices such as `nvidia.com/gpu=0`."""
    gpus: Gpus | None = None
    """Devices by the engine's driver: `all`, a count, a list of device ids, or what docker's `--gpus` takes."""
    mounts: OneOrMore[Mount] = ()
    """Folders and files of the node, and volumes, that the container sees."""
    shm_size: Size | None = None
    """Size of /dev/shm; tensor-parallel workers talk through it."""
    ipc: Annotated[str, Field(pattern=IPC_PATTERN)] | None = None
    """IPC namespace; `host` shares the node's, and then `shm_size` has no effect."""
    network: Annotated[NonEmpty, Field(json_schema_extra={"pattern": NETWORK_PATTERN})] = "bridge"
    """`host`, `bridge` or the name of a network."""
    privileged: StrictBool = False
    """Give every capability and every device of the node."""
    security_opt: OneOrMore[SecurityOption] = ()
    """Security options such as `seccomp=unconfined`."""
    group_add: OneOrMore[TextOrNumber] = ()
    """Further groups of the container's user, by name in the image or by number."""
    cap_add: OneOrMore[Capability] = ()
    """Capabilities to add, such as SYS_NICE for NUMA binding."""
    cap_drop: OneOrMore[Capability] = ()
    """Capabilities to drop."""
    ulimits: Annotated[
        Mapping[Annotated[str, Field(pattern=ULIMIT_NAME_PATTERN)], Ulimit], OrPairs(PLAIN, ULIMIT_PAIR_PATTERN)
    ] = Field(default_factory=dict)
    """Resource limits by name, such as `memlock: -1`."""
    cpuset_cpus: TextOrNumber | None = None
    """CPUs the container may use, such as `0-15`."""
    cpuset_mems: TextOrNumber | None = None
    """NUMA nodes whose memory it may use, such as `0,1`."""
    memory: Size | None = None
    """Memory limit."""
    runtime: NonEmpty | None = None
    """OCI runtime, where the node has a special one such as `dcu` or `nvidia`."""
    user: TextOrNumber | None = None
    """User in the container, as `name` or `uid:gid`."""
    env: Env = Field(default_factory=dict)
    """Environment of every process in the container."""
    holds: Holds = "auto"
    """What no other deployment of this node may hold meanwhile; `auto` is every accelerator that can reach the
    container, less what variables such as `HIP_VISIBLE_DEVICES` hide. `orch plan` says which, and why."""
    source: OneOrMore[AbsolutePath] = ()
    """Shell files of the image that are sourced by bash before the server starts, such as the DTK's env.sh, and before
    whatever runs beside it.

    Each of them runs anew for the server, for each start of the benchmark client's driver and where the image is asked
    about its flags: a file should set variables and nothing else. What is to be done once, such as to delete or to
    download something, is a script in `server.command`.
    """
    supervise: StrictBool = True
    """Run the server under orch's supervisor, which stops it when its owner dies or its time is up."""

    @model_validator(mode="wrap")
    @classmethod
    def _settings_go_together(cls, data: Any, handler: ModelWrapValidatorHandler[Container]) -> Container:
        made: Container = checked(data, handler, misfits(data))
        return made

    @field_validator("mounts", mode="wrap")
    @classmethod
    def _no_mount_target_twice(cls, mounts: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return checked(mounts, handler, mounted_twice(mounts))


class Server(Grown):
    """The vLLM server in the container."""

    model: NonEmpty
    """Model path in the container, or a hub name."""
    command: Annotated[tuple[NonEmpty, ...], Field(min_length=1)] = ("vllm", "serve")
    """Command that the model and the flags are appended to, such as `[numactl, --cpunodebind=0, vllm, serve]`.

    A shell's script gets them as its arguments: `[bash, -lc, 'source /opt/env.sh; exec vllm serve "$@"']`. What is seen
    to start no vLLM server is refused; a launcher such as `/opt/start.sh` is remarked on, and must pass them all on.
    """
    host: Annotated[NonEmpty, Field(json_schema_extra={"pattern": ADDRESS_PATTERN})] = "127.0.0.1"
    """IP address of the node that the server can be reached at; 0.0.0.0 is all of them."""
    port: Port = 8000
    """Port of the node that the server can be reached at."""
    flags: Flags = Field(default_factory=dict)
    """Any flag of `vllm serve`: true, false (`--no-…`), number, text, list, or a mapping that becomes JSON.

    Null takes a flag away that an extended profile sets. Keys of a JSON value may follow dots, short names such as `tp`
    mean the long ones, and words may be joined by `-` or `_`.
    """
    env: Env = Field(default_factory=dict)
    """Environment of the server and of what runs beside it, such as the benchmark client, set after the sourced
    files."""
    container_port: Port | None = None
    """Port that the server listens on in a container with a network of its own; `port` unless given."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"container_port"})

    @property
    def port_inside(self) -> int:
        """Return the port that the server listens on, as what runs in its container sees it."""
        return self.container_port or self.port

    @property
    def reached_at(self) -> str:
        """Return the address at which it is reached from where it listens; on all addresses it also is on loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # recognised, not bound

    @field_validator("host")
    @classmethod
    def _host_is_an_address(cls, host: str) -> str:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(
                Text("'{host}' is not an IP address; write 127.0.0.1 for this node alone", host=host)
            ) from None
        return host

    @field_validator("command")
    @classmethod
    def _command_takes_the_model(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        problem = command_problem(command) or spelling_problem(command)
        if problem:
            raise ValueError(problem)
        return command

    @field_validator("flags", mode="wrap")
    @classmethod
    def _own_keys_stay_out_of_flags(cls, flags: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return check_flags(flags, handler, OWNED)


class Health(Section):
    """When the server counts as healthy, and how long that may take."""

    deadline: Duration = 1800.0
    """Longest time from the container's start to the first answer; pulling the image may take as long again."""
    expected: Mapping[Literal["image", "container", "weights", "graphs"], Duration] = Field(default_factory=dict)
    """How long each phase of the start usually takes; only for the estimate of `orch plan`."""


class Profile(Section):
    """One profile, resolved: bases merged, defaults filled, frozen."""

    name: Annotated[str, Field(pattern=PROFILE_NAME_PATTERN)]
    """Name of the profile; from the file's name unless given."""
    description: str = ""
    """What it is for, in one line."""
    container: Container
    server: Server
    health: Health = Health.model_construct()
    bench: Bench | None = None
    """The sweep; a profile without one can be served but not benchmarked."""
    vary: Vary | None = None
    """Servers to run the sweep against, one after the other; without it the one that the profile describes."""
    objectives: tuple[ObjectiveText, ...] = ()
    """What the mean of each point over its repetitions must keep to, such as `p99_ttft_ms<2000`; a run in which one
    misses it ends with exit code 4."""

    @field_validator("objectives")
    @classmethod
    def _metrics_are_reported(cls, objectives: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        bench = info.data.get("bench")
        raise_all([] if bench is None else _unreported_objectives(objectives, bench))
        return objectives

    def secrets(self) -> dict[str, SecretRef]:
        """Return the secrets by environment variable; the server's own win over the container's."""
        merged = {**self.container.env, **self.server.env}
        return {name: value for name, value in merged.items() if isinstance(value, FromEnv | FromFile)}

    @model_validator(mode="wrap")
    @classmethod
    def _sections_fit_together(cls, data: Any, handler: ModelWrapValidatorHandler[Profile]) -> Profile:
        problems = [*_mount_over_the_dataset(data), *_secrets_without_the_supervisor(data)]
        problems += [*_network_of_the_server(data), *_inherited_elsewhere(data)]
        made: Profile = checked(data, handler, problems)
        return made


def _unreported_objectives(objectives: tuple[str, ...], bench: Bench) -> Iterator[Problem]:
    for number, text in enumerate(objectives):
        problem = bench.unreported(parse_objective(text).metric)
        if problem is not None:
            yield (number,), problem


def _at(data: Any, *keys: str) -> Any:
    """Return what stands at keys; None where there is no such place, be it only because a mapping is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _mount_over_the_dataset(data: object) -> Iterator[Problem]:
    file = _at(data, "bench", "dataset", "file")
    for number, target in mount_targets(_at(data, "container", "mounts")) if isinstance(file, str) else ():
        if target == place_of(file):
            text = f"a mount takes the place of bench.dataset.file, {target}"
            yield ("container", "mounts", number, "target"), text


def _secrets_without_the_supervisor(data: object) -> Iterator[Problem]:
    variables = {**_mapping(data, "container", "env"), **_mapping(data, "server", "env")}
    secrets = sorted(name for name, value in variables.items() if is_secret(value))
    if secrets and _at(data, "container", "supervise") is False:
        text = "secrets are handed to the server by the supervisor; set container.supervise to true or "
        yield ("container", "supervise"), f"{text}remove {', '.join(secrets)}"


def _network_of_the_server(data: object) -> Iterator[Problem]:
    network = _at(data, "container", "network")
    if isinstance(network, str) and (network == "none" or network.startswith("container:")):
        text = f"in the network '{network}' the node cannot reach the server: write host, bridge or a network's name"
        yield ("container", "network"), text
    inside, outside = _at(data, "server", "container_port"), _at(data, "server", "port") or 8000
    if network == "host" and inside not in (None, outside):
        text = "on the node's network the server has one port: leave container_port out, or choose another network"
        yield ("server", "container_port"), text


def _inherited_elsewhere(data: object) -> Iterator[Problem]:
    for key, values in _mapping(data, "vary", "axes").items():
        passed_on = isinstance(values, list | tuple) and any(is_told_at_start(value) for value in values)
        if key == "container.env_file" or passed_on or (key == "container.env" and values):
            yield (
                ("vary", "axes", key),
                "varies what is told only at the start; give each variable its values: container.env.NAME: [a, b]",
            )
    for name, value in _mapping(data, "server", "env").items():
        if is_inherited(value):
            yield (
                ("server", "env", name),
                "is passed on to the whole container, or taken away from it, as docker does: write it in container.env",
            )


def _mapping(data: object, *keys: str) -> Mapping[str, Any]:
    found = _at(data, *keys)
    return found if isinstance(found, Mapping) else {}

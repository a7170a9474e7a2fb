"""The settings of `docker run` beyond those that most profiles give, each under docker's own name for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, field_validator

from orchestrator.profile.schema.pairs import HOSTS
from orchestrator.profile.schema.patterns import (
    ADDRESS_PATTERN,
    HOST_ADDRESS_PATTERN,
    HOST_NAME_PATTERN,
    HOST_TEXT_PATTERN,
)
from orchestrator.profile.schema.quantities import Size, SizeOrUnlimited
from orchestrator.profile.schema.values import (
    CGROUP_RULE_PATTERN,
    HOST_PATTERN,
    NAMESPACE_PATTERN,
    NODE_PATH_PATTERN,
    TMPFS_PATTERN,
    AbsolutePath,
    Grown,
    Labels,
    NonEmpty,
    OneOrMore,
    Pairs,
    listed,
)
from orchestrator.text import Text

LABEL_PREFIX = "orch."
"""Labels of this beginning are orch's own; `orchestrator.plan.labels` names them."""


def _hosts(value: Any) -> Any:
    """Read compose's mapping of names to addresses as docker's list."""
    if not isinstance(value, Mapping):
        return listed(value)
    given = [
        (name, item) for name, host in value.items() for item in (host if isinstance(host, list | tuple) else [host])
    ]
    if not all(isinstance(address, str) for _, address in given):
        raise ValueError(HOSTS.problem)
    return [f"{name}:{address}" for name, address in given]


def _host(text: str) -> str:
    """Return `name:address`, as the docker client sends it."""
    name, _, address = text.partition("=") if "=" in text else text.partition(":")
    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if plain != "host-gateway":
        _address(plain)
    return f"{name}:{plain}"


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(Text("'{text}' is not an IP address", text=text)) from None
    return text


Address = Annotated[NonEmpty, AfterValidator(_address), Field(json_schema_extra={"pattern": ADDRESS_PATTERN})]
Host = Annotated[
    str, Field(pattern=HOST_PATTERN), AfterValidator(_host), Field(json_schema_extra={"pattern": HOST_TEXT_PATTERN})
]
_OneHost = Annotated[str, Field(pattern=HOST_ADDRESS_PATTERN)]
_ByName = Mapping[Annotated[str, Field(pattern=HOST_NAME_PATTERN)], _OneHost | list[_OneHost]]


class DockerOptions(Grown):
    """What docker can be told about a container and few profiles need."""

    workdir: AbsolutePath | None = None
    """Folder in the container that its processes start in."""
    env_file: OneOrMore[Annotated[str, Field(pattern=NODE_PATH_PATTERN)]] = ()
    """Files of the node with `NAME=value` lines, in docker's own grammar; `env` wins over them."""
    hostname: NonEmpty | None = None
    """Name of the container's host."""
    domainname: NonEmpty | None = None
    """Domain of the container's host."""
    extra_hosts: Annotated[
        tuple[Host, ...], BeforeValidator(_hosts, json_schema_input_type=Host | list[Host] | _ByName)
    ] = ()
    """Further names and their addresses, `name:address`."""
    dns: OneOrMore[Address] = ()
    """Addresses of name servers."""
    dns_search: OneOrMore[NonEmpty] = ()
    """Domains in which names are looked up."""
    dns_options: OneOrMore[NonEmpty] = ()
    """Options of the resolver, such as `ndots:2`."""
    tmpfs: OneOrMore[Annotated[str, Field(pattern=TMPFS_PATTERN)]] = ()
    """Folders in memory, `/path` or `/path:size=1g,mode=1777`."""
    read_only: StrictBool = False
    """Make the image's files read-only; /tmp must then be a tmpfs or a mount."""
    pid: Annotated[str, Field(pattern=NAMESPACE_PATTERN)] | None = None
    """PID namespace: `host` or `container:NAME`."""
    uts: Literal["host"] | None = None
    """`host` shares the node's own host name."""
    userns: Literal["host"] | None = None
    """`host` takes the container out of the engine's user namespace."""
    cgroupns: Literal["host", "private"] | None = None
    """Cgroup namespace."""
    cgroup_parent: NonEmpty | None = None
    """Cgroup that the container's own is made in."""
    device_cgroup_rules: OneOrMore[Annotated[str, Field(pattern=CGROUP_RULE_PATTERN)]] = ()
    """Devices that the container may use by their numbers, such as `c 226:* rwm`."""
    sysctls: Pairs = Field(default_factory=dict)
    """Settings of the kernel in the container's namespaces, such as `net.core.somaxconn: 1024`."""
    cpus: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False, strict=True)] | None = None
    """How many CPUs' worth of time it may use, such as 7.5."""
    cpu_shares: Annotated[int, Field(ge=2, le=262144, strict=True)] | None = None
    """Relative weight of its CPU time; docker's is 1024."""
    memory_swap: SizeOrUnlimited | None = None
    """Limit of memory and swap together; -1 is no limit. Needs `memory`."""
    memory_reservation: Size | None = None
    """Memory that it is reduced to when the node runs short."""
    memory_swappiness: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    """How readily its memory is swapped."""
    pids_limit: Annotated[int, Field(ge=-1, strict=True)] | None = None
    """How many processes and threads it may have; -1 is no limit."""
    oom_kill_disable: StrictBool = False
    """Never kill its processes for memory; needs `memory`, and a node with cgroup v1."""
    oom_score_adj: Annotated[int, Field(ge=-1000, le=1000, strict=True)] | None = None
    """How readily the node kills it for memory."""
    log_driver: Literal["json-file", "local", "journald"] | None = None
    """Where the engine keeps the output, which orch reads back from it."""
    log_options: Pairs = Field(default_factory=dict)
    """Options of the log driver, such as `max-size: 100m`."""
    labels: Labels = Field(default_factory=dict)
    """Further labels of the container."""
    platform: NonEmpty | None = None
    """Platform of the image, such as `linux/arm64`, where it has several."""

    ADDED: ClassVar[frozenset[str]] = frozenset()

    @field_validator("labels")
    @classmethod
    def _own_labels_stay_out(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        for name in labels:
            if name.startswith(LABEL_PREFIX):
                raise ValueError(
                    Text(
                        "'{name}' begins like the labels by which orch knows its containers; name it otherwise",
                        name=name,
                    )
                )
        return labels

    @field_validator("cpus")
    @classmethod
    def _cpus_are_billionths(cls, cpus: float | None) -> float | None:
        if cpus is not None and not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?", f"{cpus:.15g}"):
            raise ValueError(Text("docker takes CPUs with at most nine decimals, and not {cpus:.15g}", cpus=cpus))
        return cpus

    def docker_options(self) -> DockerOptions:
        """Return these settings alone."""
        return DockerOptions.model_construct(**{name: getattr(self, name) for name in DockerOptions.model_fields})


DockerOptions.ADDED = frozenset(DockerOptions.model_fields)

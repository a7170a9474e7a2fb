"""What the container is to be: every setting that the engine is told, taken from the profile and from nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator import __version__
from orchestrator.inside import SOURCE, SUPERVISOR, entrance, in_container, program_text, shell_text, supervisor
from orchestrator.plan import labels
from orchestrator.plan.claims import Held, holding
from orchestrator.profile.inherited import TAKEN_AWAY
from orchestrator.profile.schema.devices import CdiDevice, DeviceSpec, GpuRequest
from orchestrator.profile.schema.docker_options import DockerOptions
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.values import Env, MountSpec, UlimitSpec, is_told_at_start
from orchestrator.vllm.command import with_model
from orchestrator.vllm.flags import to_argv
from orchestrator.vllm.versions import version_in_image
from orchestrator.workload.canonical import canonical_json

SOURCE_AND_RUN = shell_text()
"""The only shell program there is, as text."""
SOURCE_BY_FILE = ("bash", in_container(SOURCE))
SOURCE_BY_TEXT = ("bash", "-c", SOURCE_AND_RUN, "orch")
"""How a shell becomes the one that sources files, with the deployment's folder in the container and without."""


@dataclass(frozen=True)
class Identity:
    """Which deployment this is."""

    name: str
    """Name of the deployment."""
    launch: str
    """One start of it."""
    folder: str
    """Absolute path on the node of the folder that holds its lease, its secrets and the programs of its command."""

    @property
    def container(self) -> str:
        """Return the container's name."""
        return f"orch-{self.name}"


ALL_CAPABILITIES = "ALL"
BY_HAND = "by-hand"
"""The launch of a container that somebody starts from the printed line."""


@dataclass(frozen=True)
class ContainerSpec:
    """A container as the engine is asked for it; sizes in bytes."""

    name: str
    image: str
    entrypoint: str
    command: tuple[str, ...]
    labels: Mapping[str, str]
    env: Mapping[str, str]
    mounts: tuple[MountSpec, ...]
    devices: tuple[DeviceSpec | CdiDevice, ...]
    ulimits: Mapping[str, UlimitSpec]
    network: str
    publish: tuple[str, int, int] | None
    """Address and port of the node, and the container's port that answers there; None on the node's own network."""
    gpus: str | int | tuple[str, ...] | GpuRequest | None = None
    shm_size: int | None = None
    ipc: str | None = None
    privileged: bool = False
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    memory: int | None = None
    runtime: str | None = None
    user: str | None = None
    options: DockerOptions = field(default_factory=DockerOptions)
    """Whatever else docker is told, under docker's names."""
    inherited: tuple[str, ...] = ()
    """Names of the variables whose values are those of the shell; none once a deployment starts."""
    taken_away: tuple[str, ...] = ()
    """Names of the variables of the image that the container goes without."""
    secrets: tuple[str, ...] = field(default=())
    """Names of the variables that the supervisor adds from the deployment's folder."""


def container_spec(profile: Profile, identity: Identity, held: Held | None = None) -> ContainerSpec:
    """Return the container of a profile; `held` is what it holds, where more is known of that than the profile says."""
    container, server = profile.container, profile.server
    argv = container_argv(profile)
    cap_add, cap_drop = capabilities(container.cap_add, container.cap_drop)
    mounts = (*container.mounts, *dataset_mounts(profile))
    if container.supervise:
        own = MountSpec.model_construct(source=identity.folder, target=supervisor.FOLDER, read_only=True)
        mounts = (*mounts, own)
    return ContainerSpec(
        name=identity.container,
        image=container.image,
        entrypoint=argv[0],
        command=tuple(argv[1:]),
        labels={
            labels.DEPLOYMENT: identity.name,
            labels.FOLDER: identity.folder,
            labels.HOLDS: ",".join((held or holding(profile)).names),
            labels.LAUNCH: identity.launch,
            labels.PROFILE: profile.name,
            labels.PROFILE_HASH: serving_hash(profile),
            labels.VERSION: __version__,
            **container.labels,
        },
        env=plain(container.env),
        mounts=mounts,
        devices=container.devices,
        ulimits=container.ulimits,
        network=container.network,
        publish=None if container.network == "host" else (server.host, server.port, server.port_inside),
        gpus=container.gpus,
        shm_size=container.shm_size,
        ipc=container.ipc,
        privileged=container.privileged,
        security_opt=container.security_opt,
        group_add=container.group_add,
        cap_add=cap_add,
        cap_drop=cap_drop,
        cpuset_cpus=container.cpuset_cpus,
        cpuset_mems=container.cpuset_mems,
        memory=container.memory,
        runtime=container.runtime,
        user=container.user,
        options=container.docker_options(),
        inherited=tuple(name for name, value in container.env.items() if is_told_at_start(value)),
        taken_away=tuple(name for name, value in container.env.items() if value == TAKEN_AWAY),
        secrets=tuple(sorted(profile.secrets())),
    )


def dataset_mounts(profile: Profile) -> tuple[MountSpec, ...]:
    """Return the mount through which the benchmark client sees the node's file of prompts, if there is one."""
    dataset = profile.bench.dataset if profile.bench is not None else None
    if dataset is None or dataset.node_file is None or dataset.client_path is None:
        return ()
    return (MountSpec(source=dataset.node_file, target=dataset.client_path, read_only=True),)


def capabilities(add: Iterable[str], drop: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return capabilities to add and to drop as docker's client sends them: full names, ALL alone, adding wins."""
    added, dropped = _full_names(add), _full_names(drop)
    return tuple(sorted(added)), tuple(sorted(dropped - (added - {ALL_CAPABILITIES})))


def _full_names(names: Iterable[str]) -> set[str]:
    upper = {name.upper() for name in names}
    if ALL_CAPABILITIES in upper:
        return {ALL_CAPABILITIES}
    return {name if name.startswith("CAP_") else f"CAP_{name}" for name in upper}


def server_argv(profile: Profile) -> list[str]:
    """Return the command that serves the model, as one would type it."""
    server = profile.server
    # Inside the container it listens on every address; it is published on server.host alone.
    host = server.host if profile.container.network == "host" else "0.0.0.0"
    flags = to_argv(server.flags, version_in_image(profile.container.image))
    return [*with_model(server.command, server.model), "--host", host, "--port", str(server.port_inside), *flags]


def container_argv(profile: Profile, command: list[str] | None = None) -> list[str]:
    """Return the container's command: supervisor, sourced files, environment, server, each handing over to the next.

    Orch's own programs are files in the deployment's folder. Without a supervisor the container has no such folder, and
    what sources files is text.

    Args:
        profile: The resolved profile.
        command: What takes the server's place, if anything does.
    """
    argv = command or server_argv(profile)
    if profile.container.supervise:
        return ["python3", "-IS", in_container(SUPERVISOR), *in_environment(profile, argv, SOURCE_BY_FILE)]
    return in_environment(profile, argv, SOURCE_BY_TEXT)


def beside_server(profile: Profile, command: list[str]) -> list[str]:
    """Return what runs a command in the server's container in the server's environment, secrets and all.

    The container's own environment is the engine's business; everything that the server gets on top of it, a command
    that is started later must be given anew. All of it is text: another version of orch may have made the container.
    """
    argv = in_environment(profile, command, SOURCE_BY_TEXT)
    if profile.secrets():
        argv = ["python3", "-IS", "-c", program_text(entrance), *argv]
    return argv


def in_environment(profile: Profile, command: list[str], source: tuple[str, ...]) -> list[str]:
    """Return a command behind the files that `source` sources and, after them, the server's own variables."""
    environment = plain(profile.server.env)
    argv = ["env", *(f"{name}={value}" for name, value in environment.items()), *command] if environment else command
    if profile.container.source:
        argv = [*source, *profile.container.source, "--", *argv]
    return argv


def serving_hash(profile: Profile) -> str:
    """Return a hash of what a container is made from: the container and server sections, and a mounted dataset."""
    serving = profile.model_dump(mode="json", include={"container", "server"})
    if mounts := dataset_mounts(profile):
        serving["dataset"] = [mount.model_dump() for mount in mounts]
    return hashlib.sha256(canonical_json(serving).encode()).hexdigest()[:16]


def profile_hash(profile: Profile) -> str:
    """Return a hash of the whole resolved profile."""
    return hashlib.sha256(canonical_json(profile.model_dump(mode="json")).encode()).hexdigest()[:16]


def plain(env: Env) -> dict[str, str]:
    """Return the variables whose values stand in the profile."""
    return {name: value for name, value in env.items() if isinstance(value, str)}

"""Promise C3: the printed line, pasted into a shell, gives docker exactly the arguments that orch means."""

from __future__ import annotations

import csv
import io
import itertools
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_profile

from orchestrator.plan.container import Identity, container_spec
from orchestrator.plan.docker_run import docker_run_argv, docker_run_line

if TYPE_CHECKING:
    from orchestrator.plan.container import ContainerSpec

IDENTITY = Identity("mine", "0a1b2c3d", "/state/deployments/mine-0a1b2c3d")
DOCKER = """docker() { printf '%s\\0' "$@"; }; eval "$1" """
"""A shell in which `docker` says what it was given."""

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def spec_of(container: dict[str, Any], server: dict[str, Any] | None = None) -> ContainerSpec:
    return container_spec(a_profile(container=container, server=server), IDENTITY)


def pasted(line: str) -> list[str]:
    """The arguments that a shell gives to docker when a line is pasted into it."""
    out = subprocess.run(["bash", "-c", DOCKER, "bash", line], capture_output=True, check=True, timeout=60).stdout
    return [word.decode() for word in out.split(b"\0")[:-1]]


def values(spec: ContainerSpec, option: str) -> list[str]:
    argv = docker_run_argv(spec)
    options = argv[: argv.index(spec.image)]
    return [value for name, value in itertools.pairwise(options) if name == option]


def test_the_line_gives_docker_the_same_arguments() -> None:
    spec = spec_of(
        {"source": ["/opt/dtk/env.sh"], "env": {"A": 'it\'s "$HOME" \\\n  and more'}},
        {"flags": {"speculative_config": {"num_speculative_tokens": 3}}},
    )
    assert ["docker", *pasted(docker_run_line(spec))] == docker_run_argv(spec)


@given(words, words, words, st.lists(words, min_size=1, max_size=3))
def test_hostile_values_pass_through_the_shell_untouched(model: str, env: str, flag: str, served: list[str]) -> None:
    served = [name if not name.startswith("-") else f"m{name}" for name in served]  # a dash is refused by the schema
    spec = spec_of(
        {"env": {"A": env}},
        {"model": f"/models/{model}", "flags": {"x": flag, "served-model-name": served}, "env": {"B": env}},
    )
    assert ["docker", *pasted(docker_run_line(spec))] == docker_run_argv(spec)


def test_an_option_stands_on_each_line() -> None:
    first, *options, last = docker_run_line(spec_of({"supervise": False})).split(" \\\n  ")
    assert first == "docker run --detach"
    assert all(option.startswith("--") for option in options)
    assert last == "vllm:0.8.5 serve /models/tiny --host 0.0.0.0 --port 8000"


def test_another_verb_can_be_asked_for() -> None:
    argv = docker_run_argv(spec_of({}), ("create",))
    assert argv[:3] == ["docker", "create", "--init"]


OPTIONS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({}, "--name", ["orch-mine"]),
    ({}, "--entrypoint", ["python3"]),
    ({}, "--network", ["bridge"]),
    ({}, "--publish", ["127.0.0.1:8000:8000"]),
    ({"network": "host"}, "--publish", []),
    ({"gpus": "all"}, "--gpus", ["all"]),
    ({"gpus": 2}, "--gpus", ["2"]),
    ({"gpus": ["0", "1"]}, "--gpus", ['"device=0,1"']),
    ({"shm_size": "64G"}, "--shm-size", [str(64 * 2**30)]),
    ({"ipc": "host"}, "--ipc", ["host"]),
    ({"cpuset_cpus": "0-3"}, "--cpuset-cpus", ["0-3"]),
    ({"cpuset_mems": "0,1"}, "--cpuset-mems", ["0,1"]),
    ({"memory": "1G"}, "--memory", [str(2**30)]),
    ({"runtime": "dcu"}, "--runtime", ["dcu"]),
    ({"user": 1000}, "--user", ["1000"]),
    ({"devices": ["/dev/kfd", "/dev/a:/dev/b:r"]}, "--device", ["/dev/kfd:/dev/kfd:rwm", "/dev/a:/dev/b:r"]),
    ({"security_opt": ["seccomp=unconfined"]}, "--security-opt", ["seccomp=unconfined"]),
    ({"group_add": ["video", 44]}, "--group-add", ["video", "44"]),
    ({"cap_add": ["SYS_NICE"]}, "--cap-add", ["CAP_SYS_NICE"]),
    ({"cap_drop": ["NET_RAW"]}, "--cap-drop", ["CAP_NET_RAW"]),
    ({"ulimits": {"memlock": -1, "nofile": {"soft": 1, "hard": 2}}}, "--ulimit", ["memlock=-1:-1", "nofile=1:2"]),
    ({"env": {"A": "1", "B": ""}}, "--env", ["A=1", "B="]),
]


@pytest.mark.parametrize(("container", "option", "expected"), OPTIONS, ids=str)
def test_a_setting_is_the_docker_option_of_that_name(
    container: dict[str, Any], option: str, expected: list[str]
) -> None:
    assert values(spec_of(container), option) == expected


def test_only_a_privileged_container_is_privileged() -> None:
    assert "--privileged" in docker_run_argv(spec_of({"privileged": True}))
    assert "--privileged" not in docker_run_argv(spec_of({}))


def test_an_address_of_ip_version_6_is_published_in_brackets() -> None:
    assert values(spec_of({}, {"host": "::1"}), "--publish") == ["[::1]:8000:8000"]


def test_a_label_is_given_for_each_label() -> None:
    spec = spec_of({})
    assert dict(text.split("=", 1) for text in values(spec, "--label")) == dict(spec.labels)


@given(words.map(lambda text: text.replace("\r", "").replace("$", "")), st.booleans())
def test_a_mount_keeps_its_paths_whatever_they_hold(name: str, read_only: bool) -> None:
    mount = {"source": f"/data/{name}", "target": f"/mnt/{name}", "read_only": read_only}
    (text, _) = values(spec_of({"mounts": [mount]}), "--mount")
    (fields,) = csv.reader(io.StringIO(text, newline=""))  # as the docker client reads it
    assert fields == ["type=bind", f"source=/data/{name}", f"target=/mnt/{name}", *(["readonly"] if read_only else [])]

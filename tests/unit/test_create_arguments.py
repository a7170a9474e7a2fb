"""Promise C3: docker-py is asked for what the printed line asks for; seccomp profiles travel as their content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import docker
import pytest
from samples import a_profile

from orchestrator.engine.create import create_arguments
from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.plan.container import Identity, container_spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    """A docker-py client of a fixed version, which asks no engine to build its arguments."""
    client = docker.APIClient(base_url="tcp://127.0.0.1:1", version="1.41")
    yield client
    client.close()


def arguments(api: docker.APIClient, container: dict[str, Any], **server: object) -> dict[str, Any]:
    profile = a_profile(container={"supervise": False, **container}, server=server)
    return create_arguments(api, container_spec(profile, Identity("mine", "0a1b2c3d", "/state")))


def host(api: docker.APIClient, **container: object) -> dict[str, Any]:
    return dict(arguments(api, container)["host_config"])


def test_the_container_is_asked_for_with_its_name_its_command_and_its_labels(api: docker.APIClient) -> None:
    asked = arguments(api, {"env": {"A": "1 = 2"}, "user": 1000})
    assert (asked["name"], asked["image"], asked["user"]) == ("orch-mine", "vllm:0.8.5", "1000")
    assert asked["entrypoint"] == ["vllm"]
    assert asked["command"] == ["serve", "/models/tiny", "--host", "0.0.0.0", "--port", "8000"]
    assert asked["environment"] == ["A=1 = 2"]
    assert asked["labels"]["orch.launch"] == "0a1b2c3d"


def test_a_server_is_published_where_the_profile_says(api: docker.APIClient) -> None:
    asked = arguments(api, {}, host="10.0.0.1", port=8010)
    assert asked["ports"] == [(8010, "tcp")]
    assert asked["host_config"]["PortBindings"] == {"8010/tcp": [{"HostIp": "10.0.0.1", "HostPort": "8010"}]}
    on_the_node = arguments(api, {"network": "host"})
    assert on_the_node["ports"] is None
    assert not on_the_node["host_config"].get("PortBindings")


SETTINGS: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "Init", True),
    ({}, "RestartPolicy", {"Name": "no"}),
    ({"network": "host"}, "NetworkMode", "host"),
    ({"shm_size": "1G"}, "ShmSize", 2**30),
    ({"ipc": "host"}, "IpcMode", "host"),
    ({"privileged": True}, "Privileged", True),
    ({"group_add": ["video", 44]}, "GroupAdd", ["video", "44"]),
    ({"cap_add": ["SYS_NICE"]}, "CapAdd", ["CAP_SYS_NICE"]),
    ({"cap_drop": ["NET_RAW"]}, "CapDrop", ["CAP_NET_RAW"]),
    ({"cpuset_cpus": "0-3"}, "CpusetCpus", "0-3"),
    ({"cpuset_mems": "0"}, "CpusetMems", "0"),
    ({"memory": "1G"}, "Memory", 2**30),
    ({"runtime": "dcu"}, "Runtime", "dcu"),
    ({"security_opt": ["seccomp=unconfined"]}, "SecurityOpt", ["seccomp=unconfined"]),
    ({"ulimits": {"memlock": -1}}, "Ulimits", [{"Name": "memlock", "Soft": -1, "Hard": -1}]),
    (
        {"devices": ["/dev/kfd"]},
        "Devices",
        [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/kfd", "CgroupPermissions": "rwm"}],
    ),
    (
        {"mounts": ["/data:/d:ro"]},
        "Mounts",
        [{"Target": "/d", "Source": "/data", "Type": "bind", "ReadOnly": True}],
    ),
]


@pytest.mark.parametrize(("container", "name", "value"), SETTINGS, ids=str)
def test_a_setting_reaches_the_engine(
    api: docker.APIClient, container: dict[str, Any], name: str, value: object
) -> None:
    assert host(api, **container)[name] == value


@pytest.mark.parametrize(
    ("gpus", "request_"),
    [
        ("all", {"Count": -1, "DeviceIDs": []}),
        (2, {"Count": 2, "DeviceIDs": []}),
        (["0", 1], {"Count": 0, "DeviceIDs": ["0", "1"]}),
    ],
)
def test_gpus_are_asked_for_as_devices(api: docker.APIClient, gpus: object, request_: dict[str, Any]) -> None:
    (asked,) = host(api, gpus=gpus)["DeviceRequests"]
    assert asked.items() >= {**request_, "Capabilities": [["gpu"]]}.items()
    assert not host(api).get("DeviceRequests")


REQUESTS: list[tuple[object, dict[str, Any]]] = [
    ("count=all,driver=nvidia", {"Driver": "nvidia", "Count": -1}),
    ("driver=nvidia", {"Driver": "nvidia", "Count": 1}),
    ("all,capabilities=utility", {"Count": -1, "Capabilities": [["utility", "gpu"]]}),
    ('count=2,"capabilities=compute,utility"', {"Count": 2, "Capabilities": [["compute", "utility", "gpu"]]}),
    ('all,"options=a=b,c"', {"Count": -1, "Options": {"a": "b", "c": ""}}),
    ({"device_ids": [0, "GPU-3a5f"], "capabilities": ["compute"]}, {"DeviceIDs": ["0", "GPU-3a5f"], "Count": 0}),
]


@pytest.mark.parametrize(("gpus", "said"), REQUESTS, ids=str)
def test_what_docker_s_gpus_says_beyond_a_count_reaches_the_engine(
    api: docker.APIClient, gpus: object, said: dict[str, Any]
) -> None:
    (asked,) = host(api, gpus=gpus)["DeviceRequests"]
    assert asked.items() >= said.items()


def test_cdi_devices_are_one_more_request_and_no_device_nodes(api: docker.APIClient) -> None:
    asked = host(api, gpus=1, devices=["nvidia.com/gpu=0", "/dev/null:r", "amd.com/gpu=all"])
    gpus, cdi = asked["DeviceRequests"]
    assert (gpus["Count"], cdi["Driver"], cdi["DeviceIDs"]) == (1, "cdi", ["nvidia.com/gpu=0", "amd.com/gpu=all"])
    assert asked["Devices"] == [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "r"}]


@pytest.mark.parametrize(
    "option", ["seccomp=unconfined", "seccomp=builtin", "label=disable", "no-new-privileges", "apparmor:x"]
)
def test_a_security_option_that_names_no_file_stays_as_it_is(api: docker.APIClient, option: str) -> None:
    assert host(api, security_opt=[option])["SecurityOpt"] == [option]


@pytest.mark.parametrize("separator", ["=", ":"])
def test_a_seccomp_profile_travels_as_its_content(api: docker.APIClient, tmp_path: Path, separator: str) -> None:
    content = '{ "defaultAction":\n\t"SCMP_ACT_ERRNO", "comment": "a  \\" b\\\\", "n": 1.0 }\n'
    (tmp_path / "seccomp.json").write_text(content, encoding="utf-8")
    (option,) = host(api, security_opt=[f"seccomp{separator}{tmp_path}/seccomp.json"])["SecurityOpt"]
    name, _, sent = option.partition("=")
    assert name == "seccomp"
    assert sent == '{"defaultAction":"SCMP_ACT_ERRNO","comment":"a  \\" b\\\\","n":1.0}'
    assert json.loads(sent) == json.loads(content)


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe\xff", b""])
def test_a_seccomp_profile_that_cannot_be_read_is_an_environment_fault(
    api: docker.APIClient, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "seccomp.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=f"the seccomp profile {path} cannot be read"):
        host(api, security_opt=[f"seccomp={path}"])


def test_system_paths_are_unmasked_as_the_docker_client_does_it(api: docker.APIClient) -> None:
    asked = host(api, security_opt=["systempaths=unconfined", "seccomp=unconfined"])
    assert (asked["MaskedPaths"], asked["ReadonlyPaths"]) == ([], [])
    assert asked["SecurityOpt"] == ["seccomp=unconfined"]
    assert "MaskedPaths" not in host(api)


@pytest.mark.parametrize(
    ("container", "left"),
    [({"env": {"A": {"inherit": True}, "B": "1"}}, "without A:"), ({"env_file": "/srv/vars"}, "without /srv/vars:")],
)
def test_variables_that_nobody_has_put_in_are_not_dropped(
    api: docker.APIClient, container: dict[str, Any], left: str
) -> None:
    with pytest.raises(UsageError, match=left) as caught:
        arguments(api, container)
    assert "with_values" in caught.value.hint

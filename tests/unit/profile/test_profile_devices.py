"""Each spelling of devices and gpus that docker takes is read as docker does, and loads back from its plain form."""

from __future__ import annotations

from typing import Any

import pytest
from samples import a_profile

from orchestrator.profile.schema.devices import GpuRequest

GPUS: list[tuple[object, object]] = [
    ("all", "all"),
    ("'all'", "all"),
    (-1, "all"),
    ("-1", "all"),
    ("count=all", "all"),
    ("2", 2),
    (2, 2),
    ("count=2", 2),
    ("device=0", ("0",)),
    ("device=0,2", ("0", "2")),
    ('"device=0,2"', ("0", "2")),
    ("'\"device=0,2\"'", ("0", "2")),
    ("device=GPU-3a5f", ("GPU-3a5f",)),
    ('"device=0, 2"', ("0", "2")),
    ([0, "GPU-3a5f"], ("0", "GPU-3a5f")),
    ("driver=nvidia", GpuRequest(driver="nvidia")),
    ("all,capabilities=utility", GpuRequest(count=-1, capabilities=("utility",))),
    ('"all,capabilities=utility"', GpuRequest(count=-1, capabilities=("utility",))),
    ("capabilities=compute,utility,count=2", GpuRequest(count=2, capabilities=("compute", "utility"))),
    ('"device=0,1",driver=nvidia', GpuRequest(driver="nvidia", device_ids=("0", "1"))),
    ('all,"options=a=b,c"', GpuRequest(count=-1, options={"a": "b", "c": ""})),
    ({"driver": "nvidia", "count": "all"}, GpuRequest(driver="nvidia", count=-1)),
    ({"device_ids": [0]}, GpuRequest(device_ids=("0",))),
]


@pytest.mark.parametrize(("written", "read"), GPUS, ids=str)
def test_gpus_are_read_in_each_of_docker_s_spellings(written: object, read: object) -> None:
    profile = a_profile(container={"gpus": written})
    assert profile.container.gpus == read
    plain = profile.model_dump(mode="json")["container"]["gpus"]
    assert a_profile(container={"gpus": plain}).container.gpus == read


@pytest.mark.parametrize(
    "written",
    ["", "0", "some", "all,all", "device=", "foo=1", "2,count=3", "1.5", "device=0,device=1", "count=-2", "all;2"],
)
def test_gpus_that_docker_would_not_take_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"container\.gpus"):
        a_profile(container={"gpus": written})


DEVICES: list[tuple[object, dict[str, Any]]] = [
    ("/dev/kfd", {"source": "/dev/kfd", "target": "/dev/kfd", "permissions": "rwm"}),
    ("/dev/dri/", {"source": "/dev/dri", "target": "/dev/dri", "permissions": "rwm"}),
    ("//dev//kfd", {"source": "/dev/kfd", "target": "/dev/kfd", "permissions": "rwm"}),
    ("/dev/kfd:r", {"source": "/dev/kfd", "target": "/dev/kfd", "permissions": "r"}),
    ("/dev/kfd:/dev/k", {"source": "/dev/kfd", "target": "/dev/k", "permissions": "rwm"}),
    ("/dev/kfd:/dev/k:rw", {"source": "/dev/kfd", "target": "/dev/k", "permissions": "rw"}),
    ("nvidia.com/gpu=0", {"cdi": "nvidia.com/gpu=0"}),
    ("vendor.io/net_1=a:b.c-0", {"cdi": "vendor.io/net_1=a:b.c-0"}),
    ({"cdi": "amd.com/gpu=all"}, {"cdi": "amd.com/gpu=all"}),
]


@pytest.mark.parametrize(("written", "read"), DEVICES, ids=str)
def test_a_device_is_read_as_docker_reads_it(written: object, read: dict[str, Any]) -> None:
    (dumped,) = a_profile(container={"devices": [written]}).model_dump(mode="json")["container"]["devices"]
    assert dumped == read
    assert a_profile(container={"devices": [dumped]}).model_dump(mode="json")["container"]["devices"] == [read]


@pytest.mark.parametrize(
    "written", ["/dev/kfd:ro", "/dev/kfd::r", "/dev/a:/dev/b:", "/a:/b:r:w", "nvidia.com/gpu", "dev/kfd"]
)
def test_a_device_that_docker_would_not_take_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"container\.devices"):
        a_profile(container={"devices": [written]})

"""Promise E2: however a card reaches a container, it is held; names that mean the same card exclude each other."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_profile

from orchestrator.accelerators import ALL, Cards, collide, node_cards, node_makers, together
from orchestrator.accelerators.reach import by_cgroup_rule
from orchestrator.accelerators.vendors import FILTERS, GIVING, OTHERS, VENDORS, Vendor
from orchestrator.plan.claims import Surroundings, held_by, holding

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = (ALL,)
SECRET = {"from_env": "CHOSEN"}
ROCM = {"devices": ["/dev/kfd", "/dev/dri"]}
DCU = {"devices": ["/dev/kfd", "/dev/mkfd", "/dev/dri"], "privileged": True, "runtime": "dcu"}


def names(*numbers: int | str) -> tuple[str, ...]:
    return tuple(f"accelerator-{number}" for number in numbers)


def held(container: dict[str, Any], env: dict[str, Any] | None = None, **server: object) -> tuple[str, ...]:
    return held_by(a_profile(container=container, server={"env": env or {}, **server}))


def nodes(*paths: str) -> dict[str, Any]:
    return {"devices": [f"/dev/{path}" for path in paths]}


def told(**env: object) -> dict[str, Any]:
    return {"env": env}


ALL_OF_THEM: list[dict[str, Any]] = [
    # a way that names no card, and one that nobody here has heard of
    *(
        {"devices": [f"/dev/{name}"]}
        for name in ("kfd", "mkfd", "dri", "nvidiactl", "nvidia-uvm", "dxg", "mxcd", "mtgpu")
    ),
    *({"devices": [f"/dev/{name}"]} for name in ("davinci_manager", "hisi_hdc", "cambricon_ctl", "xpuctrl", "biren")),
    *({"devices": [f"/dev/{name}"]} for name in ("biren-m", "vfio/vfio", "vfio", "accel", "nvhost-gpu", "brand-new0")),
    nodes("kfd", "dri"),
    nodes("kfd", "dri/"),
    {"devices": ["/dev"]},
    {"devices": ["/dev/./dri/../kfd"]},
    {"devices": ["/srv/link-to-a-card"]},
    {"devices": [{"source": "/dev/kfd", "target": "/dev/null", "permissions": "r"}]},
    *({"runtime": name} for vendor in VENDORS for name in vendor.runtimes),
    {"runtime": "brand-new"},
    *(
        {"runtime": runtime, **told(**{name: "all"})}
        for vendor in VENDORS
        for runtime, name in itertools.product(vendor.runtimes, (*vendor.gives, *vendor.may_give))
    ),
    *(told(**{name: "all"}) for name in GIVING),
    *(told(**{name: "none-that-orch-knows"}) for name in GIVING),
    *(told(**{name: SECRET}) for name in GIVING),
    *({"gpus": gpus} for gpus in ("all", 2, "2", "count=all", "all,capabilities=utility", "driver=nvidia")),
    {"gpus": ["all"]},
    {"gpus": ["a-name-of-ones-own"]},
    {"gpus": {"driver": "brand-new", "device_ids": ["0"]}},
    {"gpus": "driver=cdi,device=nvidia.com/gpu=all"},
    *({"devices": [f"{vendor.cdi[0]}=all"]} for vendor in VENDORS if vendor.cdi),
    {"devices": ["brand-new.com/gpu=0"]},
    {"privileged": True},
    *(
        {"mounts": [f"{path}:{path}"]}
        for path in ("/", "/dev", "/dev/dri", "/dev/kfd", "/dev/dri/by-path", "/dev/char")
    ),
    {"mounts": ["/dev/null:/var/run/nvidia-container-devices/all"]},
    {"privileged": True, "gpus": ["0"]},
    {**nodes("nvidiactl"), **told(NVIDIA_VISIBLE_DEVICES="void")},
    {"gpus": "all", **told(NVIDIA_VISIBLE_DEVICES="0")},
]


@pytest.mark.parametrize("container", ALL_OF_THEM, ids=str)
def test_whatever_does_not_say_which_cards_it_gives_holds_all_of_them(container: dict[str, Any]) -> None:
    found = holding(a_profile(container=container))
    assert found.names == EVERYTHING
    assert found.why[0].startswith("all accelerators: ")


NOTHING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    (nodes("null", "fuse", "infiniband", "infiniband/uverbs0", "shm", "net/tun", "nvidia-fs0", "kvm"), {}),
    (
        {"mounts": ["/data:/data", "/dev/hugepages:/dev/hugepages", "/devices:/x", "/dev/infiniband:/dev/infiniband"]},
        {},
    ),
    ({"runtime": "runc", **told(NVIDIA_VISIBLE_DEVICES="all")}, {}),
    ({}, {"CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "0"}),
    *(({"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES=value)}, {}) for value in ("none", "void", "")),
    *((told(**{name: "void"}), {}) for vendor in VENDORS if "void" in vendor.void for name in vendor.gives),
    *(({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": value}) for value in ("", "-1", "NoDevFiles", " ")),
    *((ROCM, {"HIP_VISIBLE_DEVICES": value}) for value in ("-1", "NoDevFiles")),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "0"}),
    (nodes("nvidia0", "nvidiactl"), {"CUDA_VISIBLE_DEVICES": "-1"}),
    ({"gpus": ["a-name"]}, {"CUDA_VISIBLE_DEVICES": "-1"}),
    ({**DCU, "holds": []}, {}),
]


@pytest.mark.parametrize(("container", "env"), NOTHING, ids=str)
def test_what_reaches_no_card_holds_nothing(container: dict[str, Any], env: dict[str, Any]) -> None:
    assert held(container, env) == ()


SOME: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    # named by the nodes themselves
    (nodes("nvidia1", "nvidia3", "nvidiactl", "nvidia-uvm"), {}, names("nvidia1", "nvidia3")),
    (nodes("kfd", "dri/renderD129"), {}, names("renderD129")),
    (nodes("kfd", "mkfd", "dri/card1", "dri/renderD129"), {}, names("renderD129")),
    (nodes("dri/card1"), {}, names("card1")),
    (nodes("mxcd", "dri/renderD130"), {}, names("renderD130")),
    (nodes("davinci2", "davinci3", "davinci_manager", "devmm_svm", "hisi_hdc"), {}, names("davinci2", "davinci3")),
    (nodes("vdavinci100", "davinci_manager"), {}, names("vdavinci100")),
    (nodes("mtgpu.2", "mtgpu.3", "mtgpu"), {}, names("mtgpu2", "mtgpu3")),
    (nodes("hl0", "hl_controlD0"), {}, names("hl0")),
    (nodes("accel/accel1", "accel/accel_controlD1"), {}, names("accel1")),
    (nodes("accel2"), {}, names("accel2")),
    (nodes("iluvatar4"), {}, names("iluvatar4")),
    (nodes("cambricon_dev0", "cambricon_ctl"), {}, names("cambricon_dev0")),
    (nodes("xpu5", "xpuctrl"), {}, names("xpu5")),
    (nodes("biren-m", "biren/card_6"), {}, names("biren6")),
    (nodes("gcu7"), {}, names("gcu7")),
    (nodes("neuron0"), {}, names("neuron0")),
    (nodes("vfio/11", "vfio/vfio"), {}, names("vfio11")),
    ({"mounts": ["/dev/nvidia2:/dev/nvidia0"]}, {}, names("nvidia2")),
    ({"mounts": ["/dev/null:/run/nvidia-container-devices/3"]}, {}, names(3)),
    # named to the engine or to a runtime
    ({"gpus": ["1", 0]}, {}, names(0, 1)),
    ({"gpus": "device=0,2"}, {}, names(0, 2)),
    ({"gpus": ["GPU-3A5F", "0:1"]}, {}, names(0, "GPU-3a5f")),
    ({"gpus": ["MIG-GPU-3a5f/1/0"]}, {}, names("GPU-3a5f")),
    ({"gpus": ["MIG-77aa-0b"]}, {}, names("MIG-77aa-0b")),
    ({"gpus": {"driver": "amd", "device_ids": [1]}}, {}, names("gpus-1")),
    ({"devices": ["nvidia.com/gpu=0", "nvidia.com/gpu=2:1"]}, {}, names(0, 2)),
    ({"devices": ["amd.com/gpu=1"]}, {}, names("cdi-amd.com-gpu-1")),
    ({"devices": ["amd.com/gpu=0xEF2C1799A1F3E2ED"]}, {}, names("GPU-ef2c1799a1f3e2ed")),
    ({"devices": ["huawei.com/npu=1"]}, {}, names("cdi-huawei.com-npu-1")),
    ({"runtime": "amd", **told(AMD_VISIBLE_DEVICES="0-1,0x2C1799A1F3E2ED")}, {}, names("amd0", "amd1", "GPU-002c1799a1f3e2ed")),
    ({"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES="0, 3")}, {}, names(0, 3)),
    (told(NVIDIA_VISIBLE_DEVICES='"1,2"'), {}, names(1, 2)),
    ({"runtime": "ascend", **told(ASCEND_VISIBLE_DEVICES="0-2,6")}, {}, names(*(f"davinci{n}" for n in (0, 1, 2, 6)))),
    ({"runtime": "habana", **told(HABANA_VISIBLE_DEVICES="4")}, {}, names("hpu4")),
    ({"runtime": "hcu", **told(HCU_VISIBLE_DEVICES="1")}, {}, names("hcu1")),
    ({"runtime": "hcu", **told(NVIDIA_VISIBLE_DEVICES="1")}, {}, names("hcu1")),
    ({"runtime": "iluvatar", **told(IX_VISIBLE_DEVICES="1")}, {}, names("ix1")),
    (told(ENFLAME_VISIBLE_DEVICES="1"), {}, names("enflame1")),
    # left by what hides the others
    (ROCM, {"HIP_VISIBLE_DEVICES": "0, 2,"}, names(0, 2)),
    (ROCM, {"CUDA_VISIBLE_DEVICES": "4"}, names(4)),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "GPU-00ff"}, names("GPU-00ff")),
    (DCU, {"HIP_VISIBLE_DEVICES": "6,7"}, names(6, 7)),
    ({**ROCM, **told(HIP_VISIBLE_DEVICES="0")}, {"HIP_VISIBLE_DEVICES": "1"}, names(1)),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "1"}, names(1)),
    ({"privileged": True}, {"ASCEND_RT_VISIBLE_DEVICES": "0,1"}, names(0, 1)),
    (nodes("davinci_manager"), {"ASCEND_RT_VISIBLE_DEVICES": "5"}, names(5)),
    ({"runtime": "mthreads"}, {"MUSA_VISIBLE_DEVICES": "3"}, names(3)),
    ({"runtime": "cambricon"}, {"MLU_VISIBLE_DEVICES": "3"}, names(3)),
    ({"runtime": "habana"}, {"HABANA_VISIBLE_MODULES": "3"}, names("module3")),
    (nodes("mxcd", "dri"), {"CUDA_VISIBLE_DEVICES": "3"}, names(3)),
    (nodes("dri"), {"ZE_AFFINITY_MASK": "0,1"}, names("ze0", "ze1")),
    (nodes("dri"), {"ONEAPI_DEVICE_SELECTOR": "level_zero:1"}, names("ze1")),
    (nodes("dri"), {"ZE_AFFINITY_MASK": "3,1", "ONEAPI_DEVICE_SELECTOR": "level_zero:0"}, names("ze1")),
    ({"privileged": True}, {"TPU_VISIBLE_CHIPS": "2"}, names(2)),
    # one list within another
    (ROCM, {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "1"}, names(5)),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "5,GPU-00ff", "CUDA_VISIBLE_DEVICES": "1"}, names("GPU-00ff")),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "4,5"}, names(4, 5)),
    (ROCM, {"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "2"}, names(1, 2)),
    ({"gpus": ["4", "5"]}, {"CUDA_VISIBLE_DEVICES": "0"}, names(4, 5)),
    (nodes("nvidia2", "nvidia3", "nvidiactl"), {"CUDA_VISIBLE_DEVICES": "1"}, names("nvidia2", "nvidia3")),
    ({"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES="2,3")}, {"CUDA_VISIBLE_DEVICES": "0"}, names(2, 3)),
    (nodes("kfd", "dri/renderD128", "dri/renderD129"), {"HIP_VISIBLE_DEVICES": "0"}, names("renderD128", "renderD129")),
    ({"gpus": ["0"], **told(NVIDIA_VISIBLE_DEVICES="1")}, {}, names(0, 1)),
    ({"gpus": "all", **told(NVIDIA_VISIBLE_DEVICES="4")}, {"CUDA_VISIBLE_DEVICES": "0"}, names(0, 4)),
    ({"privileged": True, "gpus": ["4"]}, {"CUDA_VISIBLE_DEVICES": "0"}, names(0, 4)),
    ({"gpus": ["a-name"]}, {"CUDA_VISIBLE_DEVICES": "GPU-3a5f"}, names("GPU-3a5f")),
    ({"devices": ["/dev/brand-new0"], "privileged": True}, {"HIP_VISIBLE_DEVICES": "0"}, names(0)),
    ({**ROCM, "holds": ["node", "a", "a"]}, {}, ("a", "node")),
]  # fmt: skip


@pytest.mark.parametrize(("container", "env", "expected"), SOME, ids=str)
def test_cards_that_are_named_are_held_and_no_others(
    container: dict[str, Any], env: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert held(container, env) == tuple(sorted(expected))


UNTOLD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *((ROCM, {name: SECRET}) for name in ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")),
    (ROCM, {"ROCR_VISIBLE_DEVICES": SECRET, "HIP_VISIBLE_DEVICES": "0"}),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "0,1", "HIP_VISIBLE_DEVICES": SECRET}),
    (ROCM, {"CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": SECRET}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": SECRET}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "zero"}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "0 1"}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "3-1"}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "123456789"}),
    (ROCM, {"ROCR_VISIBLE_DEVICES": "010"}),  # eight
    (nodes("mxcd", "dri"), {"CUDA_VISIBLE_DEVICES": " "}),
    (nodes("davinci_manager"), {"ASCEND_RT_VISIBLE_DEVICES": "-1"}),
    # a number within cards of which nobody knows which they are
    ({"devices": ["/dev/kfd", "/srv/a-link"]}, {"HIP_VISIBLE_DEVICES": "0"}),
    ({"gpus": ["a-name"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"gpus": "all", **told(NVIDIA_VISIBLE_DEVICES="0000:3b:00.0")}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"runtime": "brand-new"}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"devices": ["nvidia.com/gpu=mig0:1"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"mounts": ["/dev/null:/run/nvidia-container-devices/GPU-3a5f-no"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "\N{ARABIC-INDIC DIGIT ONE}"}),
    ({"gpus": "all"}, {"HIP_VISIBLE_DEVICES": "0"}),
    (ROCM, {"HIP_VISIBLE_DEVICES": ""}),
    (ROCM, {"CUDA_VISIBLE_DEVICES": ""}),
    ({"privileged": True}, {"CUDA_VISIBLE_DEVICES": ""}),
    *((ROCM, {name: "0"}) for name in (*OTHERS, "ASCEND_RT_VISIBLE_DEVICES", "BRAND_NEW_VISIBLE_DEVICES")),
    (nodes("dri"), {"ZE_AFFINITY_MASK": "0.1"}),
    (nodes("dri"), {"ZE_AFFINITY_MASK": "0", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}),
    (nodes("dri"), {"ONEAPI_DEVICE_SELECTOR": "*:gpu"}),
    ({"devices": ["/dev/kfd", "/dev/dri", "/dev/brand-new0"]}, {"ASCEND_VISIBLE_DEVICES": "0"}),
]


@pytest.mark.parametrize(("container", "env"), UNTOLD, ids=str)
def test_a_variable_that_orch_cannot_read_for_certain_hides_nothing(
    container: dict[str, Any], env: dict[str, Any]
) -> None:
    assert held(container, env) == EVERYTHING


@pytest.mark.parametrize(
    "command",
    [
        ["env", "HIP_VISIBLE_DEVICES=1", "vllm", "serve"],
        ["bash", "-c", 'export HIP_VISIBLE_DEVICES=4,5; exec vllm serve "$@"', "-"],
        ["bash", "-c", 'unset HIP_VISIBLE_DEVICES; exec vllm serve "$@"', "-"],
    ],
)
def test_a_command_that_chooses_cards_itself_is_not_taken_at_the_profile_s_word(command: list[str]) -> None:
    assert held(ROCM, {"HIP_VISIBLE_DEVICES": "0"}, command=command) == EVERYTHING


def test_a_rule_for_device_nodes_gives_what_they_may_be() -> None:
    for rule in ("c 195:* rmw", "c 195:255 rw", "c 226:* rw", "a *:* rwm", "c 511:* rwm", "c 511:3 rw", "c *:* m"):
        assert [each.cards for each in by_cgroup_rule(rule)] == [None], rule
    for rule in ("c 10:* rwm", "c 10:61 r", "c 226:70 rw"):  # numbers that drivers are given when they are loaded
        assert [each.cards for each in by_cgroup_rule(rule)] == [None], rule
    for rule, card in (("c 195:3 rw", "nvidia3"), ("c 226:129 rw", "renderD129"), ("c 226:1 rw", "card1")):
        assert [each.cards for each in by_cgroup_rule(rule)] == [names(card)], rule
    for rule in ("c 1:3 r", "b 8:* r", "c 231:* rwm", "c 10:200 rwm", "c 10:229 rwm"):
        assert by_cgroup_rule(rule) == [], rule
    assert held_by(with_keys(a_profile(), device_cgroup_rules=("c 511:3 rwm",), mounts=())) == EVERYTHING
    assert held_by(with_keys(a_profile(), device_cgroup_rules=("c 511:* rwm",))) == EVERYTHING


def test_files_of_variables_may_say_anything() -> None:
    files = {"env_file": ("/srv/vllm.env",)}
    profile = a_profile(container=ROCM, server={"env": {"HIP_VISIBLE_DEVICES": "0"}})
    assert held_by(profile) == names(0)
    assert held_by(with_keys(profile, **files)) == EVERYTHING, "a list that the first counts within may stand there"
    assert held_by(with_keys(a_profile(), **files)) == ()
    on_nvidia = Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "void"})
    assert holding(with_keys(a_profile(), **files), on_nvidia).names == EVERYTHING


def with_keys(profile: Any, **keys: object) -> Any:
    """A profile as it is with further keys of docker in its container section."""
    container = SimpleNamespace(**{**dict(profile.container), **keys})
    return SimpleNamespace(container=container, server=profile.server)


WHY: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {}, ("nothing: no accelerator reaches the container",)),
    (nodes("kfd"), {}, ("all accelerators: /dev/kfd in container.devices is given and nothing says which",)),
    (
        {"devices": ["/dev/brand-new0"]},
        {},
        ("all accelerators: /dev/brand-new0 in container.devices is given and orch does not know what that reaches",),
    ),
    (
        ROCM,
        {"HIP_VISIBLE_DEVICES": SECRET},
        (
            "all accelerators: /dev/dri in container.devices is given and orch cannot tell what HIP_VISIBLE_DEVICES in server.env leaves",
        ),
    ),
    (ROCM, {"HIP_VISIBLE_DEVICES": "0,1,2,3,7"}, ("accelerator-0…3, accelerator-7: HIP_VISIBLE_DEVICES in server.env",)),
    ({"gpus": "all"}, {}, ("all accelerators: container.gpus: all is given and names all",)),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": ""}, ("nothing: CUDA_VISIBLE_DEVICES in server.env hides all that is given",)),
    ({"holds": ["b", "a"]}, {}, ("a, b: container.holds",)),
    (
        {"devices": ["/dev/nvidia0", "/dev/dri/renderD128"]},
        {},
        (
            "accelerator-nvidia0: /dev/nvidia0 in container.devices",
            "accelerator-renderD128: /dev/dri/renderD128 in container.devices",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("container", "env", "lines"), WHY, ids=str)
def test_what_is_held_is_said_with_its_reason(
    container: dict[str, Any], env: dict[str, Any], lines: tuple[str, ...]
) -> None:
    assert holding(a_profile(container=container, server={"env": env})).why == lines


AROUND: list[tuple[dict[str, Any], dict[str, Any], Surroundings, tuple[str, ...]]] = [
    ({}, {}, Surroundings("runc", {"NVIDIA_VISIBLE_DEVICES": "all"}), ()),
    ({}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "all"}), EVERYTHING),
    ({}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "2"}), names(2)),
    ({}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "void"}), ()),
    ({}, {}, Surroundings("nvidia", {}), ()),
    ({}, {}, Surroundings("nvidia", {"CUDA_VERSION": "12.8"}), EVERYTHING),
    ({}, {}, Surroundings("nvidia", None), EVERYTHING),
    ({}, {}, Surroundings("brand-new", {}), EVERYTHING),
    ({}, {"CUDA_VISIBLE_DEVICES": "1"}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "all"}), names(1)),
    ({"runtime": "runc"}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "all"}), ()),
    (told(NVIDIA_VISIBLE_DEVICES="1"), {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "all"}), names(1)),
    (told(NVIDIA_VISIBLE_DEVICES="1"), {}, Surroundings("runc", {}), names(1)),
    (ROCM, {"HIP_VISIBLE_DEVICES": "0"}, Surroundings(image_env={"ROCR_VISIBLE_DEVICES": "4,5"}), EVERYTHING),
    (ROCM, {"HIP_VISIBLE_DEVICES": "0"}, Surroundings(image_env={"HIP_VISIBLE_DEVICES": "4,5"}), names(0)),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "1"}, Surroundings(cards=Cards(unlike=True)), EVERYTHING),
    (
        {"gpus": "all"},
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        Surroundings(cards=Cards(unlike=True)),
        names(1),
    ),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "-1"}, Surroundings(cards=Cards(unlike=True)), ()),
    (ROCM, {"CUDA_VISIBLE_DEVICES": "1"}, Surroundings(cards=Cards(unlike=True)), names(1)),
]


@pytest.mark.parametrize(("container", "env", "around", "expected"), AROUND, ids=str)
def test_what_only_the_node_knows_is_held_too(
    container: dict[str, Any], env: dict[str, Any], around: Surroundings, expected: tuple[str, ...]
) -> None:
    profile = a_profile(container=container, server={"env": env})
    assert holding(profile, around).names == expected
    assert set(held_by(profile)) <= set(expected) or expected == EVERYTHING, "the node only adds"


NUMBERINGS = ("", "GPU-", "MIG-", *dict.fromkeys(vendor.numbering for vendor in VENDORS if vendor.numbering))
NUMBERINGS += ("renderD", "card", "nvidia", "accel", "ze", "module", "hl", "xpu")
cards = st.builds(
    lambda numbering, number: f"accelerator-{numbering}{number}", st.sampled_from(NUMBERINGS), st.integers(0, 9)
)


@given(cards, cards)
def test_names_collide_unless_one_numbering_tells_them_apart(one: str, other: str) -> None:
    same_numbering = one.rstrip("0123456789") == other.rstrip("0123456789")
    assert collide((one,), (other,)) is collide((other,), (one,)) is (one == other or not same_numbering)


@given(cards)
def test_what_orch_cannot_name_collides_with_every_card(card: str) -> None:
    assert collide(EVERYTHING, (card,))
    assert collide((card,), EVERYTHING)


@given(st.sampled_from(ALL_OF_THEM), st.sampled_from([row for row in SOME if "holds" not in row[0]]))
def test_a_container_that_does_not_say_excludes_every_other_that_has_a_card(
    container: dict[str, Any], other: tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]
) -> None:
    assert collide(held(container), held(other[0], other[1]))


@given(st.sampled_from(FILTERS), st.text(max_size=9).filter(lambda text: "\0" not in text))
def test_whatever_stands_in_a_variable_nothing_is_held_only_where_it_hides_every_card(name: str, value: str) -> None:
    found = held({"privileged": True, "devices": ["/dev/kfd", "/dev/dri"]}, {name: value})
    if found == ():
        hidden = {"", "-1", "nodevfiles", "none", "void"}
        assert all(
            part.strip().strip("\"'").strip().lower() in hidden for part in value.strip().strip("\"'").split(",")
        )


@pytest.mark.parametrize(
    ("one", "other", "collides"),
    [
        ("accelerator-GPU-3a5f", "accelerator-GPU-3a5f77", True),  # CUDA takes the beginning of a UUID
        ("accelerator-GPU-3a5f", "accelerator-GPU-3b5f", False),
        ("accelerator-MIG-3a5f", "accelerator-GPU-3a5f", True),
        ("accelerator-0", "accelerator-GPU-3a5f", True),
        ("accelerator-0", "accelerator-00", True),
        ("accelerator-left", "accelerator-right", False),
        ("accelerator-left", "accelerator-0", True),
        ("accelerator-0", "node", False),
        ("accelerators", "node", False),
        ("GPU-3a5f", "accelerator-0", False),
    ],
)
def test_whether_two_names_may_be_the_same_card(one: str, other: str, *, collides: bool) -> None:
    assert collide((one,), (other,)) is collide((other,), (one,)) is collides


DISJOINT = [
    *((ROCM, {"HIP_VISIBLE_DEVICES": value}) for value in ("0,1", "2,3")),
    *(({"gpus": [value]}, {}) for value in ("GPU-aa11", "GPU-bb22")),
    *((nodes("kfd", f"dri/card{n}", f"dri/renderD{128 + n}"), {}) for n in (0, 1)),
    *((nodes(f"nvidia{n}", "nvidiactl"), {}) for n in (0, 1)),
    *((nodes(f"davinci{n}", "davinci_manager"), {}) for n in (0, 1)),
    *(({"devices": [f"amd.com/gpu={n}"]}, {}) for n in (0, 1)),
    *(({"runtime": "habana", **told(HABANA_VISIBLE_DEVICES=str(n))}, {}) for n in (0, 1)),
]


@pytest.mark.parametrize(("one", "other"), list(zip(DISJOINT[::2], DISJOINT[1::2], strict=True)), ids=str)
def test_two_that_name_different_cards_in_one_way_do_not_exclude_each_other(
    one: tuple[dict[str, Any], dict[str, Any]], other: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    assert not collide(held(*one), held(*other))
    assert collide(held(*one), held(*one))


SAME_CARD = [
    ({"gpus": ["0"]}, {}),
    ({"gpus": ["GPU-3a5f"]}, {}),
    ({"devices": ["nvidia.com/gpu=0"]}, {}),
    ({"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES="0")}, {}),
    ({"runtime": "nvidia"}, {"CUDA_VISIBLE_DEVICES": "GPU-3a5f"}),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "0"}),
    (nodes("nvidia0", "nvidiactl", "nvidia-uvm"), {}),
    ({"privileged": True}, {"CUDA_VISIBLE_DEVICES": "0"}),
    ({"mounts": ["/dev:/dev"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(SAME_CARD, 2)), ids=str)
def test_the_same_card_named_in_two_ways_is_held_once(
    one: tuple[dict[str, Any], dict[str, Any]], other: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    assert collide(held(*one), held(*other))


def test_names_are_told_in_few_words() -> None:
    assert together(names(3, 1, 0, "renderD128", 2, 9, "GPU-3a5f0", "GPU-3a5f1")) == (
        "accelerator-0…3, accelerator-9, accelerator-renderD128, accelerator-GPU-3a5f0, accelerator-GPU-3a5f1"
    )
    assert together((ALL,)) == "all accelerators"
    assert together(("card", "node1")) == "card, node1"
    assert together(()) == ""


SOURCE = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+: [\w./-]+\.[a-z]+|https://[\w.-]+(/[\w.-]+)*")


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_every_row_of_the_table_names_documents_and_trusts_no_word_that_stands_in_none(vendor: Vendor) -> None:
    assert vendor.sources
    assert [source for source in vendor.sources if not SOURCE.fullmatch(source)] == []
    only_ever_more = (*vendor.control, *vendor.may_give, *vendor.others)
    assert set(vendor.unchecked) <= set(only_ever_more), "a mistake in any other place would free a card"


def test_no_word_of_the_table_means_two_vendors() -> None:
    for words in (
        [name for vendor in VENDORS for name in vendor.runtimes],
        [kind for vendor in VENDORS for kind in vendor.cdi],
        [name for vendor in VENDORS for name in vendor.may_give],
        [pattern for vendor in VENDORS for pattern in (*vendor.cards, *vendor.control)],
    ):
        assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("vendor", [each for each in VENDORS if each.runtimes], ids=lambda vendor: vendor.name)
def test_a_runtime_that_is_told_nothing_gives_all_unless_its_source_says_that_it_gives_nothing(vendor: Vendor) -> None:
    for runtime in vendor.runtimes:
        assert holding(a_profile(), Surroundings(runtime, {})).names == (() if vendor.quiet else EVERYTHING)
        assert holding(a_profile(container={"runtime": runtime}), Surroundings(None, {})).names == EVERYTHING
        if vendor.loud:
            assert holding(a_profile(), Surroundings(runtime, {vendor.loud: "1"})).names == EVERYTHING


@pytest.mark.parametrize("word", ["", "none", "void", "-1", "nothing"])
def test_a_word_that_a_runtime_is_not_known_to_understand_gives_all(word: str) -> None:
    for vendor in VENDORS:
        for name in vendor.gives:
            runtime = {"runtime": vendor.runtimes[0]} if vendor.runtimes else {}
            expected = () if word in vendor.void else EVERYTHING
            profile = a_profile(container={**runtime, **told(**{name: word})})
            around = Surroundings(makers=frozenset({vendor.name}))
            assert holding(profile, around).names == expected, f"{vendor.name}: {name}"


def a_pci_device(root: Path, address: str, vendor: str, device: str, kind: str = "0x030200") -> None:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, text in {"vendor": vendor, "device": device, "class": kind}.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")


def test_what_of_nvidia_s_cards_makes_cuda_count_otherwise_is_read_from_the_kernel(tmp_path: Path) -> None:
    a_pci_device(tmp_path, "0000:18:00.0", "0x10de", "0x2330")
    a_pci_device(tmp_path, "0000:2a:00.0", "0x10de", "0x2330")
    a_pci_device(tmp_path, "0000:05:00.0", "0x1002", "0x74a1")
    assert node_cards(tmp_path) == Cards()
    (tmp_path / "proc/driver/nvidia/capabilities/gpu0/mig/gi1").mkdir(parents=True)
    assert node_cards(tmp_path) == Cards(sliced=True)
    a_pci_device(tmp_path, "0000:3b:00.0", "0x10de", "0x20b5")
    assert node_cards(tmp_path) == Cards(sliced=True, unlike=True)


def test_whose_cards_a_node_has_is_told_by_its_pci_devices_and_its_nodes(tmp_path: Path) -> None:
    for name in ("davinci3", "davinci_manager", "null", "tenstorrent/0", "dri/renderD128", "nvidiactl", "kfd", "mxcd"):
        (tmp_path / "dev" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dev" / name).touch()
    a_pci_device(tmp_path, "0000:33:00.0", "0x1d94", "0x6210", "0x0b4000")
    assert node_makers(tmp_path) == {"Ascend", "Tenstorrent", "MetaX", "Hygon"}
    assert node_makers(tmp_path / "sys") == frozenset()

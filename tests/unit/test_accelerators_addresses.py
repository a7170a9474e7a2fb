"""Promise E2: On its node a card is one PCI address, whichever way it is named; what is not certain stays a name."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fake_node import AMD, HYGON, NVIDIA, FakeNode, nvidia_node, rocm_node
from samples import a_profile

from orchestrator.accelerators import ALL, collide
from orchestrator.accelerators.addresses import node_addresses
from orchestrator.plan.claims import Surroundings, holding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BUSES = ("09", "2f", "33", "57", "5d", "8c", "b1", "f0")
CARDS = tuple(f"0000:{bus}:00.0" for bus in BUSES)
KFD = {"devices": ["/dev/kfd", "/dev/dri"]}
SWAPPED = (2, 3, 0, 1, 6, 7, 4, 5)
"""An order of /dev/kfd that is not that of the addresses, as on nodes with two sockets."""


def named(*addresses: str) -> tuple[str, ...]:
    return tuple(sorted(f"accelerator-pci-{address.replace(':', '-')}" for address in addresses))


def held(node: FakeNode, container: dict[str, Any], env: dict[str, str] | None = None) -> tuple[str, ...]:
    return holding(a_profile(container=container, server={"env": env or {}}), node.around()).names


def nodes(*paths: str) -> dict[str, Any]:
    return {"devices": [f"/dev/{path}" for path in paths]}


def cdi(kind: str, devices: dict[str, list[str]]) -> str:
    edits = {name: {"deviceNodes": [{"path": path} for path in paths]} for name, paths in devices.items()}
    found = [{"name": name, "containerEdits": each} for name, each in edits.items()]
    return yaml.safe_dump({"cdiVersion": "0.6.0", "kind": kind, "devices": found})


def on_amd(index: int) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """The ways to name a card of the swapped node by its number of HIP."""
    card = SWAPPED[index]
    other = (index + 1) % len(CARDS)
    link = f"/dev/dri/by-path/pci-{CARDS[card]}-render"
    return {
        "HIP": (KFD, {"HIP_VISIBLE_DEVICES": str(index)}),
        "CUDA": (KFD, {"CUDA_VISIBLE_DEVICES": str(index)}),
        "ROCR": (KFD, {"ROCR_VISIBLE_DEVICES": str(index)}),
        "HIP in ROCR": (KFD, {"ROCR_VISIBLE_DEVICES": f"{other},{index}", "HIP_VISIBLE_DEVICES": "1"}),
        "UUID": (KFD, {"ROCR_VISIBLE_DEVICES": f"GPU-ab0000000000000{card}"}),
        "HIP in UUIDs": (KFD, {"ROCR_VISIBLE_DEVICES": f"{other},GPU-ab0000000000000{card}", "HIP_VISIBLE_DEVICES": "1"}),
        "UUID to the toolkit": ({"runtime": "amd", "env": {"AMD_VISIBLE_DEVICES": f"0xAB0000000000000{card}"}}, {}),
        "node": (nodes("kfd", f"dri/renderD{128 + card}"), {}),
        "node that shows": (nodes("kfd", f"dri/card{card + 1}"), {}),
        "both nodes": (nodes("kfd", f"dri/card{card + 1}", f"dri/renderD{128 + card}"), {"HIP_VISIBLE_DEVICES": "0"}),
        "link": ({"devices": ["/dev/kfd"], "mounts": [{"source": link, "target": link}]}, {}),
        "mount": ({"devices": ["/dev/kfd"], "mounts": [f"/dev/dri/renderD{128 + card}:/dev/dri/renderD128"]}, {}),
        "rule": ({"device_cgroup_rules": [f"c 226:{128 + card} rw"]}, {}),
        "CDI": ({"devices": [f"amd.com/gpu={card}"]}, {}),
        "privileged": ({"privileged": True}, {"HIP_VISIBLE_DEVICES": str(index)}),
    }  # fmt: skip


def amd_node(root: Path) -> FakeNode:
    node = rocm_node(root, CARDS, SWAPPED)
    devices = {str(n): [f"/dev/dri/card{n + 1}", f"/dev/dri/renderD{128 + n}", "/dev/kfd"] for n in range(len(CARDS))}
    node.file("etc/cdi/amd.json", json.dumps(yaml.safe_load(cdi("amd.com/gpu", devices))))
    return node


@pytest.mark.parametrize("way", on_amd(0))
def test_a_card_is_held_by_its_address_however_it_is_named(way: str, tmp_path: Path) -> None:
    node = amd_node(tmp_path)
    for index in (0, 5):
        assert held(node, *on_amd(index)[way]) == named(CARDS[SWAPPED[index]])


def test_two_that_name_different_cards_in_different_ways_are_up_at_once(tmp_path: Path) -> None:
    node = amd_node(tmp_path)
    found, others = ({way: held(node, *named) for way, named in on_amd(index).items()} for index in (1, 4))
    for one, other in itertools.product(found, others):
        assert not collide(found[one], others[other]), f"{one} holds {found[one]}, {other} holds {others[other]}"


def test_lists_within_lists_and_uuids_that_mean_the_same_cards_exclude_each_other(tmp_path: Path) -> None:
    node = amd_node(tmp_path)
    pair = named(CARDS[SWAPPED[4]], CARDS[SWAPPED[5]])
    uuids = ",".join(f"GPU-ab0000000000000{SWAPPED[index]}" for index in (4, 5))
    for env in (
        {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "0,1"},
        {"HIP_VISIBLE_DEVICES": "4,5"},
        {"ROCR_VISIBLE_DEVICES": uuids},
        {"ROCR_VISIBLE_DEVICES": uuids, "HIP_VISIBLE_DEVICES": "1,0"},
    ):
        assert held(node, KFD, env) == pair
    assert held(node, KFD, {"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "0,1"}) == named(*CARDS[:2])


def test_what_an_orch_of_before_holds_by_other_names_excludes_the_same_card_still(tmp_path: Path) -> None:
    node = amd_node(tmp_path)
    now = [held(node, *named) for named in on_amd(1).values()]
    for container, env in on_amd(1).values():
        before = holding(a_profile(container=container, server={"env": env})).names
        assert all(collide(before, found) and collide(found, before) for found in now), before


def test_the_toolkit_of_amd_is_believed_where_all_orders_are_one(tmp_path: Path) -> None:
    by_toolkit = {"runtime": "amd", "env": {"AMD_VISIBLE_DEVICES": "3"}}
    assert held(rocm_node(tmp_path / "sorted", CARDS), by_toolkit) == named(CARDS[3])
    swapped = amd_node(tmp_path / "swapped")
    assert held(swapped, by_toolkit) == ("accelerator-amd3",)
    for index in range(len(CARDS)):
        assert collide(held(swapped, by_toolkit), held(swapped, *on_amd(index)["node"]))


def test_cards_of_hygon_are_counted_only_where_all_orders_are_one(tmp_path: Path) -> None:
    index = {"HIP_VISIBLE_DEVICES": "5"}
    one_order = rocm_node(tmp_path / "sorted", CARDS, vendor=HYGON, driver="hycu")
    assert held(one_order, KFD, index) == named(CARDS[5])
    assert held(one_order, nodes("kfd", "mkfd", "dri/renderD133")) == named(CARDS[5])
    other = rocm_node(tmp_path / "swapped", CARDS, SWAPPED, vendor=HYGON, driver="hycu")
    assert held(other, KFD, index) == ("accelerator-5",)
    assert held(other, nodes("kfd", "mkfd", "dri/renderD133")) == named(CARDS[5])
    assert held(other, KFD, {"ROCR_VISIBLE_DEVICES": "5"}) == (ALL,)


UUID = "GPU-00000002-1111-2222-3333-444455556666"
ON_NVIDIA: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "gpus": ({"gpus": ["2"]}, {}),
    "gpus by UUID": ({"gpus": [UUID]}, {}),
    "slice of a UUID": ({"gpus": [f"MIG-{UUID}/1/0"]}, {}),
    "CDI": ({"devices": ["nvidia.com/gpu=2"]}, {}),
    "runtime": ({"runtime": "nvidia", "env": {"NVIDIA_VISIBLE_DEVICES": "2"}}, {}),
    "runtime by UUID": ({"runtime": "nvidia", "env": {"NVIDIA_VISIBLE_DEVICES": UUID}}, {}),
    "CUDA": ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "2"}),
    "CUDA by the beginning of a UUID": ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "GPU-00000002"}),
    "privileged": ({"privileged": True}, {"CUDA_VISIBLE_DEVICES": "2"}),
    "node": (nodes("nvidia2", "nvidiactl", "nvidia-uvm"), {}),
    "mount": ({"mounts": ["/dev/nvidia2:/dev/nvidia0"]}, {}),
    "rule": ({"device_cgroup_rules": ["c 195:2 rwm"]}, {}),
}


@pytest.mark.parametrize("way", ON_NVIDIA)
def test_a_card_of_nvidia_is_held_by_its_address_however_it_is_named(way: str, tmp_path: Path) -> None:
    assert held(nvidia_node(tmp_path, CARDS[:4]), *ON_NVIDIA[way]) == named(CARDS[2])


def test_numbers_of_nvidia_are_not_believed_where_minors_have_another_order(tmp_path: Path) -> None:
    node = nvidia_node(tmp_path, CARDS[:4], (0, 1, 3, 2))
    for way in ("gpus", "CDI", "runtime", "CUDA", "privileged"):
        assert held(node, *ON_NVIDIA[way]) == ("accelerator-2",)
    assert held(node, *ON_NVIDIA["node"]) == named(CARDS[3])
    assert held(node, *ON_NVIDIA["gpus by UUID"]) == named(CARDS[2])
    assert collide(held(node, *ON_NVIDIA["gpus"]), held(node, *ON_NVIDIA["node"]))


def test_a_card_that_nvidia_s_driver_keeps_back_is_not_counted(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    for number, (address, excluded) in enumerate(zip(CARDS, ("No", "Yes", "No"), strict=False)):
        node.pci(address, NVIDIA, "0x2330", "0x030200")
        node.nvidia(address, number, "GPU-????????-????-????-????-????????????", excluded)
    assert held(node, {"gpus": ["1"]}) == named(CARDS[2])
    assert held(node, {"gpus": ["5"]}) == ("accelerator-5",)
    assert held(node, {"gpus": ["GPU-0000"]}) == ("accelerator-GPU-0000",)


def test_a_cdi_device_is_the_cards_whose_nodes_its_specification_gives(tmp_path: Path) -> None:
    node = amd_node(tmp_path)
    devices = {"0": ["/dev/dri/renderD130"], "1": ["/dev/dri/renderD130", "/dev/brand-new"], "2": [], "3": ["/dev/dri"]}
    devices |= {"4": ["/dev/dri/renderD190"], "mig0": ["/dev/dri/renderD131"]}
    node.file("run/cdi/hygon.yaml", cdi("hygon.com/hcu", devices))
    node.file("run/cdi/broken.yaml", "kind: [")
    node.file("run/cdi/strange.json", "[1]")
    found = {number: held(node, {"devices": [f"hygon.com/hcu={number}"]}) for number in range(5)}
    assert found.pop(0) == named(CARDS[2])
    assert found == {number: (f"accelerator-cdi-hygon.com-hcu-{number}",) for number in range(1, 5)}
    node.file("etc/cdi/hygon.yaml", cdi("hygon.com/hcu", {"0": ["/dev/dri/renderD128"]}))
    assert held(node, {"devices": ["hygon.com/hcu=0"]}) == named(CARDS[0], CARDS[2]), "which one counts is the engine's"


def test_a_part_of_a_card_is_the_card(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    device = node.pci(CARDS[0], AMD, driver="amdgpu")
    node.drm(device, "card1", "renderD128")
    platform = tmp_path / "sys/devices/platform/amdgpu_xcp_1"
    node.drm(platform, "renderD129")
    for part in range(2):
        node.kfd(CARDS[0], AMD, 128 + part, 0xAB00 + part, part)
    assert held(node, nodes("kfd", "dri/renderD129")) == named(CARDS[0])
    for env in ({"HIP_VISIBLE_DEVICES": "1"}, {"ROCR_VISIBLE_DEVICES": "GPU-000000000000ab01"}):
        assert held(node, KFD, env) == named(CARDS[0])


def test_a_card_whose_place_kfd_does_not_tell_is_found_by_its_node(tmp_path: Path) -> None:
    node = rocm_node(tmp_path, ["0000:00:08.0"])
    assert held(node, KFD, {"HIP_VISIBLE_DEVICES": "0"}) == named("0000:00:08.0")
    node.kfd("0000:00:09.0", AMD, 129, 0xAB)
    assert held(node, KFD, {"HIP_VISIBLE_DEVICES": "1"}) == ("accelerator-renderD129",)


def test_a_virtual_function_is_the_card_that_it_is_of(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    physical = node.pci(CARDS[0], AMD)
    virtual = node.pci("0000:09:02.0", AMD)
    (virtual / "physfn").symlink_to(physical)
    node.drm(virtual, "renderD128")
    node.link("sys/kernel/iommu_groups/11/devices/0000:09:02.0", virtual)
    link = "/dev/dri/by-path/pci-0000:09:02.0-render"
    for container in (
        nodes("dri/renderD128"),
        {"mounts": [{"source": link, "target": link}]},
        nodes("vfio/11", "vfio/vfio"),
    ):
        assert held(node, container) == named(CARDS[0])


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("accel", "accel3", "accel/accel3"),
        ("habanalabs", "hl3", "hl3"),
        ("tenstorrent", "tenstorrent!3", "tenstorrent/3"),
        ("rngd_mgmt", "rngd!npu3mgmt", "rngd/npu3mgmt"),
    ],
)
def test_a_node_of_any_driver_that_says_whose_it_is_is_its_card(
    kind: str, name: str, path: str, tmp_path: Path
) -> None:
    node = FakeNode(tmp_path)
    node.of_class(kind, node.pci(CARDS[3], "0x1da3", "0x1020", "0x120000"), name)
    assert held(node, nodes(path)) == named(CARDS[3])


def test_a_node_that_does_not_say_whose_it_is_stays_a_name(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    node.of_class("davinci", tmp_path / "sys/devices/virtual", "davinci3")
    assert held(node, nodes("davinci3", "davinci_manager")) == ("accelerator-davinci3",)


def mixed(root: Path) -> FakeNode:
    node = nvidia_node(root, CARDS[:2])
    node.drm(node.pci(CARDS[5], AMD, kind="0x030000", driver="amdgpu"), "renderD128")
    node.drm(node.pci(CARDS[6], "0x8086", kind="0x030000"), "renderD129")
    node.kfd(CARDS[5], AMD, 128, 0xAB)
    return node


MIXED: list[tuple[dict[str, Any], dict[str, str], Iterable[str]]] = [
    ({"gpus": "all"}, {}, CARDS[:2]),
    ({"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "zero"}, CARDS[:2]),
    (KFD, {}, CARDS[5:7]),
    (KFD, {"HIP_VISIBLE_DEVICES": "0"}, CARDS[5:6]),
    ({"gpus": ["0"]}, {}, CARDS[:1]),
    (nodes("dri/renderD129"), {}, CARDS[6:7]),
]


@pytest.mark.parametrize(("container", "env", "expected"), MIXED, ids=str)
def test_on_a_node_of_several_vendors_only_those_that_can_be_reached_are_held(
    container: dict[str, Any], env: dict[str, str], expected: Iterable[str], tmp_path: Path
) -> None:
    assert held(mixed(tmp_path), container, env) == named(*expected)


def test_whoever_may_reach_every_vendor_s_cards_holds_all_of_the_node(tmp_path: Path) -> None:
    node = mixed(tmp_path)
    for env in ({}, {"HIP_VISIBLE_DEVICES": "0"}):
        assert held(node, {"privileged": True}, env) == (ALL,)
    assert held(node, {"privileged": True}, {"CUDA_VISIBLE_DEVICES": "0"}) == named(CARDS[0], CARDS[5])
    assert held(node, nodes("brand-new")) == (ALL,)


def test_what_may_be_nvidia_s_or_another_s_of_this_node_is_not_told_apart(tmp_path: Path) -> None:
    node = mixed(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/alixpu_ppu0").touch()
    assert held(node, {"gpus": "all"}) == (ALL,)
    assert held(node, {"gpus": ["0"]}) == ("accelerator-0",)


def test_a_node_without_accelerators_tells_nothing(tmp_path: Path) -> None:
    assert node_addresses(tmp_path) == Surroundings().addresses

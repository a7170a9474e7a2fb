"""Promise E2: two deployments never meet on a card, whichever way each of them names it.

The node of these tests has twelve cards of one vendor. Each way of counting them begins at another card, as nothing
promises that two of them agree: a number of one way is never the same number of another. What only happens to be equal
is then told from what is the same.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from samples import a_profile

from orchestrator.accelerators import Cards, collide
from orchestrator.accelerators.vendors import VENDORS
from orchestrator.plan.claims import Surroundings, holding

CARDS = 12
ONE, OTHER = 3, 8
INDEX = "index"
"""The numbers that the runtime of a vendor gives the cards of a node."""
UUID = "uuid"
EVERY = "every"
"""Cards are not told apart."""
SECRET = {"from_env": "CHOSEN"}


@dataclass(frozen=True)
class Way:
    """A way in which a profile names a card; `{n}` stands for its number, and `{u}` for its UUID."""

    counting: str
    container: dict[str, Any]
    env: dict[str, Any] = field(default_factory=dict)
    around: Surroundings = field(default_factory=Surroundings)

    def __str__(self) -> str:
        return f"{self.container} {self.env}"


def told(**env: object) -> dict[str, Any]:
    return {"env": env}


def nodes(*paths: str) -> dict[str, Any]:
    return {"devices": [f"/dev/{path}" for path in paths]}


def by_runtime(name: str, variable: str, value: str = "{n}") -> dict[str, Any]:
    return {"runtime": name, **told(**{variable: value})}


def left_by(variable: str, counting: str = INDEX, value: str = "{n}", *ways: dict[str, Any]) -> list[Way]:
    return [Way(counting, way, {variable: value}) for way in (*ways, *EVERYTHING)]


def link(kind: str) -> dict[str, str]:
    path = "/dev/dri/by-path/pci-0000:{n:02x}:00.0-" + kind
    return {"source": path, "target": path}


EVERYTHING: list[dict[str, Any]] = [{"privileged": True}, {"mounts": ["/dev:/dev"]}, {"mounts": ["/:/host"]}]
WHOLE: list[Way] = [
    *(Way(EVERY, way) for way in EVERYTHING),
    Way(EVERY, {"devices": ["/dev"]}),
    Way(EVERY, {"device_cgroup_rules": ["a *:* rwm"]}),
    Way(EVERY, {"device_cgroup_rules": ["c 10:* rwm"]}),
    Way(EVERY, {"runtime": "brand-new"}),
    Way(EVERY, {}, {}, Surroundings("brand-new", {})),
    Way(EVERY, {"devices": ["brand-new.com/card=0"]}),
    Way(EVERY, {"devices": ["/srv/a-link"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
    Way(EVERY, {"devices": ["/srv/a-link"]}, {"HIP_VISIBLE_DEVICES": "0", "ASCEND_RT_VISIBLE_DEVICES": "0"}),
    Way(EVERY, told(DOCKER_RESOURCE_GPU="0x0123456789"), {"HIP_VISIBLE_DEVICES": "0"}),
]
"""Ways that say nothing, or nothing that can be read, and the ones that count within something unreadable."""

KFD = nodes("kfd", "dri")
DCU = nodes("kfd", "mkfd", "dri")
UNLIKE, SLICED = Surroundings(cards=Cards(unlike=True)), Surroundings(cards=Cards(sliced=True))
ON_AMD, ON_HYGON, ON_THEAD = (Surroundings(makers=frozenset({maker})) for maker in ("AMD", "Hygon", "T-Head"))

WAYS: dict[str, list[Way]] = {
    "NVIDIA": [
        Way(INDEX, {"gpus": ["{n}"]}),
        Way(INDEX, {"gpus": "device={n}"}),
        Way(INDEX, {"gpus": {"driver": "nvidia", "device_ids": ["{n}"]}}),
        Way(INDEX, {"gpus": ["{n}:0"]}),
        Way(UUID, {"gpus": ["{u}"]}),
        Way(UUID, {"gpus": ["MIG-{u}/1/0"]}),
        Way("slice", {"gpus": ["MIG-{n:08x}-0000"]}),
        Way(EVERY, {"gpus": 1}),
        Way(EVERY, {"gpus": "all", **told(NVIDIA_VISIBLE_DEVICES="{n}")}),
        Way(INDEX, {"devices": ["nvidia.com/gpu={n}"]}),
        Way(UUID, {"devices": ["nvidia.com/gpu={u}"]}),
        Way(INDEX, {"gpus": {"driver": "cdi", "device_ids": ["nvidia.com/gpu={n}"]}}),
        Way(EVERY, {"devices": ["nvidia.com/gpu=gpu{n}"]}, {"CUDA_VISIBLE_DEVICES": "0"}),
        Way(INDEX, by_runtime("nvidia", "NVIDIA_VISIBLE_DEVICES")),
        Way(UUID, by_runtime("nvidia-cdi", "NVIDIA_VISIBLE_DEVICES", "{u}")),
        Way(INDEX, told(NVIDIA_VISIBLE_DEVICES="{n}")),
        Way(INDEX, told(NVIDIA_VISIBLE_DEVICES="{n}"), {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "all"})),
        Way(INDEX, {}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "{n}"})),
        Way(EVERY, {}, {"CUDA_VISIBLE_DEVICES": "0"}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "0000:{n:02x}:00.0"})),
        Way(EVERY, {"runtime": "nvidia"}, {"CUDA_VISIBLE_DEVICES": "0"}, Surroundings(None, {"NVIDIA_VISIBLE_DEVICES": "{n}"})),
        Way(EVERY, told(CUDA_VERSION="12.8"), {}, Surroundings("nvidia", {})),
        Way(INDEX, by_runtime("nvidia", "NVIDIA_VISIBLE_DEVICES"), {"CUDA_VISIBLE_DEVICES": "0"}),
        Way(EVERY, by_runtime("nvidia", "NVIDIA_VISIBLE_DEVICES", "0000:{n:02x}:00.0"), {"CUDA_VISIBLE_DEVICES": "0"}),
        Way(EVERY, {"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES=SECRET)}, {"CUDA_VISIBLE_DEVICES": "0"}),
        Way(UUID, {"runtime": "nvidia", **told(NVIDIA_VISIBLE_DEVICES=SECRET)}, {"CUDA_VISIBLE_DEVICES": "{u}"}),
        Way(INDEX, {"mounts": ["/dev/null:/var/run/nvidia-container-devices/{n}"]}),
        Way(EVERY, {"mounts": ["/dev/null:/var/run/nvidia-container-devices/cdi/nvidia.com/gpu/{n}"]}),
        Way("node", nodes("nvidia{n}", "nvidiactl", "nvidia-uvm")),
        Way("node", nodes("nvidia{n}", "nvidiactl"), {"CUDA_VISIBLE_DEVICES": "0"}),
        Way("node", {"mounts": ["/dev/nvidia{n}:/dev/nvidia0"]}),
        Way("node", {"device_cgroup_rules": ["c 195:{n} rwm", "c 195:255 rwm"]}),
        *left_by("CUDA_VISIBLE_DEVICES", INDEX, "{n}", {"gpus": "all"}, {"runtime": "nvidia"}, {"devices": ["nvidia.com/gpu=all"]}),
        *left_by("CUDA_VISIBLE_DEVICES", UUID, "{u}", {"gpus": "all"}),
        Way(EVERY, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "0"}, UNLIKE),
        Way(INDEX, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "{n}", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, UNLIKE),
        Way(UUID, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "{u}"}, UNLIKE),
        Way(EVERY, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, SLICED),
        Way("slice", {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": "MIG-{n:08x}-0000"}, SLICED),
        Way(INDEX, {"gpus": ["{n}"]}, {"CUDA_VISIBLE_DEVICES": "0"}, SLICED),
    ],
    "AMD": [
        Way("render", nodes("kfd", "dri/renderD{r}")),
        Way("render", nodes("kfd", "dri/card0", "dri/renderD{r}")),
        Way("render", nodes("kfd", "dri/renderD{r}"), {"HIP_VISIBLE_DEVICES": "0"}),
        Way("render", {"devices": ["/dev/kfd"], "mounts": ["/dev/dri/renderD{r}:/dev/dri/renderD128"]}),
        Way("render", {"device_cgroup_rules": ["c 226:{r} rw"]}),
        Way("address", {"devices": ["/dev/kfd"], "mounts": [link("render")]}),
        Way("render", {"devices": ["/dev/kfd", "/dev/dri/renderD{r}"], "mounts": [link("card"), link("render")]}),
        Way("shown", nodes("kfd", "dri/card{n}")),
        Way("toolkit", by_runtime("amd", "AMD_VISIBLE_DEVICES")),
        Way("toolkit", told(AMD_VISIBLE_DEVICES="{n}-{n}")),
        Way(UUID, by_runtime("amd", "AMD_VISIBLE_DEVICES", "{x}")),
        Way("cdi", {"devices": ["amd.com/gpu={n}"]}),
        Way("docker", {"gpus": {"driver": "amd", "device_ids": ["{n}"]}}),
        Way("docker", {"gpus": ["{n}"]}, {}, ON_AMD),
        Way(EVERY, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": ""}, ON_AMD),
        Way(EVERY, told(DOCKER_RESOURCE_GPU="{x}"), {"HIP_VISIBLE_DEVICES": "0"}),
        *left_by("HIP_VISIBLE_DEVICES", INDEX, "{n}", KFD, {"runtime": "amd"}),
        *left_by("CUDA_VISIBLE_DEVICES", INDEX, "{n}", KFD, {"devices": ["amd.com/gpu=all"]}),
        *left_by("ROCR_VISIBLE_DEVICES", INDEX, "{n}", KFD),
        *left_by("ROCR_VISIBLE_DEVICES", UUID, "{u}", KFD),
        Way(INDEX, KFD, {"ROCR_VISIBLE_DEVICES": "{m},{n}", "HIP_VISIBLE_DEVICES": "1"}),
        Way(INDEX, KFD, {"ROCR_VISIBLE_DEVICES": "{n},{m}", "CUDA_VISIBLE_DEVICES": "0"}),
        Way(UUID, KFD, {"ROCR_VISIBLE_DEVICES": "{m},{u}", "HIP_VISIBLE_DEVICES": "1"}),
        Way(EVERY, KFD, {"ROCR_VISIBLE_DEVICES": SECRET, "HIP_VISIBLE_DEVICES": "0"}),
        Way(EVERY, KFD, {"GPU_DEVICE_ORDINAL": "{n}", "HIP_VISIBLE_DEVICES": "0"}),
        Way(EVERY, KFD, {"ROCR_VISIBLE_DEVICES": "0{n}"}),
    ],
    "Hygon": [
        Way("render", nodes("kfd", "mkfd", "dri/card0", "dri/renderD{r}")),
        Way("toolkit", by_runtime("hcu", "HCU_VISIBLE_DEVICES")),
        Way("toolkit", by_runtime("hcu", "NVIDIA_VISIBLE_DEVICES")),
        Way("toolkit", told(NVIDIA_VISIBLE_DEVICES="{n}"), {}, Surroundings("hcu", {})),
        Way("toolkit", told(HCU_VISIBLE_DEVICES="{n}"), {}, Surroundings("hcu", {"NVIDIA_VISIBLE_DEVICES": "{n}"})),
        Way("toolkit", {}, {}, Surroundings("hcu", {"HCU_VISIBLE_DEVICES": "{n}", "ROCM_VERSION": "6.3"})),
        Way(EVERY, {}, {}, Surroundings("hcu", {"ROCM_VERSION": "6.3"})),
        Way(EVERY, told(HCU_VISIBLE_DEVICES="{n}"), {}, Surroundings("hcu", {"NVIDIA_VISIBLE_DEVICES": "all"})),
        Way(EVERY, {"runtime": "hcu", **told(HCU_VISIBLE_DEVICES="{m}", NVIDIA_VISIBLE_DEVICES="all")}),
        Way(EVERY, {"runtime": "hcu", **told(VHCU_VISIBLE_DEVICES="0")}, {"HIP_VISIBLE_DEVICES": "0"}),
        Way(EVERY, told(MIG_VISIBLE_DEVICES="MIG-0"), {"HIP_VISIBLE_DEVICES": "0"}),
        Way(EVERY, told(DCU_VISIBLE_DEVICES="{n}"), {"HIP_VISIBLE_DEVICES": "0"}),
        Way(EVERY, {"mounts": ["/dev/null:/var/run/hcu-container-devices/cdi/hygon.com/hcu/{n}"]}, {"HIP_VISIBLE_DEVICES": "0"}),
        Way("toolkit", told(NVIDIA_VISIBLE_DEVICES="{n}"), {}, ON_HYGON),
        Way("docker", {"gpus": ["{n}"]}, {}, ON_HYGON),
        Way("docker", {"gpus": {"driver": "nvidia", "device_ids": ["{n}"]}}, {}, ON_HYGON),
        Way(INDEX, {"gpus": "all"}, {"HIP_VISIBLE_DEVICES": "{n}"}, ON_HYGON),
        Way(EVERY, {"gpus": "all"}, {"CUDA_VISIBLE_DEVICES": ""}, ON_HYGON),
        Way("hcu-ctk", {"devices": ["hygon.com/hcu={n}"]}),
        Way("gpustack", {"devices": ["hygon.com/dcu={n}"]}),
        *left_by("HIP_VISIBLE_DEVICES", INDEX, "{n}", DCU, KFD, {"runtime": "hcu"}),
        Way(EVERY, KFD, {"ROCR_VISIBLE_DEVICES": "{n}"}, ON_HYGON),
        Way(EVERY, DCU, {"HIP_VISIBLE_DEVICES": "-1"}),
    ],
    "Ascend": [
        Way("node", nodes("davinci{n}", "davinci_manager", "devmm_svm", "hisi_hdc")),
        Way("node", nodes("davinci{n}", "davinci_manager"), {"ASCEND_RT_VISIBLE_DEVICES": "0"}),
        Way("node", by_runtime("ascend", "ASCEND_VISIBLE_DEVICES")),
        Way("node", told(ASCEND_VISIBLE_DEVICES="{n}-{n}"), {"ASCEND_RT_VISIBLE_DEVICES": "0"}, Surroundings("ascend", {})),
        Way("virtual", nodes("vdavinci{r}", "davinci_manager")),
        Way(EVERY, {"runtime": "ascend", **told(ASCEND_VISIBLE_DEVICES="{r}", ASCEND_RUNTIME_OPTIONS="VIRTUAL")}),
        Way(EVERY, by_runtime("ascend", "ASCEND_VISIBLE_DEVICES", "Ascend910-{n}"), {"ASCEND_RT_VISIBLE_DEVICES": "0"}),
        Way("cdi", {"devices": ["huawei.com/npu={n}"]}),
        *left_by("ASCEND_RT_VISIBLE_DEVICES", INDEX, "{n}", {"runtime": "ascend"}),
        Way(EVERY, {"privileged": True}, {"ASCEND_RT_VISIBLE_DEVICES": "0", "NPU_VISIBLE_DEVICES": "{n}"}),
        Way(EVERY, {"privileged": True}, {"CUDA_VISIBLE_DEVICES": "0"}, Surroundings(makers=frozenset({"Ascend"}))),
    ],
    "Gaudi": [
        Way("node", nodes("accel/accel{n}", "accel/accel_controlD{n}")),
        Way("old node", nodes("hl{n}")),
        Way("toolkit", by_runtime("habana", "HABANA_VISIBLE_DEVICES")),
        Way(EVERY, by_runtime("habana", "HABANA_VISIBLE_DEVICES", "void")),
        Way(EVERY, by_runtime("habana", "HABANA_VISIBLE_DEVICES", "")),
        Way(EVERY, {}, {}, Surroundings("habana", {})),
        Way("cdi", {"devices": ["intel.com/gaudi={n}"]}),
        *left_by("HABANA_VISIBLE_MODULES", "module", "{n}", by_runtime("habana", "HABANA_VISIBLE_DEVICES", "all")),
    ],
    "MetaX": [
        Way("render", nodes("mxcd", "dri/renderD{r}")),
        Way("cdi", {"devices": ["metax-tech.com/gpu={n}"]}),
        *left_by("CUDA_VISIBLE_DEVICES", INDEX, "{n}", nodes("mxcd", "dri")),
        Way(EVERY, nodes("mxcd", "dri"), {"CUDA_VISIBLE_DEVICES": "-1"}),
        Way(EVERY, nodes("mxcd", "dri"), {"CUDA_VISIBLE_DEVICES": "0", "MACA_VISIBLE_DEVICES": "{n}"}),
        Way(EVERY, told(METAX_VISIBLE_DEVICES="{n}"), {"CUDA_VISIBLE_DEVICES": "0"}),
    ],
    "Moore Threads": [
        Way("node", nodes("mtgpu.{n}")),
        Way("render", nodes("mtgpu", "dri/renderD{r}")),
        Way(EVERY, nodes("mtgpu{n}", "dri")),
        Way("cdi", {"devices": ["mthreads.com/gpu={n}"]}),
        *left_by("MUSA_VISIBLE_DEVICES", INDEX, "{n}", by_runtime("mthreads", "MTHREADS_VISIBLE_DEVICES", "all")),
        Way(INDEX, {}, {"MUSA_VISIBLE_DEVICES": "{n}"}, Surroundings("mthreads", {"MTHREADS_VISIBLE_DEVICES": "all"})),
        Way(EVERY, by_runtime("mthreads", "MTHREADS_VISIBLE_DEVICES"), {"MUSA_VISIBLE_DEVICES": "0"}),
        Way(EVERY, {}, {}, Surroundings("mthreads", {})),
    ],
    "Iluvatar": [
        Way("node", nodes("iluvatar{n}", "itrctl")),
        Way("toolkit", by_runtime("iluvatar", "IX_VISIBLE_DEVICES")),
        Way("cdi", {"devices": ["iluvatar.com/gpu={n}"]}),
        Way(UUID, {"devices": ["iluvatar.com/gpu={u}"]}),
        Way(EVERY, {}, {}, Surroundings("iluvatar", {})),
        *left_by("CUDA_VISIBLE_DEVICES", INDEX, "{n}", {"runtime": "iluvatar"}),
    ],
    "Cambricon": [
        Way("node", nodes("cambricon_dev{n}", "cambricon_ctl", "cambricon_ipcm{n}")),
        Way("toolkit", by_runtime("cambricon", "CAMBRICON_VISIBLE_DEVICES")),
        Way("cdi", {"devices": ["cambricon.com/mlu={n}"]}),
        *left_by("MLU_VISIBLE_DEVICES", INDEX, "{n}", {"runtime": "cambricon"}),
        Way(EVERY, {"privileged": True}, {"MLU_VISIBLE_DEVICES": "0", "CN_VISIBLE_DEVICES": "{n}"}),
    ],
    "Kunlunxin": [
        Way("node", nodes("xpu{n}", "xpuctrl")),
        *left_by("XPU_VISIBLE_DEVICES"),
        *left_by("CUDA_VISIBLE_DEVICES"),
        Way(EVERY, {"runtime": "xpu", **told(CXPU_VISIBLE_DEVICES="{n}")}, {"XPU_VISIBLE_DEVICES": "0"}),
    ],
    "Biren": [
        Way("node", nodes("biren-m", "biren/card_{n}")),
        Way(EVERY, {"devices": ["birentech.com/gpu=card_{n}"]}),
        Way(EVERY, told(BIREN_VISIBLE_DEVICES="{n}"), {"SUPA_VISIBLE_DEVICES": "0"}),
        *left_by("SUPA_VISIBLE_DEVICES"),
    ],
    "Enflame": [
        Way("node", nodes("gcu{n}")),
        Way("toolkit", told(ENFLAME_VISIBLE_DEVICES="{n}")),
        *left_by("TOPS_VISIBLE_DEVICES"),
        Way(EVERY, told(TENCENT_VISIBLE_DEVICES="{n}"), {"TOPS_VISIBLE_DEVICES": "0"}),
    ],
    "Intel": [
        Way("render", nodes("dri/renderD{r}")),
        Way("render", {"devices": ["/dev/dri/renderD{r}"], "mounts": ["/dev/dri/card0:/dev/dri/card0"]}),
        Way("render", {"devices": ["/dev/dri/renderD{r}"], "mounts": [link("card"), link("render"), "/dev/dri/card0:/dev/dri/card0"]}),
        Way("address", {"mounts": [link("render")]}),
        *left_by("ZE_AFFINITY_MASK", INDEX, "{n}", nodes("dri")),
        *left_by("ONEAPI_DEVICE_SELECTOR", INDEX, "level_zero:{n}", nodes("dri")),
        Way(EVERY, nodes("dri"), {"ZE_AFFINITY_MASK": "{n}", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}),
        Way(EVERY, nodes("dri"), {"ZE_AFFINITY_MASK": "{n}", "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1"}),
    ],
    "TPU": [
        Way("node", nodes("accel{n}")),
        Way("group", nodes("vfio/{n}", "vfio/vfio")),
        *left_by("TPU_VISIBLE_CHIPS"),
        Way(EVERY, {"privileged": True}, {"TPU_VISIBLE_CHIPS": "0", "TPU_VISIBLE_DEVICES": "{n}"}),
    ],
    "Neuron": [
        Way("node", nodes("neuron{n}")),
        Way("node", nodes("neuron{n}"), {"NEURON_RT_VISIBLE_CORES": "0"}),
        Way("toolkit", by_runtime("neuron", "AWS_NEURON_VISIBLE_DEVICES")),
        Way(EVERY, by_runtime("neuron", "AWS_NEURON_VISIBLE_DEVICES", "ALL")),
        Way(EVERY, {"privileged": True}, {"NEURON_RT_VISIBLE_CORES": "{n}"}),
    ],
    "T-Head": [
        Way("node", nodes("alixpu", "alixpu_ctl", "alixpu_ppu{n}")),
        Way("cdi", {"devices": ["alibabacloud.com/ppu={n}"]}),
        Way("docker", {"gpus": ["{n}"]}, {}, ON_THEAD),
        Way("toolkit", told(NVIDIA_VISIBLE_DEVICES="{n}"), {}, ON_THEAD),
        Way("toolkit", by_runtime("nvidia", "NVIDIA_VISIBLE_DEVICES"), {}, ON_THEAD),
        Way("toolkit", {}, {}, Surroundings("nvidia", {"NVIDIA_VISIBLE_DEVICES": "{n}"}, makers=frozenset({"T-Head"}))),
        *left_by("CUDA_VISIBLE_DEVICES"),
        Way(EVERY, told(PPU_VISIBLE_DEVICES="{n}"), {"CUDA_VISIBLE_DEVICES": "0"}),
    ],
    "Rebellions": [
        Way("node", nodes("rbln{n}", "rsd0")),
        Way("cdi", {"devices": ["rebellions.ai/npu={n}"]}),
        Way(EVERY, {"devices": ["rebellions.ai/npu=rsd0"]}),
        *left_by("RBLN_DEVICES"),
        Way(EVERY, {"privileged": True}, {"RBLN_DEVICES": "0", "VLLM_RBLN_NUM_DEVICES_PER_LOCAL_RANK": "2"}),
    ],
    "FuriosaAI": [
        Way("node", nodes("rngd/npu{n}mgmt", "rngd/npu{n}pe0", "rngd/npu{n}bar0")),
        Way("node", nodes("rngd/npu{n}pe0-1")),
        Way(EVERY, nodes("rngd")),
    ],
    "Tenstorrent": [
        Way("node", nodes("tenstorrent/{n}")),
        Way(EVERY, nodes("tenstorrent")),
        Way(EVERY, {"privileged": True}, {"TT_VISIBLE_DEVICES": "{n}"}),
    ],
}  # fmt: skip


def filled(value: Any, numbers: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**numbers)
    if isinstance(value, dict):
        return {key: filled(part, numbers) for key, part in value.items()}
    return [filled(part, numbers) for part in value] if isinstance(value, list) else value


@cache
def countings(vendor: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(way.counting for way in WAYS[vendor]))


def numbers_of(vendor: str, way: Way, card: int) -> dict[str, Any]:
    """What this way calls a card of the node that has the vendor's cards."""
    first = countings(vendor).index(way.counting) if way in WAYS[vendor] else 0
    assert first < CARDS, "each way of counting begins at another card"
    number, another = ((each + first) % CARDS for each in (card, card + 1))
    body = f"{card:x}" * 8
    return {"n": number, "m": another, "r": 128 + number, "u": f"GPU-{body}{body}", "x": f"0x{body}{body}"}


def inserted(vendor: str, way: Way, card: int) -> dict[str, Any]:
    container: dict[str, Any] = filled(way.container, numbers_of(vendor, way, card))
    return container


def held(vendor: str, way: Way, card: int) -> tuple[str, ...]:
    """What a deployment holds that names this card in this way."""
    numbers = numbers_of(vendor, way, card)
    profile = a_profile(container=filled(way.container, numbers), server={"env": filled(way.env, numbers)})
    image_env = filled(way.around.image_env, numbers)
    around = Surroundings(way.around.default_runtime, image_env, way.around.cards, way.around.makers)
    return holding(profile, around).names


def test_every_vendor_of_the_table_is_met() -> None:
    assert set(WAYS) == {vendor.name for vendor in VENDORS}


@pytest.mark.parametrize("vendor", WAYS)
def test_two_that_name_one_card_in_any_two_ways_exclude_each_other(vendor: str) -> None:
    for card in (ONE, OTHER):
        of_card = [(way, held(vendor, way, card)) for way in (*WAYS[vendor], *WHOLE)]
        for (one, its), (other, others) in itertools.combinations_with_replacement(of_card, 2):
            assert collide(its, others), f"card {card}: {one} holds {its}, {other} holds {others}"
            assert collide(others, its)


@pytest.mark.parametrize("vendor", WAYS)
def test_what_does_not_tell_cards_apart_holds_every_one_of_them(vendor: str) -> None:
    every = [way for way in (*WAYS[vendor], *WHOLE) if way.counting == EVERY]
    for way, other in itertools.product(every, WAYS[vendor]):
        assert collide(held(vendor, way, ONE), held(vendor, other, OTHER)), f"{way} and {other}"


@pytest.mark.parametrize("vendor", WAYS)
def test_two_that_count_alike_and_name_different_cards_do_not_exclude_each_other(vendor: str) -> None:
    for one, other in itertools.product(WAYS[vendor], repeat=2):
        if one.counting == other.counting != EVERY:
            its, others = held(vendor, one, ONE), held(vendor, other, OTHER)
            assert not collide(its, others), f"{one} holds {its}, {other} holds {others}"


@pytest.mark.parametrize("vendor", WAYS)
def test_a_profile_that_names_cards_in_two_ways_at_once_excludes_whoever_has_either(vendor: str) -> None:
    aside = ("address", "shown")  # opens nothing by itself where a node that computes is given
    plain = [way for way in WAYS[vendor] if not way.env and way.around == Surroundings() and way.counting not in aside]
    pairs = [
        (one, other) for one, other in itertools.permutations(plain, 2) if not set(one.container) & set(other.container)
    ]
    for one, other in pairs:
        container = {**inserted(vendor, one, ONE), **inserted(vendor, other, OTHER)}
        both = holding(a_profile(container=container)).names
        for way, card in itertools.product(WAYS[vendor], (ONE, OTHER)):
            assert collide(both, held(vendor, way, card)), f"{container} holds {both}, {way} names card {card}"

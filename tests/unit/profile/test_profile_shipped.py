"""The profiles that come with orch load, and ds-671b-awq is the guide's test to the letter."""

from __future__ import annotations

import re

import pytest
from profile_folder import SHIPPED
from samples import from_node

from orchestrator.lint.lint import lint
from orchestrator.plan.sweep import points
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.text.find import list_profiles

NAMES = (
    *("cpu-tiny", "cpu-tiny-0.8.5", "ds-671b-awq", "ds-671b-int8", "nvidia-qwen3-8b"),
    *("qwen3-235b-a22b-dcu", "qwen3-32b-dcu", "rocm-mi300x-qwen3-32b"),
)
HARDWARE = tuple(name for name in NAMES if not name.startswith("cpu"))


def test_these_are_the_profiles_that_come_with_orch_each_with_a_description() -> None:
    found = list_profiles([SHIPPED])
    assert tuple(item.name for item in found) == NAMES
    assert all(item.description and item.problem is None for item in found)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_profile_loads_and_can_be_benchmarked(name: str) -> None:
    profile = load_profile(name, [SHIPPED])
    assert profile.name == name
    assert profile.server.host == "127.0.0.1"
    assert profile.bench is not None
    assert points(profile.bench)


@pytest.mark.parametrize("name", HARDWARE)
def test_what_was_not_tried_on_hardware_says_so(name: str) -> None:
    assert "Not verified on hardware" in (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_shipped_profile_has_a_remark_that_it_would_not_defend(name: str) -> None:
    defended = {
        *("container.shm_size", "container.ipc", "container.network", "container.privileged"),
        *("server.env.VLLM_NUMA_BIND", "bench.num_prompts", "bench.prompts_per_concurrency", "bench.repetitions"),
        "server.flags.enable-prefix-caching",  # vLLM's own default; one prompt in eight at the lowest concurrency
        "bench.dataset",  # the guide drafts tokens for random prompts
    }
    assert {remark.key for remark in lint(load_profile(name, [SHIPPED]))} <= defended


def test_ds_671b_awq_has_the_guides_container() -> None:
    container = load_profile("ds-671b-awq", [SHIPPED]).container
    assert container.image == (
        "image.sourcefind.cn:5000/dcu/admin/base/vllm:0.8.5-ubuntu22.04-dtk25.04.1-rc5-das1.6-py3.10-20250711"
    )
    assert [(mount.source, mount.target, mount.read_only) for mount in container.mounts] == [
        ("/data", "/data", False),
        ("/opt/hyhal", "/opt/hyhal", True),
        ("/usr/local/hyhal", "/usr/local/hyhal", True),
    ]
    assert [(device.source, device.target, device.permissions) for device in from_node(container.devices)] == [
        ("/dev/kfd", "/dev/kfd", "rwm"),
        ("/dev/mkfd", "/dev/mkfd", "rwm"),
        ("/dev/dri", "/dev/dri", "rwm"),
    ]
    assert container.ipc == "host"
    assert container.network == "host"
    assert container.shm_size == 64 * 2**30
    assert container.security_opt == ("seccomp=unconfined",)
    assert container.group_add == ("video",)
    assert container.privileged is True
    assert container.source == ("/opt/dtk/env.sh",)
    said = {
        "image",
        "mounts",
        "devices",
        "ipc",
        "network",
        "shm_size",
        "security_opt",
        "group_add",
        "privileged",
        "source",
    }
    assert container.model_dump(exclude_unset=True).keys() == said


def test_ds_671b_awq_has_the_guides_server_and_environment() -> None:
    server = load_profile("ds-671b-awq", [SHIPPED]).server
    assert server.model == "/data/model/cognitivecomputations/DeepSeek-R1-awq"
    assert server.command == ("vllm", "serve")
    assert (server.host, server.port) == ("127.0.0.1", 8000)
    assert dict(server.flags) == {
        "trust-remote-code": True,
        "dtype": "float16",
        "quantization": "moe_wna16",
        "gpu-memory-utilization": 0.90,
        "tensor-parallel-size": 8,
        "max-model-len": 32768,
        "block-size": 64,
        "max-num-seqs": 128,
        "speculative_config": {"num_speculative_tokens": 3},
    }
    assert dict(server.env) == {
        "HIP_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7",
        "ALLREDUCE_STREAM_WITH_COMPUTE": "1",
        "NCCL_MIN_NCHANNELS": "16",
        "NCCL_MAX_NCHANNELS": "16",
        "VLLM_NUMA_BIND": "1",
        "VLLM_RANK0_NUMA": "0",
        "VLLM_RANK1_NUMA": "0",
        "VLLM_RANK2_NUMA": "0",
        "VLLM_RANK3_NUMA": "0",
        "VLLM_RANK4_NUMA": "0",
        "VLLM_RANK5_NUMA": "0",
        "VLLM_RANK6_NUMA": "0",
        "VLLM_RANK7_NUMA": "0",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_PCIE_USE_CUSTOM_ALLREDUCE": "1",
        "VLLM_FUSED_MOE_CHUNK_SIZE": "16384",
        "LMSLIM_USE_LIGHTOP": "0",
        "W4A16_MOE_CUDA": "1",
    }


def test_ds_671b_awq_has_the_guides_sweep() -> None:
    bench = load_profile("ds-671b-awq", [SHIPPED]).bench
    assert bench is not None
    assert bench.lengths == ((512, 512), (1024, 1024))
    assert bench.num_prompts == (2, 4, 6, 8, 10, 16, 20, 24, 32, 64)
    assert bench.concurrency is None
    assert bench.request_rate == ("inf",)
    assert bench.dataset.name == "random"
    assert dict(bench.client_flags) == {}, "the client trusts remote code because the server does"
    assert bench.repetitions == 1
    assert [(point.batch, point.input_len, point.output_len) for point in points(bench)] == [
        (batch, length, length) for batch in (2, 4, 6, 8, 10, 16, 20, 24, 32, 64) for length in (512, 1024)
    ]


def test_ds_671b_awq_allows_two_hours_for_its_weights() -> None:
    assert load_profile("ds-671b-awq", [SHIPPED]).health.deadline == 7200


def test_the_bases_of_dcu_profiles_are_not_privileged() -> None:
    container = load_profile("qwen3-235b-a22b-dcu", [SHIPPED]).container
    assert (container.privileged, container.ipc) == (False, None)


def test_cpu_tiny_runs_what_its_image_holds() -> None:
    for name, version in (("cpu-tiny", "0.32.0"), ("cpu-tiny-0.8.5", "0.8.5")):
        profile = load_profile(name, [SHIPPED])
        assert profile.container.image == f"orch-cpu:{version}"
        assert profile.container.pull == "never"
        assert profile.server.model == "/opt/models/tiny-qwen2"
        assert profile.bench is not None
        assert len(points(profile.bench)) == 4


def test_no_shipped_file_names_a_registry_but_the_guides() -> None:
    hosts = {
        host
        for path in SHIPPED.glob("*.yaml")
        for host in re.findall(r"[\w-]+(?:\.[\w-]+)+:\d+/", path.read_text(encoding="utf-8"))
    }
    assert hosts == {"image.sourcefind.cn:5000/"}

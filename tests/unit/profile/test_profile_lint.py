"""What a careful engineer is told about a valid profile."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.lint.lint import lint
from orchestrator.profile.schema.profile import Profile

CLEAN: dict[str, Any] = {
    "name": "p",
    "container": {"image": "repo/vllm:0.10.2"},
    "server": {"model": "/m", "flags": {"max-model-len": 4096, "max-num-seqs": 64}},
    "bench": {"lengths": [[512, 512]], "num_prompts": 700, "concurrency": [8, 64], "repetitions": 5},
}


def remarks(changes: dict[str, Any]) -> list[str]:
    data = {section: {**value, **changes.get(section, {})} for section, value in CLEAN.items() if section != "name"}
    profile = Profile.model_validate({"name": "p", **changes, **data})
    return [f"{remark.key}: {remark.text}" for remark in lint(profile)]


def test_a_careful_profile_gets_no_remark() -> None:
    assert remarks({}) == []


def test_a_profile_without_a_sweep_gets_no_remark_on_it() -> None:
    assert lint(Profile.model_validate({"name": "p", "container": {"image": "i:1"}, "server": {"model": "m"}})) == []


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"image": "a:5000/vllm"}, ["container.image: without a tag it means latest, which moves; name a version or a digest, so that a run can be repeated"]),
        ({"image": "vllm:latest"}, ["container.image: the tag latest moves; name a version or a digest, so that a run can be repeated"]),
        ({"image": "vllm@sha256:0"}, []),
        ({"ipc": "host"}, ["container.ipc: with host, a server that crashes leaves its shared memory behind on the node"]),
        ({"ipc": "host", "shm_size": "1g"}, [
            "container.shm_size: has no effect with ipc host, which uses the node's own /dev/shm",
            "container.ipc: with host, a server that crashes leaves its shared memory behind on the node",
        ]),
        ({"network": "host"}, ["container.network: with host, port 8000 must be free on the node and nothing is published"]),
        ({"privileged": True}, ["container.privileged: only *_VISIBLE_DEVICES then keeps the server from the other devices"]),
        ({"privileged": True, "devices": ["/dev/kfd"], "security_opt": ["seccomp=unconfined"]}, [
            "container.privileged: makes devices, security_opt redundant; only *_VISIBLE_DEVICES then keeps the server from the other devices"
        ]),
        ({"group_add": ["video", "44", "render"]}, ["container.group_add: 'render' must exist in the image; its number always works (stat -c %g on the device)"]),
        ({"env": {"HF_TOKEN": "x"}}, ["container.env.HF_TOKEN: looks like a secret; write {from_env: HF_TOKEN} or {from_file: /path} in its place"]),
        ({"env": {"HF_TOKEN": {"from_env": "HF_TOKEN"}, "TOKENIZERS_PARALLELISM": "false", "MONKEY": "1", "API_KEY": ""}}, []),
    ],
)  # fmt: skip
def test_remarks_on_the_container(container: dict[str, Any], expected: list[str]) -> None:
    assert remarks({"container": container}) == expected


WAVE = (
    "points send all requests at once and none after them: throughput holds ramp-up and tail; with bench.concurrency and "
    "prompts_per_concurrency: 8 it says what the load sustains"
)
FEW = "bench.num_prompts: 19 requests are too few for P90 (64), P95 (130), P99 (662) to be solid"
CACHED = (
    "server.flags.enable-prefix-caching: the client first sends its first request as a test, so that one of 19 prompts is "
    "found in the prefix cache; false, or more prompts, keeps TTFT what it is"
)
PARALLEL = {"container": {"shm_size": "1g"}}
RANKS = {f"VLLM_RANK{rank}_NUMA": "0" for rank in range(2)}
EPERM = "needs cap_add SYS_NICE (or seccomp=unconfined), else set_mempolicy is refused with EPERM"
ONE_NODE = (
    "all 2 ranks are bound to one NUMA node; each belongs near its device: cat /sys/class/drm/card*/device/numa_node"
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"server": {"host": "0.0.0.0"}}, ["server.host: with 0.0.0.0, whoever reaches the node can use the server"]),
        ({"server": {"host": "::"}}, ["server.host: with ::, whoever reaches the node can use the server"]),
        ({"server": {"flags": {"tensor-parallel-size": 2}}}, ["container.shm_size: 2 workers talk through /dev/shm, which is 64 MB unless set"]),
        ({"server": {"flags": {"api_key": "x"}}}, ["server.flags.api-key: stands in the container's definition; set VLLM_API_KEY from a secret"]),
        ({"server": {"env": {"MY_PASSWORD": "x"}}}, ["server.env.MY_PASSWORD: looks like a secret; write {from_env: MY_PASSWORD} or {from_file: /path} in its place"]),
        ({"server": {"env": {"VLLM_NUMA_BIND": "1"}}}, [f"server.env.VLLM_NUMA_BIND: {EPERM}"]),
        ({"server": {"env": {"VLLM_NUMA_BIND": "0", **RANKS}}}, []),
        ({"container": {"env": {"VLLM_NUMA_BIND": "1"}, "cap_add": ["sys_nice"]}}, []),
        ({"container": {"env": {"VLLM_NUMA_BIND": "1"}, "cap_add": ["CAP_SYS_NICE"]}}, []),
        ({"container": {"env": {"VLLM_NUMA_BIND": "1"}, "security_opt": ["seccomp=unconfined"]}}, []),
        ({"server": {"env": {"VLLM_NUMA_BIND": "1", **RANKS}}}, [f"server.env.VLLM_NUMA_BIND: {EPERM}", f"server.env.VLLM_NUMA_BIND: {ONE_NODE}"]),
        ({"server": {"env": {"VLLM_NUMA_BIND": "1", **RANKS, "VLLM_RANK2_NUMA": "1"}}, "container": {"cap_add": ["ALL"]}}, []),
        ({"server": {"flags": {"numa-bind": True}}}, [
            f"server.flags.numa-bind: {EPERM}",
            "server.flags.numa-bind: vLLM 0.10.2 does not know it; it is known since vLLM 0.20.2; before: bind with numactl in server.command, or with what the image has for it",
        ]),
        ({"server": {"env": {"HIP_VISIBLE_DEVICES": "0,1"}}}, ["server.env.HIP_VISIBLE_DEVICES: names 2 devices, the server's parallel sizes use 1 device"]),
        ({**PARALLEL, "server": {"flags": {"tensor_parallel_size": 2, "pipeline_parallel_size": "2"}, "env": {"HIP_VISIBLE_DEVICES": "0"}}}, [
            "server.env.HIP_VISIBLE_DEVICES: names 1 device, the server's parallel sizes use 4 devices"
        ]),
        ({**PARALLEL, "server": {"flags": {"tensor-parallel-size": 2}, "env": {"HIP_VISIBLE_DEVICES": "0,1"}}}, []),
        ({"server": {"env": {"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "0"}}}, []),
        ({"server": {"env": {"ASCEND_RT_VISIBLE_DEVICES": "0-3"}}}, ["server.env.ASCEND_RT_VISIBLE_DEVICES: names 4 devices, the server's parallel sizes use 1 device"]),
        ({"container": {"env": {"HABANA_VISIBLE_DEVICES": "0,1"}}}, ["container.env.HABANA_VISIBLE_DEVICES: names 2 devices, the server's parallel sizes use 1 device"]),
        ({"container": {"env": {"NVIDIA_VISIBLE_DEVICES": "all"}}, "server": {"env": {"MUSA_VISIBLE_DEVICES": "1"}}}, []),
        ({"server": {"env": {"MLU_VISIBLE_DEVICES": "0,1"}}}, ["server.env.MLU_VISIBLE_DEVICES: names 2 devices, the server's parallel sizes use 1 device"]),
        ({"server": {"env": {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "1"}}}, []),
        ({"server": {"env": {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "5"}}}, [
            "server.env.HIP_VISIBLE_DEVICES: counts within the 2 devices that ROCR_VISIBLE_DEVICES leaves, from 0; it names others"
        ]),
        ({"container": {"env": {"ASCEND_VISIBLE_DEVICES": "6"}}, "server": {"env": {"ASCEND_RT_VISIBLE_DEVICES": "6"}}}, [
            "server.env.ASCEND_RT_VISIBLE_DEVICES: counts within the 1 device that ASCEND_VISIBLE_DEVICES leaves, from 0; it names others"
        ]),
        ({"container": {"env": {"NVIDIA_VISIBLE_DEVICES": "2,3"}}, "server": {"env": {"CUDA_VISIBLE_DEVICES": "GPU-3a5f"}}}, []),
        ({"server": {"env": {"CUDA_VISIBLE_DEVICES": "1"}}, "container": {"env": {"HIP_VISIBLE_DEVICES": "0"}}}, [
            "server.env.CUDA_VISIBLE_DEVICES: differs from HIP_VISIBLE_DEVICES; vLLM on ROCm stops at that. Set HIP_VISIBLE_DEVICES alone"
        ]),
    ],
)  # fmt: skip
def test_remarks_on_the_server(changes: dict[str, Any], expected: list[str]) -> None:
    assert remarks(changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"server": {"flags": {"max_model_len": 1000}}}, ["server.flags.max-model-len: 1000 is less than 512 + 512 tokens of the sweep"]),
        ({"server": {"flags": {"max-model-len": "1024"}}}, []),
        ({"server": {"flags": {"max-model-len": "auto"}}}, [
            "server.flags.max-model-len: is 'auto', but must be a whole number, or one such as 8k"
        ]),
        ({"server": {"flags": {"max-model-len": "auto"}}, "container": {"image": "vllm:0.14.1"}}, []),
        ({"server": {"flags": {"max-model-len": 1100}}, "container": {"image": "vllm:0.8.5"}}, [
            "server.flags.max-model-len: 1100 may be too small: vLLM 0.8 can turn a prompt of 512 tokens into 691"
        ]),
        ({"server": {"flags": {"max-model-len": 1100}}, "container": {"image": "vllm:0.9.1"}}, []),
        ({"server": {"flags": {"max-model-len": 1203}}, "container": {"image": "vllm:0.8.5"}}, []),
        ({"server": {"flags": {"max-num-seqs": 32}}}, [
            "server.flags.max-num-seqs: 32 is less than the 64 requests in flight of the sweep; the rest wait, and TTFT shows it"
        ]),
        ({"bench": {"num_prompts": [700, 64], "concurrency": [8, 64]}}, [
            "bench.num_prompts: 64 requests are too few for P95 (130), P99 (662) to be solid",
            f"bench.num_prompts: 1 of 4 {WAVE}",
        ]),
        ({"bench": {"request_rate": [5], "concurrency": None}, "server": {"flags": {}}}, []),
        ({"server": {"flags": {"speculative_config": {"num_speculative_tokens": 3}}}}, [
            ("bench.dataset: the server drafts tokens, and random prompts do not say how many of them real ones would have "
            "accepted: the speed is that of these prompts alone")
        ]),
        ({"server": {"flags": {"speculative-config": {"num_speculative_tokens": 3}}}, "bench": {
            "lengths": None, "dataset": {"name": "sharegpt", "path": "/data/s.json"}
        }}, []),
        ({"server": {"flags": {"disable_log_stats": True}}}, [
            ("server.flags.disable_log_stats: the server then reports no counters: the prefix cache, preemptions, others' "
            "requests and lost answers are not checked")
        ]),
        ({"bench": {"num_prompts": [19], "concurrency": [8]}}, [f"{FEW}", f"{CACHED}"]),
        ({"bench": {"num_prompts": [20], "concurrency": [8]}}, [f"{FEW.replace('19', '20')}"]),
        ({"bench": {"num_prompts": [19], "concurrency": [8]}, "container": {"image": "vllm:0.32.0"}}, [f"{FEW}"]),
        ({"bench": {"num_prompts": [19], "concurrency": [8]}, "container": {"image": "vllm:0.8.5"}}, [f"{FEW}"]),
        ({"bench": {"num_prompts": [19], "concurrency": [8]}, "server": {"flags": {"enable-prefix-caching": False}}}, [f"{FEW}"]),
        ({"server": {"flags": {"max-num-seqs": 64}}, "bench": {"concurrency": None}}, [
            "server.flags.max-num-seqs: 64 is less than the 700 requests in flight of the sweep; the rest wait, and TTFT shows it",
            f"bench.num_prompts: 1 of 1 {WAVE}",
        ]),
        ({"bench": {"concurrency": [800]}}, [
            "server.flags.max-num-seqs: 64 is less than the 800 requests in flight of the sweep; the rest wait, and TTFT shows it",
            "bench.concurrency: 800 is never reached with 700 requests",
            f"bench.num_prompts: 1 of 1 {WAVE}",
        ]),
        ({"bench": {"num_prompts": [63, 700], "concurrency": [8]}}, ["bench.num_prompts: 63 requests are too few for P90 (64), P95 (130), P99 (662) to be solid"]),
        ({"bench": {"num_prompts": [64]}}, [
            "bench.num_prompts: 64 requests are too few for P95 (130), P99 (662) to be solid", f"bench.num_prompts: 1 of 2 {WAVE}"
        ]),
        ({"bench": {"num_prompts": [130]}}, ["bench.num_prompts: 130 requests are too few for P99 (662) to be solid"]),
        ({"bench": {"num_prompts": [662]}}, []),
        ({"bench": {"num_prompts": None, "prompts_per_concurrency": 50, "concurrency": [8]}}, [
            "bench.prompts_per_concurrency: 400 requests are too few for P99 (662) to be solid"
        ]),
        ({"bench": {"repetitions": 1}}, ["bench.repetitions: 1 shows no spread; a comparison then cannot tell a change from noise"]),
        ({"bench": {"warmup": 0}}, ["bench.warmup: 0 makes the first point pay for compilation and cold caches"]),
        ({"bench": {"lengths": None, "dataset": {"name": "sharegpt", "path": "/data/s.json"}}}, []),
        ({"bench": {"percentiles": [99.9]}}, ["bench.num_prompts: 700 requests are too few for P99.9 (6636) to be solid"]),
        ({"bench": {"backend": "openai-embeddings", "lengths": {"input": [8000]}}, "container": {"image": "repo/vllm:0.9.2"}}, [
            "bench.backend: `vllm bench serve` of vLLM 0.9.2 has no openai-embeddings; take a newer image, or bench.client: the path of a script that has it"
        ]),
        ({"bench": {"backend": "openai-chat"}, "container": {"image": "repo/vllm:0.8.5"}}, [
            "bench.backend: `vllm bench serve` of vLLM 0.8.5 has no openai-chat; take a newer image, or bench.client: the path of a script that has it"
        ]),
        ({"bench": {"backend": "openai-chat", "client": "/s.py"}, "container": {"image": "repo/vllm:0.8.5"}}, []),
        ({"bench": {"lengths": None, "dataset": {"name": "hf", "path": "org/set"}}}, [
            "bench.dataset.path: the client fetches org/set from the hub: the container needs a way to it, or a cache that is mounted and named by HF_HOME in container.env"
        ]),
        ({"bench": {"lengths": None, "dataset": {"name": "hf", "path": "/d/set"}}}, []),
        ({"bench": {"lengths": None, "backend": "openai-chat", "dataset": {"name": "custom", "path": "/p.jsonl"}}}, [
            "bench.dataset.skip_chat_template: the client puts the chat template around prompts, and with openai-chat the server does it again; true leaves it to the server"
        ]),
        ({"bench": {"lengths": None, "backend": "openai-chat", "dataset": {"name": "custom", "path": "/p.jsonl", "skip_chat_template": True}}}, []),
        ({"objectives": ["p99_ttft_ms<9", "request_goodput>1"]}, [
            "objectives: request_goodput is not reported, and so missed, without bench.client_flags.goodput"
        ]),
        ({"objectives": ["request_goodput>1"], "bench": {"client_flags": {"goodput": ["ttft:9"]}}}, []),
    ],
)  # fmt: skip
def test_remarks_on_the_sweep(changes: dict[str, Any], expected: list[str]) -> None:
    assert remarks(changes) == expected

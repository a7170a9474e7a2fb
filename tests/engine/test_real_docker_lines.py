"""C3: what people type for each kind of accelerator makes, as a profile, the container that the typed line makes.

Each line is created by the docker client, each profile by orch, neither is started: nodes lack most of these devices.
All that the engine knows of the two containers is compared, except what orch adds to every container it makes.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from engine.kit import containers
from engine.kit.command import STUB
from engine.test_docker_run_line import OF_THE_MOMENT, OF_THE_VERB, differences, filled

from orchestrator.engine import connect
from orchestrator.plan.container import BY_HAND, Identity, container_spec
from orchestrator.profile.inherited import with_values
from orchestrator.profile.reading.load import load_profile

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

ADDED_BY_ORCH = {"HostConfig.Init", "Name"}
"""What orch gives every container whatever the line says."""
AS_WRITTEN = {"HostConfig.Binds", "HostConfig.Mounts", "Mounts"}
"""Mounts by the form in which they were asked for; what comes of them is compared in one form."""
RUN_FOLDER = "/run/orch"
IMAGE = "IMAGE"
"""Stands in a line for the image."""

LINES: dict[str, tuple[str, str]] = {
    "dcu, with all that its guide asks for": (
        """
        -it --network=host --ipc=host --privileged --shm-size=32g --device=/dev/kfd --device=/dev/mkfd
        --device=/dev/dri --group-add video --cap-add=SYS_PTRACE --security-opt seccomp=unconfined
        --ulimit memlock=-1:-1 --ulimit stack=67108864 -v {folder}:/opt/hyhal:ro -v {folder}:/weights -w /weights
        IMAGE vllm serve /weights/a -tp 8
        """,
        """
        container:
          network: host
          ipc: host
          privileged: true
          shm_size: 32G
          devices: [/dev/kfd, /dev/mkfd, /dev/dri]
          group_add: [video]
          cap_add: [SYS_PTRACE]
          security_opt: [seccomp=unconfined]
          ulimits: {memlock: -1, stack: 67108864}
          mounts: ["{folder}:/opt/hyhal:ro", "{folder}:/weights"]
          workdir: /weights
        server: {model: /weights/a, flags: {tp: 8}}
        """,
    ),
    "dcu, two cards, a variable list and a bounded log": (
        """
        -d --network host --shm-size 8g --device /dev/kfd --device /dev/mkfd --device /dev/dri/renderD129
        --device /dev/dri/card1 --group-add 39 -e HIP_VISIBLE_DEVICES=1,3 -e NCCL_P2P_LEVEL=SYS --cpuset-cpus 0-1
        --cpuset-mems 0 --log-opt max-size=50m --log-opt max-file=2 IMAGE vllm serve /weights/b --dtype float16
        """,
        """
        container:
          network: host
          shm_size: 8G
          devices: [/dev/kfd, /dev/mkfd, /dev/dri/renderD129, /dev/dri/card1]
          group_add: [39]
          env: {HIP_VISIBLE_DEVICES: "1,3", NCCL_P2P_LEVEL: SYS}
          cpuset_cpus: 0-1
          cpuset_mems: 0
          log_options: {max-size: 50m, max-file: 2}
        server: {model: /weights/b, flags: {dtype: float16}}
        """,
    ),
    "rocm, as its quick start has it": (
        """
        -it --rm --network=host --ipc=host --group-add=video --cap-add=SYS_PTRACE
        --security-opt seccomp=unconfined --device /dev/kfd --device /dev/dri -v {folder}:/app/models
        -e HF_HOME=/app/models IMAGE vllm serve org/one
        """,
        """
        container:
          network: host
          ipc: host
          group_add: [video]
          cap_add: [SYS_PTRACE]
          security_opt: [seccomp=unconfined]
          devices: [/dev/kfd, /dev/dri]
          mounts: ["{folder}:/app/models"]
          env: {HF_HOME: /app/models}
        server: {model: org/one}
        """,
    ),
    "rocm, published, with a script as entry point": (
        """
        -d -p 8100:8000 --group-add render --group-add video --shm-size=16gb --device=/dev/kfd
        --device=/dev/dri/renderD128:/dev/dri/renderD128:rw --ulimit nofile=65535:1048576 --pids-limit -1
        --env-file {folder}/vars --entrypoint bash IMAGE -c 'ulimit -c 0; exec vllm serve org/two'
        """,
        """
        container:
          group_add: [render, video]
          shm_size: 16G
          devices: [/dev/kfd, /dev/dri/renderD128:rw]
          ulimits: {nofile: "65535:1048576"}
          pids_limit: -1
          env_file: "{folder}/vars"
        server:
          {host: 0.0.0.0, port: 8100, container_port: 8000, model: org/two,
           command: [bash, -c, 'ulimit -c 0; exec vllm serve "$@"']}
        """,
    ),
    "nvidia, by --gpus all, ipc and a cache": (
        """
        --gpus all -v {folder}:/root/.cache/huggingface --env HF_HUB_OFFLINE=1 -p 8101:8000 --ipc=host
        IMAGE --model org/three
        """,
        """
        container:
          gpus: all
          mounts: ["{folder}:/root/.cache/huggingface"]
          env: {HF_HUB_OFFLINE: "1"}
          ipc: host
        server: {host: 0.0.0.0, port: 8101, container_port: 8000, model: org/three}
        """,
    ),
    "nvidia, two gpus by id, local address": (
        """
        --gpus '"device=2,3"' --shm-size 10.24gb -p 127.0.0.1:8102:8102 --ulimit memlock=-1 --ulimit stack=67108864
        -v vllm-cache-of-{prefix}:/root/.cache:nocopy IMAGE vllm serve org/four --port 8102
        """,
        """
        container:
          gpus: [2, 3]
          shm_size: 10.24G
          ulimits: {memlock: -1, stack: 67108864}
          mounts: ["vllm-cache-of-{prefix}:/root/.cache:nocopy"]
        server: {port: 8102, model: org/four}
        """,
    ),
    "nvidia, by --gpus with capabilities": (
        """
        --gpus 'count=1,"capabilities=compute,utility"' --network host IMAGE vllm serve org/five
        """,
        """
        container: {gpus: {count: 1, capabilities: [compute, utility]}, network: host}
        server: {model: org/five}
        """,
    ),
    "nvidia, by a runtime and its variables": (
        """
        --runtime=runc -e NVIDIA_VISIBLE_DEVICES=0,1 -e NVIDIA_DRIVER_CAPABILITIES=compute,utility --ipc shareable
        -p 127.0.0.1:8000:8000 --oom-score-adj -500 --sysctl net.core.somaxconn=2048 --domainname lab
        IMAGE vllm serve org/thirteen
        """,
        """
        container:
          runtime: runc
          env: {NVIDIA_VISIBLE_DEVICES: "0,1", NVIDIA_DRIVER_CAPABILITIES: "compute,utility"}
          ipc: shareable
          oom_score_adj: -500
          sysctls: {net.core.somaxconn: 2048}
          domainname: lab
        server: {model: org/thirteen}
        """,
    ),
    "nvidia, by CDI, as nobody and read-only": (
        """
        --device nvidia.com/gpu=0 --device nvidia.com/gpu=GPU-77aa --user 1001:1001 --read-only --tmpfs /tmp
        --tmpfs /home:size=256m --security-opt no-new-privileges --cap-drop ALL -p 8103:8103 IMAGE vllm serve org/six
        """,
        """
        container:
          devices: [nvidia.com/gpu=0, nvidia.com/gpu=GPU-77aa]
          user: "1001:1001"
          read_only: true
          tmpfs: [/tmp, "/home:size=256m"]
          security_opt: [no-new-privileges]
          cap_drop: [ALL]
        server: {host: 0.0.0.0, port: 8103, model: org/six}
        """,
    ),
    "ascend, its nodes and its driver's files": (
        """
        --name npu --net=host --shm-size=1g --device /dev/davinci0 --device /dev/davinci1
        --device /dev/davinci_manager
        --device /dev/devmm_svm --device /dev/hisi_hdc -v {folder}:/usr/local/dcmi
        -v {folder}:/usr/local/Ascend/driver/lib64
        -v {folder}/vars:/etc/ascend_install.info -e ASCEND_RT_VISIBLE_DEVICES=0,1 -e VLLM_USE_MODELSCOPE=True
        IMAGE bash -c 'source set_env.sh && vllm serve org/seven'
        """,
        """
        container:
          network: host
          shm_size: 1G
          devices: [/dev/davinci0, /dev/davinci1, /dev/davinci_manager, /dev/devmm_svm, /dev/hisi_hdc]
          mounts:
            - "{folder}:/usr/local/dcmi"
            - "{folder}:/usr/local/Ascend/driver/lib64"
            - "{folder}/vars:/etc/ascend_install.info"
          env: {ASCEND_RT_VISIBLE_DEVICES: "0,1", VLLM_USE_MODELSCOPE: "True"}
          source: [/usr/local/Ascend/ascend-toolkit/set_env.sh]
        server: {model: org/seven}
        """,
    ),
    "gaudi, its variables without its runtime": (
        """
        -e HABANA_VISIBLE_DEVICES=0,1 -e OMPI_MCA_btl_vader_single_copy_mechanism=none --cap-add=sys_nice --net=host
        --ipc=host --runtime=runc -v {folder}:/data IMAGE vllm serve /data/eight --block-size 128
        """,
        """
        container:
          env: {HABANA_VISIBLE_DEVICES: "0,1", OMPI_MCA_btl_vader_single_copy_mechanism: none}
          cap_add: [sys_nice]
          network: host
          ipc: host
          runtime: runc
          mounts: ["{folder}:/data"]
        server: {model: /data/eight, flags: {block-size: 128}}
        """,
    ),
    "metax, privileged, with every security option off": (
        """
        -d --device=/dev/dri --device=/dev/mxcd --device=/dev/infiniband --privileged=true --group-add video
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined --shm-size 100gb --ulimit memlock=-1
        --uts=host --ipc=host --network=host -v {folder}:/mnt IMAGE vllm serve /mnt/nine
        """,
        """
        container:
          devices: [/dev/dri, /dev/mxcd, /dev/infiniband]
          privileged: true
          group_add: [video]
          security_opt: [seccomp=unconfined, apparmor=unconfined]
          shm_size: 100G
          ulimits: {memlock: -1}
          uts: host
          ipc: host
          network: host
          mounts: ["{folder}:/mnt"]
        server: {model: /mnt/nine}
        """,
    ),
    "moore threads, its variables and another pid namespace": (
        """
        -e MTHREADS_VISIBLE_DEVICES=all --env MUSA_VISIBLE_DEVICES=0,1 --shm-size=80g --pid=host --privileged
        --network=host -v {folder}:/data:rslave --label team=chat IMAGE vllm serve /data/ten
        """,
        """
        container:
          env: {MTHREADS_VISIBLE_DEVICES: all, MUSA_VISIBLE_DEVICES: "0,1"}
          shm_size: 80G
          pid: host
          privileged: true
          network: host
          mounts: ["{folder}:/data:rslave"]
          labels: {team: chat}
        server: {model: /data/ten}
        """,
    ),
    "intel xpu, dri and its links by path": (
        """
        -t --rm --shm-size 10g --net=host --ipc=host --device /dev/dri:/dev/dri --privileged
        -v {folder}:/dev/dri/by-path -e ZE_AFFINITY_MASK=0 -e no_proxy=localhost,127.0.0.1
        IMAGE vllm serve org/eleven --enforce-eager
        """,
        """
        container:
          shm_size: 10G
          network: host
          ipc: host
          devices: ["/dev/dri:/dev/dri"]
          privileged: true
          mounts: ["{folder}:/dev/dri/by-path"]
          env: {ZE_AFFINITY_MASK: 0, no_proxy: "localhost,127.0.0.1"}
        server: {model: org/eleven, flags: {enforce-eager: true}}
        """,
    ),
    "cpu, bound to cores and within limits": (
        """
        --rm --security-opt seccomp=unconfined --cap-add SYS_NICE --shm-size=4g --cpuset-cpus=0,1 --cpus 1.5 -m 6g
        --memory-swap 6g --hostname cpubox --add-host hub.lab:10.1.2.3 --dns 10.1.2.1
        -e VLLM_CPU_KVCACHE_SPACE=4 -e VLLM_CPU_OMP_THREADS_BIND=0-1 -p 8104:8104 IMAGE vllm serve org/twelve
        """,
        """
        container:
          security_opt: [seccomp=unconfined]
          cap_add: [SYS_NICE]
          shm_size: 4G
          cpuset_cpus: "0,1"
          cpus: 1.5
          memory: 6G
          memory_swap: 6G
          hostname: cpubox
          extra_hosts: ["hub.lab:10.1.2.3"]
          dns: 10.1.2.1
          env: {VLLM_CPU_KVCACHE_SPACE: 4, VLLM_CPU_OMP_THREADS_BIND: 0-1}
        server: {host: 0.0.0.0, port: 8104, model: org/twelve}
        """,
    ),
}
"""Lines by what they are for, without `docker run`, and the profile of each.

Engines know the runtimes that they were told of alone, so lines name runc, which all have, in place of a vendor's.
"""
COMMAND = {"Path", "Args", "Config.Cmd", "Config.Entrypoint"}
"""What is the supervisor's in orch's container; the server's command is the business of the unit tests."""
NOT_NEEDED = {
    "HostConfig.AutoRemove", "Config.Tty", "Config.OpenStdin", "Config.StdinOnce", "Config.AttachStdin",
    "HostConfig.ConsoleSize",
}  # fmt: skip
"""What `--rm` and `-it` ask for; a profile has no such word, and lint says why."""


@pytest.mark.parametrize("case", LINES)
def test_the_profile_makes_the_container_that_the_line_makes(case: str, orch: Orch) -> None:
    (orch.folder / "vars").write_text("A=1\nB='2 3'\n", encoding="utf-8")
    line, text = (filled(part, {"folder": str(orch.folder), "prefix": orch.prefix}) for part in LINES[case])
    name = f"{orch.prefix}-line"
    try:
        by_hand = created_by_hand(f"{name}-by-hand", line)
        ours = created_by_orch(orch, name, text)
    finally:
        containers.docker("volume", "rm", "--force", f"vllm-cache-of-{orch.prefix}")
    ignored = OF_THE_MOMENT | OF_THE_VERB | ADDED_BY_ORCH | AS_WRITTEN | COMMAND | NOT_NEEDED
    ignored -= {"Config.Hostname"} if "--hostname" in line else set()
    assert mounts_of(by_hand) == mounts_of(ours)
    assert differences(by_hand, ours, ignored) == []


def test_every_kind_of_accelerator_has_a_line() -> None:
    kinds = ("dcu", "rocm", "nvidia", "ascend", "gaudi", "metax", "moore threads", "intel xpu", "cpu")
    assert [kind for kind in kinds if not any(case.startswith(kind) for case in LINES)] == []
    assert len(LINES) >= 12


def mounts_of(made: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a container sees of the node and of volumes, and whether a new volume stays empty."""
    host = made["HostConfig"]
    empty = {bind.split(":")[1] for bind in host["Binds"] or () if "nocopy" in bind.split(":")[-1].split(",")}
    empty |= {each["Target"] for each in host.get("Mounts") or () if each.get("VolumeOptions", {}).get("NoCopy")}
    return sorted(
        (*(each[key] for key in ("Destination", "Type", "Source", "RW", "Propagation")), each["Destination"] in empty)
        for each in made["Mounts"]
        if each["Destination"] != RUN_FOLDER
    )


def created_by_hand(name: str, line: str) -> dict[str, Any]:
    """Return the container that the docker client makes from a line."""
    words = shlex.split(line)
    words = [word for at, word in enumerate(words) if word not in ("-d", "--name") and words[at - 1] != "--name"]
    words[words.index(IMAGE)] = STUB
    try:
        containers.docker("create", "--name", name, *words)
        return written_out(containers.inspect(name))
    finally:
        containers.docker("rm", "--force", name)


def written_out(made: dict[str, Any]) -> dict[str, Any]:
    """Return a container with what docker takes where the line says nothing: its bridge, all addresses."""
    host = made["HostConfig"]
    if host["NetworkMode"] == "default":
        host["NetworkMode"] = "bridge"
    for bindings in (host["PortBindings"] or {}).values():
        for binding in bindings:
            binding["HostIp"] = binding["HostIp"] or "0.0.0.0"
    return made


def created_by_orch(orch: Orch, name: str, text: str) -> dict[str, Any]:
    """Return the container that orch makes from a profile, without orch's labels and its own mount."""
    asked = yaml.safe_load(text)
    asked["container"] = {"image": STUB, **asked["container"]}
    path = orch.folder / "line.yaml"
    path.write_text(yaml.safe_dump(asked), encoding="utf-8")
    folder = orch.state / "deployments" / f"{name}-{BY_HAND}"
    folder.mkdir(parents=True)
    profile = with_values(load_profile(str(path), ()), os.environ)
    engine = connect(os.environ)
    try:
        made = containers.inspect(engine.create(container_spec(profile, Identity(name, BY_HAND, str(folder)))))
    finally:
        engine.close()
        containers.remove(containers.listed(name))
    labels = made["Config"]["Labels"]
    made["Config"]["Labels"] = {key: labels[key] for key in labels if not key.startswith("orch.")}
    return made

"""What each vendor calls its devices: one row for each vendor, facts only, with where they come from.

A device node, an OCI runtime, a CDI kind or a variable that stands nowhere here counts as one that may give every
accelerator. What no source could be found for stands in `unchecked`, and only where a mistake makes a deployment hold
more than it must, never less.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vendor:
    """One vendor's words; device nodes are regular expressions over whole paths."""

    name: str
    sources: tuple[str, ...]
    """Where the words stand, each read for this row: `owner/repository: path` on GitHub, or an address."""
    unchecked: tuple[str, ...] = ()
    """Words of this row that stand in no source; they are from memory."""
    pci: str = ""
    """PCI vendor, for what a record says of the node's accelerators."""
    cards: tuple[str, ...] = ()
    """Nodes of single cards; group 1 is the numbering, group 2 the number."""
    control: tuple[str, ...] = ()
    """Nodes that are of no use without a card's node, or that give all cards where there are no such nodes."""
    drm: bool = False
    """Its cards are opened through /dev/dri as well."""
    runtimes: tuple[str, ...] = ()
    """OCI runtimes that give a container cards."""
    gives: tuple[str, ...] = ()
    """Variables of the container by which such a runtime chooses; the first that is set counts."""
    adds: bool = False
    """Such a runtime gives what all of `gives` name together."""
    void: frozenset[str] = frozenset()
    """Words in `gives` that give nothing, one of which may be the empty text. Other words are not understood."""
    quiet: bool = False
    """Such a runtime gives nothing where none of `gives` is set; elsewhere it may give all."""
    loud: str = ""
    """A variable with which even a quiet one then gives all."""
    mounts: str = ""
    """Below this folder, whose beginning /var is left out, the target of a mount names a card."""
    may_give: tuple[str, ...] = ()
    """Variables by which cards may reach the container in ways that orch does not read."""
    numbering: str = ""
    """Numbering of `gives`; empty where it is the index by which the runtime counts."""
    cdi: tuple[str, ...] = ()
    """Kinds of CDI devices."""
    cdi_counts_alike: bool = False
    """CDI devices are numbered as `gives` are; elsewhere several tools write the specification, each in its order."""
    filters: tuple[tuple[str, ...], ...] = ()
    """Variables that hide cards from a process. Each group counts within what the group before it has left."""
    counted: str = ""
    """Numbering of `filters`."""
    hides: bool = False
    """A list in `filters` that names no card, such as `-1`, hides every card; elsewhere it is not understood."""
    hidden_by_empty: bool = False
    """An empty variable hides every card; elsewhere it counts as one that is not set."""
    keeps_order: bool = False
    """What `filters` leave is counted in the order of the cards, not in that of the list."""
    others: tuple[str, ...] = ()
    """Variables that may choose cards too; where one of them is set, no list of `filters` is believed."""
    blurs: tuple[str, ...] = ()
    """Variables with which the numbers in `gives` and `filters` mean something else."""


CUDA = "CUDA_VISIBLE_DEVICES"
HIP = ("HIP_VISIBLE_DEVICES", CUDA)
NOTHING = frozenset({"", "none", "void"})
GPUSTACK = "gpustack/runtime: gpustack_runtime/envs.py"

VENDORS = (
    Vendor(
        "NVIDIA",  # the number of a node is the card's minor, not its index
        (
            "NVIDIA/nvidia-container-toolkit: internal/config/image/cuda_image.go",
            "NVIDIA/nvidia-container-toolkit: cmd/nvidia-ctk/system/create-dev-char-symlinks/all.go",
            "NVIDIA/nvidia-container-toolkit: cmd/nvidia-ctk-installer/container/operator/operator.go",
            "NVIDIA/nvidia-container-toolkit: cmd/nvidia-ctk/cdi/generate/generate.go",
            "NVIDIA/nvidia-container-toolkit: pkg/nvcdi/namer.go",
            "NVIDIA/nvidia-container-toolkit: CHANGELOG.md",
            "moby/moby: daemon/devices_nvidia_linux.go",
            "https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html",
        ),
        unchecked=(r"/dev/(nvmap|nvhost-.*|nvgpu(/.*)?)",),
        pci="0x10de",
        cards=(r"/dev/(nvidia)(\d+)",),
        control=(
            r"/dev/nvidiactl",
            r"/dev/nvidia-(uvm|uvm-tools|modeset)",
            r"/dev/nvidia-caps(/.*)?",
            r"/dev/(nvmap|nvhost-.*|nvgpu(/.*)?)",
        ),
        runtimes=("nvidia", "nvidia-cdi", "nvidia-legacy", "nvidia-experimental"),
        gives=("NVIDIA_VISIBLE_DEVICES",),
        void=NOTHING,
        quiet=True,
        loud="CUDA_VERSION",
        mounts="/run/nvidia-container-devices",
        cdi=("nvidia.com/gpu",),
        cdi_counts_alike=True,
        filters=((CUDA,),),
        hides=True,
        hidden_by_empty=True,
    ),
    Vendor(
        "AMD",
        (
            "ROCm/container-toolkit: internal/oci/oci.go",
            "ROCm/container-toolkit: internal/gpu-tracker/gpu-tracker.go",
            "ROCm/container-toolkit: cmd/amd-ctk/runtime/configure/configure.go",
            "ROCm/rocm-systems: projects/rocr-runtime/runtime/hsa-runtime/core/runtime/amd_filter_device.cpp",
            "ROCm/clr: rocclr/device/rocm/rocdevice.cpp",
            "moby/moby: daemon/devices_amd_linux.go",
            "https://rocm.docs.amd.com/en/docs-7.1.1/reference/env-variables.html",
        ),
        pci="0x1002",
        control=(r"/dev/kfd",),
        drm=True,
        runtimes=("amd",),
        gives=("AMD_VISIBLE_DEVICES",),
        void=NOTHING,
        quiet=True,
        numbering="amd",
        cdi=("amd.com/gpu",),
        filters=(("ROCR_VISIBLE_DEVICES",), HIP),
        hides=True,
        others=("GPU_DEVICE_ORDINAL",),
    ),
    Vendor(
        "Hygon",
        (
            "HYGON-AI/hcu-container-toolkit: internal/config/image/dtk_image.go",
            "HYGON-AI/hcu-container-toolkit: internal/discover/graphics.go",
            "HYGON-AI/hcu-container-toolkit: cmd/hcu-ctk/cdi/generate/generate.go",
            "HYGON-AI/hcu-container-toolkit: docs/user-guide/docker.md",
            "HYGON-AI/vllm-plugin-das: vllm_hcu/platforms/hcu.py",
            "gpustack/runtime: gpustack_runtime/deployer/cdi/hygon.py",
            "flagos-ai/build-infra: .github/build-config.yml",
            GPUSTACK,
        ),
        unchecked=("ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
        pci="0x1d94",
        control=(r"/dev/mkfd",),
        drm=True,
        runtimes=("hcu",),
        gives=("HCU_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
        adds=True,
        void=NOTHING,
        quiet=True,
        loud="ROCM_VERSION",
        mounts="/run/hcu-container-devices",
        may_give=("VHCU_VISIBLE_DEVICES", "MIG_VISIBLE_DEVICES", "HYGON_VISIBLE_DEVICES", "DCU_VISIBLE_DEVICES"),
        numbering="hcu",
        cdi=("hygon.com/hcu", "hygon.cn/hcu", "hygon.com/dcu"),
        filters=(HIP,),
        others=("ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
    ),
    Vendor(
        "Ascend",  # a node has the driver's number of a card, which is not the one by which CANN counts
        (
            "Ascend/mind-cluster: component/ascend-docker-runtime/runtime/process/process.go",
            "Ascend/mind-cluster: component/ascend-docker-runtime/install/process/constant.go",
            "vllm-project/vllm-ascend: vllm_ascend/platform.py",
            "gpustack/runtime: gpustack_runtime/deployer/cdi/ascend.py",
            GPUSTACK,
        ),
        unchecked=("ASCEND_DEVICE_ID",),
        cards=(r"/dev/(davinci)(\d+)", r"/dev/(vdavinci)(\d+)"),
        control=(
            r"/dev/(davinci_manager|davinci_manager_docker|devmm_svm|svm0|ts_aisle|hisi_hdc|dvpp_cmdlist)",
            r"/dev/(ummu|uburma)(/.*)?",
        ),
        runtimes=("ascend",),
        gives=("ASCEND_VISIBLE_DEVICES",),
        void=frozenset({"", "void"}),
        quiet=True,
        numbering="davinci",
        cdi=("huawei.com/npu", "ascend.com/npu"),
        filters=(("ASCEND_RT_VISIBLE_DEVICES",),),
        others=("NPU_VISIBLE_DEVICES", "ASCEND_DEVICE_ID"),
        blurs=("ASCEND_RUNTIME_OPTIONS",),
    ),
    Vendor(
        "Gaudi",  # modules are numbered otherwise than devices
        (
            "HabanaAI/habana-container-runtime: cmd/habana-container-runtime-hook/container_config.go",
            "HabanaAI/habana-container-runtime: cmd/habana-container-cli/main.go",
            "HabanaAI/habana-container-runtime: README.md",
            "HabanaAI/habanalabs-k8s-device-plugin: server.go",
            "intel/intel-resource-drivers-for-kubernetes: pkg/gaudi/device/device.go",
            "vllm-project/vllm-gaudi: vllm_gaudi/platform.py",
            "https://docs.habana.ai/en/latest/Orchestration/Multiple_Tenants_on_HPU/Multiple_Workloads_Single_Docker.html",
        ),
        unchecked=(r"/dev/hl_controlD\d+",),
        cards=(r"/dev/(hl)(\d+)",),
        control=(r"/dev/hl_controlD\d+",),
        runtimes=("habana",),
        gives=("HABANA_VISIBLE_DEVICES",),
        void=frozenset({"none"}),
        numbering="hpu",
        cdi=("intel.com/gaudi",),
        filters=(("HABANA_VISIBLE_MODULES",),),
        counted="module",
        others=("HL_VISIBLE_DEVICES",),
    ),
    Vendor(
        "MetaX",
        (
            "MetaX-MACA/vLLM-metax: vllm_metax/platform.py",
            "MetaX-MACA/vLLM-metax: vllm_metax/patch/enhancement/chores/maca_visible_device.py",
            "gpustack/runtime: gpustack_runtime/deployer/cdi/metax.py",
            GPUSTACK,
        ),
        unchecked=(r"/dev/(mxgvm|htcd)", "METAX_VISIBLE_DEVICES", "MACA_VISIBLE_DEVICE"),
        control=(r"/dev/(mxcd|mxnd|mxgd)", r"/dev/(mxgvm|htcd)"),
        drm=True,
        may_give=("METAX_VISIBLE_DEVICES",),
        cdi=("metax-tech.com/gpu",),
        filters=((CUDA,),),
        others=("MACA_VISIBLE_DEVICES", "MACA_VISIBLE_DEVICE"),
    ),
    Vendor(
        "Moore Threads",
        (
            "MooreThreads/vllm-musa: vllm_musa/platform.py",
            "flagos-ai/build-infra: .github/build-config.yml",
            "https://docs.gpustack.ai/latest/tutorials/running-inference-with-moorethreads-gpus",
            "https://opendatalab.github.io/MinerU/zh/usage/acceleration_cards/MooreThreads",
            GPUSTACK,
        ),
        unchecked=(r"/dev/mtgpu.*", "MT_VISIBLE_DEVICES"),
        cards=(r"/dev/(mtgpu)\.(\d+)",),
        control=(r"/dev/mtgpu.*",),
        drm=True,
        runtimes=("mthreads", "mthreads-experimental"),
        may_give=("MTHREADS_VISIBLE_DEVICES", "METHERDS_VISIBLE_DEVICES"),
        cdi=("mthreads.com/gpu",),
        filters=(("MUSA_VISIBLE_DEVICES",),),
        others=("MT_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Iluvatar",
        (
            "Deep-Spark/ix-container-toolkit: internal/modifier/graphics.go",
            "Deep-Spark/ix-container-toolkit: internal/config/image/cuda_image.go",
            "Deep-Spark/ix-container-toolkit: README.md",
            "Deep-Spark/ix-device-plugin: pkg/dpm/plugin.go",
            "gpustack/runtime: gpustack_runtime/deployer/cdi/iluvatar.py",
            GPUSTACK,
        ),
        unchecked=(r"/dev/iluvatar(ctl)?", "ILUVATAR_VISIBLE_DEVICES", "ILUVATAR_COREX_VISIBLE_DEVICES"),
        cards=(r"/dev/(iluvatar)(\d+)",),
        control=(r"/dev/itrctl", r"/dev/iluvatar(ctl)?"),
        runtimes=("iluvatar",),
        gives=("IX_VISIBLE_DEVICES",),
        void=NOTHING,
        may_give=("ILUVATAR_VISIBLE_DEVICES", "ILUVATAR_COREX_VISIBLE_DEVICES"),
        numbering="ix",
        cdi=("iluvatar.com/gpu",),
        filters=((CUDA,),),
    ),
    Vendor(
        "Cambricon",
        (
            "Cambricon/cambricon-k8s-device-plugin: device-plugin/pkg/mlu/const.go",
            "Cambricon/cambricon-k8s-device-plugin: device-plugin/pkg/mlu/server.go",
            "Cambricon/vllm-mlu: vllm_mlu/platforms/mlu.py",
            "Project-HAMi/HAMi: pkg/device/cambricon/device.go",
            GPUSTACK,
        ),
        unchecked=("CN_VISIBLE_DEVICES",),
        cards=(r"/dev/(cambricon_dev)(\d+)",),
        control=(
            r"/dev/cambricon_(ctl|gdr|ipcm\d+|commu.*)",
            r"/dev/cambr-(msgq|rpc)(:\d+)?",
            r"/dev/(cmsg_ctrl|commu)\d+",
        ),
        runtimes=("cambricon",),
        gives=("CAMBRICON_VISIBLE_DEVICES",),
        may_give=("CAMBRICON_SPLIT_VISIBLE_DEVICES",),
        numbering="mlu",
        cdi=("cambricon.com/mlu",),
        filters=(("MLU_VISIBLE_DEVICES",),),
        others=("CN_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Kunlunxin",
        (
            "baidu/vLLM-Kunlun: docs/source/installation.md",
            "baidu/vLLM-Kunlun: docs/source/user_guide/configuration/env_vars.md",
            "baidu/vLLM-Kunlun: docs/source/tutorials/multi_xpu_DeepSeek-V3.2-Exp-w8a8.md",
            "flagos-ai/build-infra: .github/build-config.yml",
        ),
        unchecked=("KUNLUN_VISIBLE_DEVICES",),
        cards=(r"/dev/(xpu)(\d+)",),
        control=(r"/dev/xpuctrl",),
        may_give=("CXPU_VISIBLE_DEVICES", "KUNLUN_VISIBLE_DEVICES"),
        filters=(("XPU_VISIBLE_DEVICES", CUDA),),
    ),
    Vendor(
        "Biren",
        (
            "BirenTechnology/k8s-device-plugin: pkg/brgpu/cdi.go",
            "BirenTechnology/k8s-device-plugin: pkg/brgpu/plugin.go",
            "https://opendatalab.github.io/MinerU/zh/usage/acceleration_cards/Biren",
        ),
        unchecked=(r"/dev/biren-m", "BIREN_VISIBLE_DEVICES", "BR_VISIBLE_DEVICES"),
        cards=(r"/dev/(biren)/card_(\d+)",),
        control=(r"/dev/biren-m",),
        may_give=("BIREN_VISIBLE_DEVICES",),
        cdi=("birentech.com/gpu",),
        filters=(("SUPA_VISIBLE_DEVICES",),),
        others=("BR_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Enflame",
        (
            "EnflameTechnology/vllm-gcu: vllm_gcu/gcu.py",
            "EnflameTechnology/gcushare: gcushare-device-plugin/pkg/device/device_test.go",
            "EnflameTechnology/gcushare: gcushare-device-plugin/pkg/server/server.go",
            "flagos-ai/build-infra: .github/build-config.yml",
        ),
        unchecked=(r"/dev/(gcu|dtu).*", "GCU_VISIBLE_DEVICES"),
        cards=(r"/dev/(gcu)(\d+)",),
        control=(r"/dev/(gcu|dtu).*",),
        gives=("ENFLAME_VISIBLE_DEVICES",),
        numbering="enflame",
        may_give=("TENCENT_VISIBLE_DEVICES",),
        filters=(("TOPS_VISIBLE_DEVICES",),),
        others=("GCU_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Intel",
        (
            "intel/compute-runtime: shared/source/execution_environment/execution_environment.cpp",
            "oneapi-src/level-zero-spec: scripts/core/device.yml",
            "oneapi-src/level-zero-spec: scripts/runtime/PROG.rst",
            "vllm-project/vllm: vllm/platforms/xpu.py",
            "https://intel.github.io/llvm/EnvironmentVariables.html",
        ),
        drm=True,
        filters=(("ZE_AFFINITY_MASK",), ("ONEAPI_DEVICE_SELECTOR",)),
        counted="ze",
        keeps_order=True,
        blurs=("ZE_FLAT_DEVICE_HIERARCHY", "ZE_ENABLE_PCI_ID_DEVICE_ORDER"),
    ),
    Vendor(
        "TPU",
        (
            "vllm-project/tpu-inference: tpu_inference/platforms/tpu_platform.py",
            "vllm-project/tpu-inference: examples/disagg/multi_proc_per_worker.py",
        ),
        unchecked=("TPU_VISIBLE_DEVICES",),
        cards=(r"/dev/(accel)(\d+)",),
        filters=(("TPU_VISIBLE_CHIPS",),),
        others=("TPU_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Neuron",
        (
            "aws-neuron/aws-neuron-sdk: deploy/tutorials/build-run-container.rst",
            "aws-neuron/aws-neuron-sdk: deploy/tutorials/oci-hook.rst",
        ),
        cards=(r"/dev/(neuron)(\d+)",),
        runtimes=("neuron", "oci-neuron"),
        gives=("AWS_NEURON_VISIBLE_DEVICES",),
        numbering="aws",
        others=("NEURON_RT_VISIBLE_CORES", "NEURON_RT_NUM_CORES"),
    ),
    Vendor(
        "T-Head",
        ("gpustack/runtime: gpustack_runtime/deployer/cdi/thead.py", GPUSTACK),
        unchecked=("THEAD_VISIBLE_DEVICES", "PPU_VISIBLE_DEVICES"),
        cards=(r"/dev/(alixpu_ppu)(\d+)",),
        control=(r"/dev/alixpu(_ctl)?",),
        gives=("NVIDIA_VISIBLE_DEVICES",),
        numbering="ppu",
        may_give=("THEAD_VISIBLE_DEVICES", "PPU_VISIBLE_DEVICES"),
        cdi=("alibabacloud.com/ppu",),
        filters=((CUDA,),),
    ),
    Vendor(
        "Rebellions",  # a list counts groups of cards where a rank has several
        (
            "RBLN-SW/rbln-container-toolkit: README.md",
            "RBLN-SW/vllm-rbln: vllm_rbln/platform.py",
            "RBLN-SW/vllm-rbln: vllm_rbln/v1/worker/rbln_worker.py",
        ),
        cards=(r"/dev/(rbln)(\d+)",),
        control=(r"/dev/rsd\d+",),
        cdi=("rebellions.ai/npu",),
        filters=(("RBLN_DEVICES",),),
        blurs=("VLLM_RBLN_NUM_DEVICES_PER_LOCAL_RANK", "RBLN_NPUS_PER_DEVICE"),
    ),
    Vendor(
        "FuriosaAI",  # a card has a node for each of its parts
        ("furiosa-ai/libfuriosa-kubernetes: pkg/cdi_spec/rngd.go",),
        cards=(r"/dev/(rngd)/npu(\d+)[a-z][\w-]*",),
    ),
    Vendor(
        "Tenstorrent",  # its variable may name a board's chips in place of cards
        ("tenstorrent/tt-kmd: README.md", "tenstorrent/tt-umd: device/cluster_descriptor.cpp"),
        cards=(r"/dev/(tenstorrent)/(\d+)",),
        others=("TT_VISIBLE_DEVICES",),
    ),
)

FILTERS = tuple(dict.fromkeys(name for vendor in VENDORS for group in vendor.filters for name in group))
GIVING = tuple(dict.fromkeys(name for vendor in VENDORS for name in (*vendor.gives, *vendor.may_give)))
OTHERS = tuple(dict.fromkeys(name for vendor in VENDORS for name in vendor.others if name not in FILTERS))
BLURS = tuple(dict.fromkeys(name for vendor in VENDORS for name in vendor.blurs))
CORES = ("NEURON_RT_VISIBLE_CORES", "NEURON_RT_NUM_CORES")
COUNTING = tuple(name for name in (*FILTERS, *GIVING, *OTHERS) if name not in CORES)
"""Variables that hold a list of cards."""

"""What each vendor calls its devices: one row for each vendor, facts only, with where they come from.

A device node, an OCI runtime or a variable that stands nowhere here counts as one that may give every accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vendor:
    """One vendor's words; device nodes are regular expressions over whole paths."""

    name: str
    source: str
    """Where the words stand."""
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
    numbering: str = ""
    """Numbering of `gives` and of `cdi`; empty where it is the index by which the runtime counts."""
    cdi: tuple[str, ...] = ()
    """Kinds of CDI devices."""
    filters: tuple[tuple[str, ...], ...] = ()
    """Variables that hide cards from a process. Each group counts within what the group before it has left."""
    counted: str = ""
    """Numbering of `filters`."""
    hidden_by_empty: bool = False
    """An empty variable hides every card; elsewhere it counts as one that is not set."""
    others: tuple[str, ...] = ()
    """Variables of like names that are not known to hide cards for certain."""
    nodes_are_indices: bool = False
    """The number of a card's node is its index."""


CUDA = "CUDA_VISIBLE_DEVICES"
ROCM = (("ROCR_VISIBLE_DEVICES",), ("HIP_VISIBLE_DEVICES", CUDA))
"""HIP counts within what the layer below it shows: rocm.docs.amd.com, GPU isolation."""

VENDORS = (
    Vendor(
        "NVIDIA",
        "NVIDIA container toolkit and CUDA programming guide; the number of a node is the card's minor, not its index",
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
        cdi=("nvidia.com/gpu",),
        filters=((CUDA,),),
        hidden_by_empty=True,
    ),
    Vendor(
        "AMD",
        "rocm.docs.amd.com: running ROCm Docker containers, GPU isolation; AMD container toolkit",
        pci="0x1002",
        control=(r"/dev/kfd",),
        drm=True,
        runtimes=("amd", "amd-container-runtime"),
        gives=("AMD_VISIBLE_DEVICES",),
        numbering="amd",
        cdi=("amd.com/gpu",),
        filters=ROCM,
        others=("GPU_DEVICE_ORDINAL",),
    ),
    Vendor(
        "Hygon",
        "HYGON-AI/hcu-container-toolkit, which falls back to NVIDIA's variable; HYGON-AI/inference-cookbook-das",
        pci="0x1d94",
        control=(r"/dev/mkfd",),
        drm=True,
        runtimes=("dcu", "hcu", "hygon"),
        gives=("HCU_VISIBLE_DEVICES", "HYGON_VISIBLE_DEVICES", "DCU_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
        numbering="hcu",
        cdi=("hygon.com/hcu", "hygon.com/dcu", "hygon.com/gpu"),
        filters=ROCM,
        others=("VHCU_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Ascend",
        "Ascend Docker Runtime user guide (ranges, /dev/davinciN is card N); vllm-ascend installation",
        cards=(r"/dev/(davinci)(\d+)", r"/dev/(vdavinci)(\d+)"),
        control=(r"/dev/(davinci_manager|davinci_manager_docker|devmm_svm|hisi_hdc|ummu|uburma(/.*)?)",),
        runtimes=("ascend", "ascend-docker-runtime"),
        gives=("ASCEND_VISIBLE_DEVICES",),
        cdi=("huawei.com/npu", "huawei.com/ascend", "huawei.com/Ascend910", "huawei.com/Ascend310P"),
        filters=(("ASCEND_RT_VISIBLE_DEVICES",),),
        others=("NPU_VISIBLE_DEVICES", "ASCEND_DEVICE_ID"),
        nodes_are_indices=True,
    ),
    Vendor(
        "Gaudi",
        "docs.habana.ai: multiple workloads on one server; modules are numbered otherwise than devices",
        cards=(r"/dev/(hl)(\d+)",),
        control=(r"/dev/hl_controlD\d+",),
        runtimes=("habana", "habana-container-runtime"),
        gives=("HABANA_VISIBLE_DEVICES",),
        numbering="hpu",
        cdi=("habana.ai/gaudi", "intel.com/gaudi"),
        filters=(("HABANA_VISIBLE_MODULES",),),
        counted="module",
    ),
    Vendor(
        "MetaX",
        "vllm-metax: /dev/mxcd, /dev/dri, CUDA_VISIBLE_DEVICES; metax-tech.com of HAMi",
        control=(r"/dev/(mxcd|mxgvm|htcd)",),
        drm=True,
        runtimes=("metax",),
        gives=("METAX_VISIBLE_DEVICES",),
        numbering="metax",
        cdi=("metax-tech.com/gpu", "metax-tech.com/sgpu"),
        filters=((CUDA,),),
        others=("MACA_VISIBLE_DEVICES", "MACA_VISIBLE_DEVICE"),
    ),
    Vendor(
        "Moore Threads",
        "mt-container-toolkit; vllm-musa: device_control_env_var",
        cards=(r"/dev/(mtgpu)[._-]?(\d+)",),
        control=(r"/dev/mtgpu.*",),
        drm=True,
        runtimes=("mthreads", "mthreads-experimental"),
        gives=("MTHREADS_VISIBLE_DEVICES", "METHERDS_VISIBLE_DEVICES"),
        numbering="mthreads",
        cdi=("mthreads.com/gpu",),
        filters=(("MUSA_VISIBLE_DEVICES",),),
        others=("MT_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Iluvatar",
        "FlagOS images for corex (runtime iluvatar, IX_VISIBLE_DEVICES); ix-device-plugin",
        cards=(r"/dev/(iluvatar)(\d+)",),
        control=(r"/dev/iluvatar(ctl)?",),
        runtimes=("iluvatar", "ix-container-runtime"),
        gives=("IX_VISIBLE_DEVICES", "ILUVATAR_VISIBLE_DEVICES", "ILUVATAR_COREX_VISIBLE_DEVICES"),
        numbering="ix",
        cdi=("iluvatar.com/gpu", "iluvatar.ai/gpu"),
        filters=((CUDA,),),
    ),
    Vendor(
        "Cambricon",
        "cambricon-k8s-device-plugin; torch_mlu",
        cards=(r"/dev/(cambricon_dev)(\d+)",),
        control=(r"/dev/cambricon_(ctl|ipcm\d+|commu.*)", r"/dev/cambr-msgq(:\d+)?"),
        runtimes=("cambricon",),
        gives=("CAMBRICON_VISIBLE_DEVICES",),
        numbering="mlu",
        cdi=("cambricon.com/mlu", "cambricon.com/gpu"),
        filters=(("MLU_VISIBLE_DEVICES",),),
    ),
    Vendor(
        "Kunlunxin",
        "vllm-kunlun and PaddlePaddle's guide for XPU: /dev/xpuN, /dev/xpuctrl",
        cards=(r"/dev/(xpu)(\d+)",),
        control=(r"/dev/xpuctrl",),
        runtimes=("kunlunxin", "xpu"),
        gives=("KUNLUN_VISIBLE_DEVICES",),
        numbering="kunlun",
        cdi=("kunlunxin.com/xpu",),
        filters=(("XPU_VISIBLE_DEVICES", CUDA),),
    ),
    Vendor(
        "Biren",
        "BIRENSUPA container guides: /dev/biren, /dev/biren-m, /dev/biren/card_N",
        cards=(r"/dev/(biren)/card_(\d+)",),
        control=(r"/dev/biren-m",),
        runtimes=("biren", "birensupa"),
        gives=("BIREN_VISIBLE_DEVICES",),
        numbering="br",
        cdi=("birentech.com/gpu",),
        others=("BR_VISIBLE_DEVICES", "SUPA_VISIBLE_DEVICES"),
    ),
    Vendor(
        "Enflame",
        "TopsRider installation guide: /dev/gcuN, enflame-container-toolkit",
        cards=(r"/dev/(gcu)(\d+)", r"/dev/(dtu)(\d+)"),
        control=(r"/dev/(gcu|dtu)ctl",),
        runtimes=("enflame",),
        gives=("ENFLAME_VISIBLE_DEVICES",),
        numbering="enflame",
        cdi=("enflame.com/gcu",),
        filters=(("TOPS_VISIBLE_DEVICES",),),
        others=("GCU_VISIBLE_DEVICES",),
    ),
    Vendor(
        "Intel",
        "oneapi-src.github.io level-zero and intel/llvm EnvironmentVariables.md; vLLM's page for XPU",
        drm=True,
        cdi=("intel.com/gpu",),
        numbering="intel",
        filters=(("ZE_AFFINITY_MASK",), ("ONEAPI_DEVICE_SELECTOR",)),
        counted="ze",
    ),
    Vendor(
        "TPU",
        "cloud.google.com/tpu and vLLM's TPU platform: device_control_env_var",
        cards=(r"/dev/(accel)(\d+)",),
        runtimes=("tpu",),
        cdi=("google.com/tpu",),
        filters=(("TPU_VISIBLE_CHIPS", "TPU_VISIBLE_DEVICES"),),
    ),
    Vendor(
        "Neuron",
        "AWS Neuron: container runtime hook; its other variable counts cores",
        cards=(r"/dev/(neuron)(\d+)",),
        runtimes=("neuron", "oci-neuron"),
        gives=("AWS_NEURON_VISIBLE_DEVICES",),
        numbering="neuron",
        cdi=("aws.amazon.com/neuron",),
        others=("NEURON_RT_VISIBLE_CORES",),
    ),
    Vendor(
        "T-Head",
        "gpustack/runtime: PPU",
        cards=(r"/dev/(alixpu_ppu)(\d+)",),
        control=(r"/dev/alixpu(_ctl)?",),
        runtimes=("thead", "ppu"),
        gives=("THEAD_VISIBLE_DEVICES", "PPU_VISIBLE_DEVICES"),
        numbering="ppu",
        cdi=("alibabacloud.com/ppu", "thead.com/ppu"),
        filters=((CUDA,),),
    ),
    Vendor("Rebellions", "vllm-rbln", cards=(r"/dev/(rbln)(\d+)",), filters=(("RBLN_DEVICES",),)),
    Vendor("Tenstorrent", "tt-kmd, tt-metal", cards=(r"/dev/(tenstorrent)/(\d+)",), others=("TT_VISIBLE_DEVICES",)),
)

CARDS_OF_ANY = (r"/dev/(accel)/accel(\d+)", r"/dev/(vfio)/(\d+)")
"""Nodes that the cards of several vendors have."""
RENDER = r"/dev/dri/(renderD)(\d+)"
"""The node through which a card computes; the one named card only shows pictures beside it."""
DRM_CARD = r"/dev/dri/(card)(\d+)"
CONTROL_OF_ANY = (r"/dev/vfio/vfio", r"/dev/accel/accel_controlD\d+")

HARMLESS = (
    r"/dev/(null|zero|full|random|urandom|tty\d*|console|ptmx|pts(/.*)?|stdin|stdout|stderr|fd(/.*)?|core|kmsg|log)",
    r"/dev/(shm|mqueue|hugepages[^/]*)(/.*)?",
    r"/dev/(fuse|cuse|kvm|net(/.*)?|vhost-.*|vsock|userfaultfd|rtc\d*|hpet|watchdog\d*|cpu_dma_latency|uinput)",
    r"/dev/(infiniband|rdma|hfi1.*|cxi\d+|mst|knem|xpmem|gdrdrv|nvidia-fs\d+|nvidia-nvswitch.*|nvidia-nvlink)(/.*)?",
    r"/dev/nvidia-caps-imex-channels(/.*)?",
    r"/dev/(sd[a-z]{1,3}\d*|vd[a-z]{1,2}\d*|xvd[a-z]{1,2}\d*|nvme.*|dm-\d+|mapper(/.*)?|loop.*|disk(/.*)?|md\d*|ram\d+|zram\d+)",
    r"/dev/(mem|kmem|port|cpu(/.*)?|snd(/.*)?|input(/.*)?|bus(/.*)?|ttyS\d+|ttyUSB\d+|ttyACM\d+|video\d+|media\d+)",
    r"/dev/(vga_arbiter|fb\d+|btrfs-control|tpm\w*|sgx.*|sev.*|tdx.*|hwrng|i2c-\d+|ipmi\d+|mei\d+|ppp|autofs|dma_heap.*)",
)
"""Nodes of Linux that give no accelerator."""
PLAIN_RUNTIMES = (
    r"runc",
    r"crun",
    r"youki",
    r"io\.containerd\.run.*",
    r"kata.*",
    r"runsc.*",
    r"sysbox-runc",
    r"gvisor",
)
"""OCI runtimes that give a container nothing beyond what it is told."""
HARMLESS_MAJORS = frozenset({1, 4, 5, 10, 136, 231})
"""Of memory, terminals, small drivers such as kvm and fuse, and InfiniBand: kernel, admin-guide/devices.txt."""

FILTERS = tuple(dict.fromkeys(name for vendor in VENDORS for group in vendor.filters for name in group))
GIVING = tuple(dict.fromkeys(name for vendor in VENDORS for name in vendor.gives))
OTHERS = tuple(dict.fromkeys(name for vendor in VENDORS for name in vendor.others))
COUNTING = tuple(name for name in (*FILTERS, *GIVING, *OTHERS) if name != "NEURON_RT_VISIBLE_CORES")
"""Variables that hold a list of cards."""

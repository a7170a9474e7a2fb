"""What Linux and the engine call devices of every vendor: nodes, majors, OCI runtimes that give nothing."""

from __future__ import annotations

CARDS_OF_ANY = (r"/dev/(accel)/accel(\d+)", r"/dev/(vfio)/(\d+)")
"""Nodes that the cards of several vendors have."""
RENDER = r"/dev/dri/(renderD)(\d+)"
"""The node through which a card computes; the one named card only shows pictures beside it."""
DRM_CARD = r"/dev/dri/(card)(\d+)"
DRM_BY_PATH = r"/dev/dri/by-path/pci-([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2}\.[0-7])-(?:card|render)"
"""A link to either, named by the card's PCI address."""
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

HARMLESS_MAJORS = frozenset({1, 4, 5, 136, 231})
"""Of memory, terminals and InfiniBand: torvalds/linux: Documentation/admin-guide/devices.txt."""
MISC = 10
"""Of small drivers, in the same list. Some accelerators' drivers take one of its numbers when they are loaded."""
HARMLESS_MISC = frozenset({1, 130, 144, 183, 200, 223, 224, 228, 229, 232, 234, 235, 236, 237, 238, 239, 241})
"""Numbers of it that the list gives to a mouse, watchdogs, NVRAM, tun, uinput, TPM, HPET, FUSE, KVM, loops, vhost…"""
NVIDIA_MAJOR, DRM_MAJOR = 195, 226
"""In the same list, and in NVIDIA/nvidia-container-toolkit: cmd/nvidia-ctk/system/create-dev-char-symlinks/all.go."""
NVIDIA_SHARED_MINORS = frozenset({254, 255})
"""Of /dev/nvidia-modeset and /dev/nvidiactl; the others are cards."""
DRM_STEMS = ((range(64), "card"), (range(128, 192), "renderD"))
"""How the nodes under /dev/dri begin, by their minors; a node's number is its minor: see how AMD's toolkit, in
ROCm/container-toolkit: internal/amdgpu/amdgpu.go, finds the node of a card."""

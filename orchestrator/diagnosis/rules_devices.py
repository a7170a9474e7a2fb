"""Causes in accelerators: whether they are there, may be used, fit the image and can talk to each other."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="too-few-devices",
        title="the server is to use more devices than it sees",
        why=(
            "tensor-parallel-size times pipeline-parallel-size must not exceed the devices that are visible in the "
            "container."
        ),
        advice=(
            "Set server.flags.tensor-parallel-size to {count} or less.",
            (
                (
                    "Give the container all devices (container.devices or container.gpus), and check "
                    "HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES in server.env: {asked} are "
                    "asked for."
                ),
                (
                    "Give the container all devices (container.devices or container.gpus), and check "
                    "HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES in server.env."
                ),
            ),
        ),
        log=texts(
            r"please set tensor_parallel_size \((?P<asked>\d+)\) to less than max local gpu count \((?P<count>\d+)\)",
            (
                r"please ensure that world_size \((?P<asked>\d+)\) is less than than max local gpu count "
                r"\((?P<count>\d+)\)"
            ),
            r"World size \((?P<asked>\d+)\) is larger than the number of available GPUs \((?P<count>\d+)\)",
            (
                r"The number of required \w+ exceeds the total number of available \w+ in the (?:cluster"
                r"|placement group)"
            ),
            r"(?:HIP|CUDA) error: invalid device ordinal",
            r"local rank \d+ is out of bounds|DP adjusted local rank \d+ is out of bounds",
            r"Not enough allowed NUMA nodes to bind threads of (?P<asked>\d+) ",
            r"ROCR_VISIBLE_DEVICES.*out of range",
        ),
    ),
    Rule(
        id="heads-not-divisible",
        title="the model's attention heads cannot be shared among that many devices",
        why="tensor-parallel-size must divide the number of attention heads.",
        advice=(
            (
                "Set server.flags.tensor-parallel-size to a divisor of {heads}.",
                "Set server.flags.tensor-parallel-size to 1, 2, 4 or 8.",
            ),
        ),
        log=texts(
            (
                r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
                r"\((?P<size>\d+)\)"
            ),
            r"must be divisible by (?:the )?tensor(?:_| )(?:model_)?parallel(?:_| )size",
        ),
    ),
    Rule(
        id="platform-not-detected",
        title="vLLM finds no accelerator that it knows",
        why=(
            "The devices are not mapped into the container, their driver's library (amdsmi, NVML) is not in it, or "
            "the image is for another vendor."
        ),
        advice=(
            (
                "Hygon DCU: container.devices /dev/kfd, /dev/mkfd and /dev/dri, container.mounts "
                "/opt/hyhal:/opt/hyhal:ro."
            ),
            "AMD: container.devices /dev/kfd and /dev/dri. NVIDIA: container.gpus: all.",
            "Source the vendor's environment with container.source if the image does not (DTK: /opt/dtk/env.sh).",
        ),
        log=texts(
            r"Failed to infer device type",
            r"Device string must not be empty",
        ),
        quiet=texts(r"No platform detected, vLLM is running on UnspecifiedPlatform"),
    ),
    Rule(
        id="devices-not-visible",
        title="the container sees no accelerator",
        why=(
            "The runtime in the image works, but no device answers: not mapped, not permitted, or hidden by "
            "*_VISIBLE_DEVICES."
        ),
        advice=(
            "Check container.devices: /dev/kfd and /dev/dri, for Hygon DCU /dev/mkfd too; NVIDIA: container.gpus.",
            (
                "Check HIP_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES in server.env and "
                "container.env."
            ),
            (
                "If container.user is not root, give it the devices' group by number: container.group_add, from "
                "stat -c %g /dev/kfd."
            ),
        ),
        log=texts(
            r"No (?:HIP|CUDA) GPUs are available|Found no NVIDIA driver on your system",
            r"(?:HIP|CUDA) error: (?:no ROCm-capable device is detected|no CUDA-capable device is detected)",
            r"hipErrorNoDevice|cudaErrorNoDevice|NVML_ERROR_DRIVER_NOT_LOADED|NVMLError_DriverNotLoaded",
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="device-not-permitted",
        title="the container's user may not use the accelerator",
        why="The device nodes belong to the groups video or render, and the user in the container is in neither.",
        advice=(
            "Give it the groups by number: container.group_add, from stat -c %g /dev/kfd /dev/dri/renderD128.",
            "Or let the server run as root: no container.user.",
        ),
        log=texts(
            (
                r"(?P<device>/dev/(?:kfd|mkfd|dri\S*|nvidia\S*))\S* .*(?:Permission denied"
                r"|[Oo]peration not permitted|[Nn]ot accessible)"
            ),
            r"(?:Permission denied|Operation not permitted).*(?P<device>/dev/(?:kfd|mkfd|dri|nvidia))",
        ),
        strength=Strength.CERTAIN,
        needs_accelerator=True,
    ),
    Rule(
        id="visible-devices-clash",
        title="HIP_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES differ",
        why="vLLM on ROCm reads both and stops when they disagree.",
        advice=(
            (
                "Set HIP_VISIBLE_DEVICES alone in server.env, and remove CUDA_VISIBLE_DEVICES from server.env and "
                "container.env."
            ),
        ),
        log=texts(r"Inconsistent GPU visibility env vars"),
        source=texts(r"assert val == cuda_val → AssertionError"),
        versions="0.8.5: an AssertionError without words; later: Inconsistent GPU visibility env vars",
    ),
    Rule(
        id="driver-mismatch",
        title="the node's driver is too old for the image",
        why="The image was built for a newer driver than the node has.",
        advice=(
            (
                "Use an image for the node's driver, or update the driver. Hygon: hy-smi --showdriverversion and "
                "the DTK of the image must fit; NVIDIA: nvidia-smi shows the greatest CUDA version."
            ),
        ),
        log=texts(
            r"The NVIDIA driver on your system is too old",
            r"CUDA driver version is insufficient|cudaErrorInsufficientDriver|hipErrorInsufficientDriver",
            r"(?:HIP|CUDA) error: (?:system has unsupported display driver|driver version is insufficient)",
            r"forward compatibility was attempted on non supported HW|Driver/library version mismatch",
            r"KFD does not support|Unsupported kfd version|HSA_STATUS_ERROR_INCOMPATIBLE",
        ),
        engine=texts(
            r"requirement error: unsatisfied condition: \S+",
            r"Driver/library version mismatch",
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="no-code-for-device",
        title="the image has no code for this accelerator",
        why="Its kernels were compiled for other architectures than the node's device.",
        advice=(
            "Use an image that was built for this device: Hygon's own for a DCU, not AMD's.",
            "Check that HSA_OVERRIDE_GFX_VERSION is not set to something else in server.env or container.env.",
        ),
        log=texts(
            r"hipErrorNoBinaryForGpu|Unable to find code object for all current devices",
            r"(?:HIP|CUDA) error: (?:invalid device function|no kernel image is available)",
            r"(?:hip|cuda)ErrorInvalidDeviceFunction|hipErrorSharedObjectInitFailed|cudaErrorNoKernelImageForDevice",
        ),
        strength=Strength.CERTAIN,
        needs_accelerator=True,
    ),
    Rule(
        id="fork-after-init",
        title="workers were forked after the accelerator was in use",
        why="A forked process cannot use a device that its parent has opened.",
        advice=("Set VLLM_WORKER_MULTIPROC_METHOD: spawn in server.env.",),
        log=texts(r"Cannot re-initialize (?:CUDA|HIP) in forked subprocess"),
        needs_accelerator=True,
    ),
    Rule(
        id="collective-library",
        title="the devices cannot talk to each other (RCCL/NCCL)",
        why=(
            "The library that joins the devices of a tensor-parallel server failed: /dev/shm, peer access, network "
            "interface, or a device in a bad state."
        ),
        advice=(
            "Set NCCL_DEBUG: INFO in server.env and start again: the lines before the error then name the step.",
            (
                "Give it shared memory (container.shm_size: 16g, or container.ipc: host) and unlimited locked "
                "memory (container.ulimits: {memlock: -1})."
            ),
            (
                "Try NCCL_P2P_DISABLE: 1, or the right NCCL_SOCKET_IFNAME, in server.env; check the links with "
                "hy-smi, rocm-smi --showtopo or nvidia-smi topo -m."
            ),
        ),
        log=texts(
            r"[NR]CCL error: |[NR]CCL error in: |\bDistBackendError\b",
            r"nccl(?:UnhandledCudaError|SystemError|InvalidUsage|InternalError|RemoteError|InvalidArgument)\b",
            r"Watchdog caught collective operation timeout",
            r"librccl\S* .*failed|Failed to load NCCL library",
        ),
    ),
    Rule(
        id="accelerator-fault",
        title="the accelerator stopped with a fault",
        why=(
            "A kernel read or wrote where it must not, or the device hangs: a defect in vLLM, in the driver or in "
            "the device."
        ),
        advice=(
            (
                "Try without graphs and custom kernels: server.flags.enforce-eager: true; leave out kernel "
                "switches in server.env."
            ),
            "Set AMD_SERIALIZE_KERNEL: 3 (HIP) or CUDA_LAUNCH_BLOCKING: 1 in server.env to see which kernel it is.",
            "Look at dmesg on the node; a device that stays bad needs a reset.",
        ),
        log=texts(
            r"Memory access fault by GPU node",
            (
                r"(?:HIP|CUDA) error: (?:an illegal memory access|unspecified launch failure|device-side assert"
                r"|the launch timed out)"
            ),
            (
                r"HSA_STATUS_ERROR_(?:EXCEPTION|MEMORY_APERTURE_VIOLATION|ILLEGAL_INSTRUCTION|MEMORY_FAULT)"
                r"|GPU core dump"
            ),
            (
                r"CUDA error: uncorrectable ECC error|(?:hip|cuda)ErrorECCNotCorrectable|hipErrorIllegalAddress"
                r"|hipErrorLaunchFailure"
            ),
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="worker-hangs",
        title="a worker does not answer",
        why=(
            "One of the processes of a tensor-parallel server waits or works for very long: a collective operation "
            "that never ends, or a long compilation."
        ),
        advice=(
            "If it is compiling or quantizing, wait: raise health.deadline.",
            (
                "If it always stops here, suspect RCCL/NCCL: set NCCL_DEBUG: INFO in server.env, try "
                "NCCL_P2P_DISABLE: 1."
            ),
            "See what the workers do: docker exec CONTAINER py-spy dump --pid PID, where the image has py-spy.",
        ),
        log=texts(
            r"No available shared memory broadcast block found",
            r"RPC call to \w+ timed out|sample_tokens timed out",
        ),
        quiet=texts(r"No available shared memory broadcast block found"),
        strength=Strength.SYMPTOM,
        versions="DEBUG level in 0.8.5, INFO later",
    ),
)

"""Causes in accelerators: whether they are there, may be used and fit the image."""

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
            r"size \((?P<asked>\d+)\) cannot be larger than the number of available \w+ \((?P<count>\d+)\)",
            r"World size \((?P<asked>\d+)\) is larger than the number of available GPUs \((?P<count>\d+)\)",
            (
                r"The number of required \w+ exceeds the total number of available \w+ in the (?:cluster"
                r"|placement group)"
            ),
            r"(?:HIP|CUDA) error: invalid device ordinal|device >= 0 && device < num_gpus",
            (
                r"local_world_size \((?P<asked>\d+)\) must be less than or equal to the number of visible devices "
                r"\((?P<count>\d+)\)"
            ),
            r"local rank \d+ is out of bounds|DP adjusted local rank \d+ is out of bounds",
            r"Not enough allowed NUMA nodes to bind threads of (?P<asked>\d+) ",
            r"ROCR_VISIBLE_DEVICES.*out of range",
            r"Error(?: computing|:? Error computing) assigned_physical_gpu_ids: local range",
            r"Error computing device indices for",
            r"Error setting \S+: local range: |out of range for assigned_physical_gpu_ids|Not enough GPUs? (?:is|are) ",
            r"replica size \((?P<asked>\d+)\) exceeds the number of visible \w+ devices \((?P<count>\d+)\)",
            r"No enough allowed NUMA nodes to bind threads of (?P<asked>\d+) ",
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
            r"Error: (?:Unsupported|Not support) device type: |Unsupported torch distributed backend",
        ),
        quiet=texts(r"No platform detected, vLLM is running on UnspecifiedPlatform"),
        raised=texts(
            r"/vllm/platforms/interface\.py → NotImplementedError\s*$",
            r"→ AttributeError: '?(?:type object )?'?UnspecifiedPlatform' (?:object )?has no attribute",
        ),
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
            (
                r"TPU initialization failed: No \S+ device found|No TPU devices? found|nrt_init failed"
                r"|No neuron devices? found|No /dev/neuron"
            ),
            r"NVMLError_NotFound|AMDSMI_STATUS_DRIVER_NOT_LOADED",
            r"No (?:HIP|CUDA) GPUs are available|Found no NVIDIA driver on your system",
            r"(?:HIP|CUDA) error: (?:no ROCm-capable device is detected|no CUDA-capable device is detected)",
            r"Error 100: no (?:CUDA|ROCm)-capable device is detected|No (?:NPU|XPU) devices? (?:is|are) available",
            r"hipErrorNoDevice|cudaErrorNoDevice|NVML_ERROR_DRIVER_NOT_LOADED|NVMLError_DriverNotLoaded",
            r"NVML returned no GPU PCI bus ID|amdsmi did not return valid GCN arch",
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
        id="visible-devices-invalid",
        title="a variable that chooses devices has a value that vLLM cannot read",
        why=(
            "CUDA_VISIBLE_DEVICES and its like must be numbers with commas; older vLLM reads no names such as "
            "GPU-… or MIG-…."
        ),
        advice=(
            "Write numbers, such as CUDA_VISIBLE_DEVICES: 0,1, in server.env (HIP_VISIBLE_DEVICES on AMD and Hygon).",
            (
                "Look for an empty value, or one with blanks, in server.env and container.env; remove it if all "
                "may be used."
            ),
            "Or choose the devices for the whole container: container.gpus: device=GPU-….",
        ),
        log=texts(
            r"ValueError: invalid literal for int\(\) with base 10: '(?P<value>(?:GPU|MIG)-[\w/-]*)'",
            r"Physical device \S+ for logical device|visible device ordinal \S+ is out of range",
        ),
        source=texts(
            r"device_ids?\b.* → ValueError: invalid literal for int",
            r"VISIBLE_DEVICES.* → ValueError: invalid literal for int",
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="driver-mismatch",
        title="the node's driver and the image do not fit together",
        why=(
            "The image was built for a newer driver than the node has, or libraries of another driver version lie "
            "over the node's."
        ),
        advice=(
            (
                "Use an image for the node's driver, or update the driver. Hygon: hy-smi --showdriverversion and "
                "the DTK of the image must fit; NVIDIA: nvidia-smi shows the greatest CUDA version."
            ),
            (
                "NVIDIA: libraries for forward compatibility (/usr/local/cuda/compat) must not come first: "
                "leave them "
                "out of LD_LIBRARY_PATH in server.env and container.env; VLLM_ENABLE_CUDA_COMPATIBILITY only where "
                "the card allows it."
            ),
            "If the driver was updated on the running node, restart the node.",
        ),
        log=texts(
            r"The NVIDIA driver on your system is too old",
            r"CUDA driver version is insufficient|cudaErrorInsufficientDriver|hipErrorInsufficientDriver",
            r"system has unsupported display driver|(?:HIP|CUDA) error: driver version is insufficient",
            r"forward compatibility was attempted on non supported HW|Driver/library version mismatch",
            r"API call is not supported in the installed CUDA driver|CUDA driver is a stub library",
            r"provided PTX was compiled with an unsupported toolchain|NVMLError_LibRmVersionMismatch",
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
            r"no kernel image is available for execution on the device",
            r"hipErrorNoBinaryForGpu|Unable to find code object for all current devices",
            r"(?:HIP|CUDA) error: (?:invalid device function|no kernel image is available)",
            r"(?:hip|cuda)ErrorInvalidDeviceFunction|hipErrorSharedObjectInitFailed|cudaErrorNoKernelImageForDevice",
            r"GPU archs? (?:of )?.*(?:is|are) (?:invalid or )?not supported|Get GPU arch from rocminfo failed",
            r"device kernel image is invalid|cudaErrorInvalidKernelImage|hipErrorInvalidImage",
        ),
        strength=Strength.CERTAIN,
        needs_accelerator=True,
    ),
    Rule(
        id="rocm-kernels-missing",
        title="ROCm's libraries have no kernels for this accelerator ({arch})",
        why="rocBLAS and hipBLASLt bring kernels in files for each architecture; the image has none for the node's.",
        advice=(
            "Use an image whose ROCm or DTK supports the device: Hygon's own for a DCU.",
            (
                "A near relative's kernels may do: HSA_OVERRIDE_GFX_VERSION in server.env (10.3.0 for gfx103x, "
                "11.0.0 "
                "for gfx110x)."
            ),
            "Check that nothing hides the image's files: ROCBLAS_TENSILE_LIBPATH in server.env, container.mounts.",
        ),
        log=texts(
            r"rocBLAS error: Cannot read .*TensileLibrary\S*: (?!Too many open files).*GPU arch ?: ?(?P<arch>gfx\w+)",
            r"rocBLAS error: Could not initialize Tensile host|rocBLAS error: No paths matched",
            r"TensileLibrary\S*.*(?:not supported|No such file).*(?P<arch>gfx\w+)",
        ),
        strength=Strength.CERTAIN,
        needs_accelerator=True,
    ),
    Rule(
        id="fork-after-init",
        title="workers were forked after the accelerator was in use",
        why="A forked process cannot use a device that its parent has opened.",
        advice=("Set VLLM_WORKER_MULTIPROC_METHOD: spawn in server.env.",),
        log=texts(
            r"Cannot re-initialize (?:CUDA|HIP|NPU|XPU) in forked subprocess",
            r"attempt has been made to start a new process before the current process has finished",
        ),
        needs_accelerator=True,
    ),
)

"""Causes in the state of accelerators: taken, lost, not initialized, stopped with a fault."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="fabric-manager-down",
        title="the node's NVSwitch fabric is not initialized",
        why="Nodes with NVSwitch (HGX, DGX) need the fabric manager running, in the version of the driver.",
        advice=(
            "On the node: systemctl status nvidia-fabricmanager; install it in the driver's version and start it.",
            "See nvidia-smi -q: Fabric State must be Completed; no container.image or server.flags can help here.",
        ),
        log=texts(r"(?:Error 802: |CUDA error: )?system not yet initialized|cudaErrorSystemNotReady"),
        engine=texts(r"fabric ?manager.*(?:not|fail)"),
        needs_accelerator=True,
    ),
    Rule(
        id="device-busy",
        title="the accelerator is taken by a process that shares it with nobody",
        why="The device is in exclusive mode, partitioned, or still held by a process that has ended badly.",
        advice=(
            (
                "See who holds it: nvidia-smi, rocm-smi --showpids or hy-smi --showpids on the node; orch ps for "
                "orch's own."
            ),
            "Check the compute mode: nvidia-smi -q -d COMPUTE; with MIG, give the instance in container.gpus.",
            "Choose other devices in server.env: CUDA_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES.",
        ),
        log=texts(
            r"CUDA-capable device\(s\) is/are busy or unavailable|cudaErrorDevicesUnavailable",
            r"exclusive-thread device already in use|(?:cuda|hip)ErrorDeviceAlreadyInUse",
            r"/dev/\S+: Device or resource busy|TPU is already in use|TPU initialization failed: .*(?:busy|in use)",
            r"libtpu multi-process lockfile|Neuron ?Core\(s\) not available|UR_RESULT_ERROR_DEVICE_NOT_AVAILABLE",
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="device-lost",
        title="an accelerator has dropped out",
        why="The driver can no longer reach the device: a hardware fault, heat, power, or its link.",
        advice=(
            (
                "Look at the node's own log: dmesg | grep -i -E 'xid|amdgpu|hycu'; the device needs a reset or the "
                "node a restart."
            ),
            "Until then leave it out: CUDA_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES in server.env, or container.gpus.",
        ),
        log=texts(
            r"GPU is lost|NVMLError_GpuIsLost|has fallen off the bus|GPU requires reset|Reboot the system to recover",
            r"Unable to determine the device handle for (?:GPU|gpu)",
        ),
        strength=Strength.CERTAIN,
        needs_accelerator=True,
    ),
    Rule(
        id="accelerator-init-failed",
        title="the accelerator's runtime cannot be initialized",
        why=(
            "The runtime gave no reason: device nodes that are not mapped, a driver in a bad state, or a wrong "
            "choice of devices."
        ),
        advice=(
            "Try the vendor's tool in the same container: nvidia-smi, rocm-smi or hy-smi.",
            (
                "Check container.gpus and container.devices (NVIDIA without runtime: also /dev/nvidia-uvm), and "
                "CUDA_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES in server.env and container.env."
            ),
            "If it worked before, the driver may need a restart: dmesg on the node.",
        ),
        log=texts(
            r"Device acquire failed|Error: Unable to initialize backend '(?:tpu|cuda|rocm|xla)'",
            r"CUDA unknown error - this may be due to an incorrectly set up environment",
            r"Unexpected error from (?:cuda|hip)GetDeviceCount",
            r"Error (?:304: OS call failed|3: initialization error|101: invalid device ordinal|999: unknown error)",
            r"(?:CUDA|HIP) error: (?:initialization error|OS call failed|unknown error)",
            r"NVMLError_Unknown\b|NVML: Unknown Error",
        ),
        strength=Strength.SYMPTOM,
        needs_accelerator=True,
    ),
    Rule(
        id="blas-failed",
        title="the accelerator's BLAS library failed",
        why=(
            "Two versions of CUDA or ROCm are mixed, a kernel does not take these shapes, or no memory was left for "
            "its workspace; the status alone does not say which."
        ),
        advice=(
            (
                "Remove foreign toolkits from LD_LIBRARY_PATH in server.env and container.env, so that torch "
                "finds the "
                "libraries it came with."
            ),
            "Leave more memory free: lower server.flags.gpu-memory-utilization.",
            "Try server.flags.enforce-eager: true, and an image for the node's driver.",
        ),
        log=texts(r"(?P<status>(?:CU|HIP|ROC)BLAS_STATUS_[A-Z_]+)"),
        needs_accelerator=True,
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
            (
                r"(?:CUDA|HIP) driver error: (?:unspecified launch failure|an illegal|misaligned)"
                r"|NPU error: aicore exception"
            ),
            r"Memory access fault by GPU node",
            (
                r"(?:HIP|CUDA) error: (?:an illegal (?:memory access|instruction)|unspecified launch failure"
                r"|device-side assert|the launch timed out|misaligned address|invalid program counter)"
            ),
            (
                r"HSA_STATUS_ERROR_(?:EXCEPTION|MEMORY_APERTURE_VIOLATION|ILLEGAL_INSTRUCTION|MEMORY_FAULT)"
                r"|GPU core dump"
            ),
            (
                r"CUDA error: uncorrectable ECC error|(?:hip|cuda)ErrorECCNotCorrectable|hipErrorIllegalAddress"
                r"|hipErrorLaunchFailure|UR_RESULT_ERROR_DEVICE_LOST|an illegal memory access was encountered"
                r"|cudaError(?:IllegalAddress|MisalignedAddress|LaunchFailure|IllegalInstruction)"
            ),
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="cann-refused",
        title="CANN, the library of Ascend devices, refuses a call",
        why=(
            "The node's driver and firmware, the image's CANN and the chip have to fit together; the line with E and "
            "five digits after it says what is wrong."
        ),
        advice=(
            "Check npu-smi info inside the container, and that container.mounts brings in /usr/local/Ascend/driver.",
            "Use the image for this chip (some have -310p or -a3 in their tag) and the driver that its page names.",
            "Look for the first E or EZ line in the log and in /root/ascend/log of the container.",
        ),
        log=texts(
            r"NPU function error: .*error code is \d+|OPS function error: .*error code is \d+",
            r"ERR0[0-4]\d{3} (?:PTA|OPS|GRAPH|PROF) [a-z]|current CANN version (?:do|does) not support",
            r"The process exits for this inner error, and the current working operator name is",
            r"\bACL [\w ]{1,60} failed|Failed to find function acl\w+",
            r"call aclnn\w+ failed|\bE\w\d{4}: Inner Error|AclNN_\w+_Error\(E",
        ),
        needs_accelerator=True,
        strength=Strength.SYMPTOM,
    ),
)

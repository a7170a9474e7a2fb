"""Causes in several processes and devices: how the model is shared, and how the processes find each other."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
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
            r"heads\D* must be divisible by (?:the )?tensor(?:_| )(?:model_)?parallel(?:_| )size",
        ),
    ),
    Rule(
        id="sizes-not-divisible",
        title="a size of the model ({size}) cannot be shared among {count} devices",
        why=(
            "tensor-parallel-size must divide the sizes of the model's layers and of its vocabulary, not only its "
            "heads."
        ),
        advice=(
            "Set server.flags.tensor-parallel-size to a divisor of {size}, such as 1, 2, 4 or 8.",
            "Use more devices through server.flags.pipeline-parallel-size, or several servers.",
        ),
        log=texts(
            r"(?:AssertionError|ValueError): (?P<size>\d+) is not divisible by (?P<count>\d+)\.?$",
            (
                r"(?:hidden|intermediate|vocab)\w*[ _]size \(?(?P<size>\d+)\)? (?:is not"
                r"|must be) divisible by .*?(?P<count>\d+)"
            ),
        ),
    ),
    Rule(
        id="pipeline-unsupported",
        title="the model or this vLLM cannot be split into pipeline stages like that",
        why="pipeline-parallel-size needs a model whose layers can lie on different devices.",
        advice=(
            (
                "Set server.flags.pipeline-parallel-size to 1 and server.flags.tensor-parallel-size to the "
                "devices' number."
            ),
        ),
        log=texts(
            r"Pipeline parallelism is not supported for this model",
            r"(?:Error: |Value error, ).*[Pp]ipeline parallel\w* (?:is )?(?:only|not) (?:yet )?supported",
        ),
    ),
    Rule(
        id="expert-parallel-refused",
        title="the experts cannot be shared among the devices like that",
        why="enable-expert-parallel needs a model with experts, and numbers that fit the devices.",
        advice=(
            (
                "Remove server.flags.enable-expert-parallel, or correct server.flags.tensor-parallel-size and "
                "server.flags.data-parallel-size."
            ),
        ),
        log=texts(
            r"Number of experts in the model must be greater than 0 when expert parallelism is enabled",
            r"(?:Error: |Value error, ).*[Ee]xpert parallel\w* (?:is )?(?:only|not) (?:yet )?supported",
        ),
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
            r"hccl api failed|Hccl\w+ failed|HCCL function error",
            r"librccl\S* .*failed|Failed to load NCCL library",
        ),
    ),
    Rule(
        id="peer-access",
        title="the devices cannot read each other's memory",
        why=(
            "The custom all-reduce and NCCL's direct way need access from device to device, which the mainboard, the "
            "IOMMU, the virtual machine or the allocator's settings do not give here."
        ),
        advice=(
            "Set server.flags.disable-custom-all-reduce to true.",
            "If NCCL fails next: NCCL_P2P_DISABLE: 1 in server.env.",
            "Take expandable_segments out of PYTORCH_CUDA_ALLOC_CONF in server.env; check nvidia-smi topo -p2p r.",
        ),
        log=texts(
            r"custom_all_reduce\.(?:cuh|cu|hip|hpp):\d+",
            r"peer access is not supported between|ErrorPeerAccess\w+|ErrorTooManyPeers",
            r"NCCL WARN .*(?:P2P|p2p).*(?:failed|not supported|Cuda failure)",
        ),
        needs_accelerator=True,
    ),
    Rule(
        id="gloo-network",
        title="the server's processes cannot find each other over the network (gloo)",
        why=(
            "Gloo takes the address that the node's name stands for, or the interface that is named: a wrong "
            "name, an "
            "address that the others cannot reach, or a process that did not come."
        ),
        advice=(
            (
                "Name the interface (ip addr on the node): GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME in "
                "server.env; lo "
                "does for one node."
            ),
            "Set VLLM_HOST_IP in server.env to an address of this node, 127.0.0.1 for one node.",
            "With container.network: bridge the node's interfaces are not there; host has them.",
        ),
        log=texts(
            r"Gloo connectFullMesh failed|unsupported gloo device|Unable to resolve hostname to a \(local\) address",
            r"nable to find (?:address|interface) for:? ?\[?(?P<name>[\w.-]+)?|No such interface",
            r"unbound_buffer\.cc:\d+\].*Timed out waiting",
            r"NCCL WARN Bootstrap : no socket interface found|no socket interface found",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="rendezvous-timeout",
        title="not all processes of the server came together in time",
        why=(
            "One process waited for the others at a meeting point; they died, hang, are still loading, or look "
            "elsewhere."
        ),
        advice=(
            "Look in the log for the first error of another process: it may have died before.",
            (
                "On one node set VLLM_HOST_IP: 127.0.0.1 in server.env; on several check MASTER_ADDR, MASTER_PORT "
                "and firewalls."
            ),
            "Check that a proxy in container.env does not catch local addresses: NO_PROXY.",
        ),
        log=texts(
            r"Timed out after \d+ seconds waiting for clients\. \d+/\d+ clients joined",
            r"(?:wait|Socket) [Tt]imeout after \d+ ?ms|client socket has timed out after \d+",
            r"Error: The client socket has failed to connect to any network address",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="internal-port-taken",
        title="a port that the server's processes use among themselves is taken",
        why=(
            "It is not the port of the API: the processes of one server meet at ports of their own, and "
            "another server, "
            "or one that was left over, holds that one."
        ),
        advice=(
            "See by whom: ss -ltnp 'sport = :{port}'; a left-over engine (orch ps, orch down) has to end first.",
            "Choose others: VLLM_PORT: a free port, or MASTER_PORT where a launcher sets it, in server.env.",
            "With container.network: bridge each server has its own ports.",
        ),
        log=texts(
            r"server socket has failed to (?:listen on|bind to) .*port: (?P<port>\d+)",
            r"server socket has failed to bind to \S*:(?P<port>\d+)",
            r"server socket has failed to (?:listen on|bind to)",
            r"ZMQError: Address already in use(?: \(addr='tcp://\S*:(?P<port>\d+)')?",
        ),
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
    Rule(
        id="engine-start-timeout",
        title="the engine was not ready in the time that vLLM allows",
        why=(
            "Reading large weights from a slow disk or compiling took longer than the API server waits for its engine."
        ),
        advice=(
            "Let it wait: VLLM_ENGINE_READY_TIMEOUT_S: 3600 in server.env (up to 0.8: VLLM_RPC_TIMEOUT, in ms).",
            "Put the model on a fast local disk, or read it into the page cache before; raise health.deadline too.",
        ),
        log=texts(
            r"Timed out waiting for engine core process\w* to start",
            r"Did not receive response from front-end process within",
            r"TimeoutError: RPC Server didn't reply within",
        ),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="ray-cluster",
        title="the Ray cluster does not give what the server asks for",
        why="With Ray the workers run where Ray finds devices; it has not enough of them, or is not running.",
        advice=(
            "On one node do without Ray: server.flags.distributed-executor-backend: mp.",
            "See what Ray has: ray status; the devices must be visible to it (container.gpus, container.devices).",
            "Set VLLM_HOST_IP in server.env to the address by which Ray knows this node.",
        ),
        log=texts(
            (
                r"Cannot provide a placement group|Current node has no \w+ available"
                r"|Placement group .* is not (?:ready|placed)"
            ),
            (
                r"Could not find any running Ray instance|Failed to connect to (?:GCS|Ray)"
                r"|ray\.exceptions\.RaySystemError"
            ),
            (
                r"Every node should have a unique IP address|placement group.*(?:timed out|cannot be (?:created"
                r"|scheduled))"
            ),
        ),
    ),
)

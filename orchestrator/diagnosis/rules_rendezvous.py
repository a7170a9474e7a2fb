"""Causes in several processes: how those of one server find each other, wait for each other, and get lost."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
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
            r"ZMQError: (?:Cannot assign requested address|No such device|Invalid argument)",
            r"Error: \[Errno 99\] Cannot assign requested address",
            r"Gloo connectFullMesh failed|unsupported gloo device|Unable to resolve hostname to a \(local\) address",
            r"nable to find (?:address|interface) for:? ?\[?(?P<name>[\w.-]+)?|No such interface",
            r"unbound_buffer\.cc:\d+\].*Timed out waiting",
            r"NCCL WARN Bootstrap : no socket interface found|no socket interface found",
            r"Neither 127\.0\.0\.1 nor ::1 are bound",
        ),
        strength=Strength.SYMPTOM,
        raised=texts(
            r"/(?:torch/distributed|vllm/(?:utils|distributed|v1|executor))\S* → (?:\w+\.)*gaierror: ",
        ),
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
            r"RendezvousTimeoutError|RendezvousConnectionError",
            r"Timed out waiting \d+ms for (?:recv|send) operation to complete",
            r"Timed out after \d+ seconds waiting for clients\. \d+/\d+ clients joined",
            r"(?:wait|Socket) [Tt]imeout after \d+ ?ms|client socket has timed out after \d+",
            r"Error: The client socket has failed to connect to any network address",
            r"Barrier (?:departure )?timed out after|Failed to (?:signal barrier|broadcast barrier_id)",
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
            r"Could not find open port after",
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
            r"RayChannelTimeoutError|RAY_CGRAPH_get_timeout|GetTimeoutError: Get timed out",
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
            r"Timed out waiting for (?:new )?engine core process\w* to start",
            r"Did not receive response from front-end process within",
            r"TimeoutError: RPC Server didn't reply within",
            r"Timed out waiting for (?:new )?engines to send|Timed out after \S+s waiting for API server",
            r"Coordinator process failed to report ZMQ addresses",
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
                r"RuntimeEnvSetupError|ray\.exceptions\.(?:RpcError|NodeDiedError|ActorUnschedulableError"
                r"|ActorPlacementGroupRemoved|TaskUnschedulableError)"
            ),
            (
                r"Version mismatch: The cluster was started with|Placement group creation timed out"
                r"|Ray component \w+ is trying to use a port"
            ),
            r"The current node timed out during startup|ray client connection timeout|LocalRayletDiedError",
            (
                r"Cannot provide a placement group|Current node has no \w+ available|Ray does not allocate any \w+ on"
                r"|No \w+ found in Ray cluster|Not enough resources to allocate|enough \w+ available in a current node"
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
            r"RayPPCommunicator has no GPUs",
            r"Missing node affinity in placement bundle",
            r"current platform \S+ does not support ray",
            r"No nodes with resources found in Ray|The DP master node \(ip|Error: Nodes are not homogen",
            r"Not enough total available nodes",
            r"is smaller than the maximum number of devices per node",
            r"DP placement groups, expected",
            r"must be a multiple of number of devices per node|data-parallel-size-local \S+ should be set as",
        ),
        raised_in=(
            "/ray_utils.py",
            "/ray_executor",
            "/ray_distributed_executor",
        ),
    ),
    Rule(
        id="data-parallel-mismatch",
        title="the servers that are to work together (data parallel) were started differently",
        why="All of them must run the same vLLM with the same model and flags, but for rank and address.",
        advice=(
            "Give all the same server.flags, server.env and container.image; only data-parallel-rank may differ.",
            "Give --headless to all but the first, and to none with data-parallel-external-lb or -hybrid-lb.",
        ),
        log=texts(
            r"Configuration mismatch detected for engine|must have identical configurations for",
            r"Remote engine \S+ must (?:not )?use --headless|Message from engine with unexpected data parallel rank",
            r"Unexpected or duplicate engine: ",
        ),
    ),
)

"""How vLLM and what it stands on word errors: which words point elsewhere, end a process, or are gone over.

Sources: log statements of vLLM 0.8.5 to 0.33, of uvicorn, Ray and torch, and public reports of failed starts.
"""

from __future__ import annotations

import re

WRAPPERS = re.compile(
    r"Engine core initialization failed|EngineCore failed to start|EngineCore encountered (?:a fatal error|an issue)"
    r"|Engine process (?:failed to start|\(pid \d+\) died)|Engine loop (?:has died|is not running)"
    r"|Background loop (?:has errored already|is stopped)|Engine background task failed|NoneType: None$"
    r"|WorkerProc (?:initialization failed|failed to start|hit an exception|failed\.|was terminated)"
    r"|Worker failed with error |Worker proc \S+ died unexpectedly|Worker VllmWorkerProcess pid \d+ died"
    r"|Error executing method |Exception in worker \w+ while processing method|Executor failed\.|EngineDeadError"
    r"|Frontend process failed during engine core initialization|Failed core proc\(s\)|Failed frontend proc\(s\)"
    r"|Exception in ASGI application|Task exception was never retrieved|Exception ignored in|Application startup failed"
    r"|AsyncLLM output_handler failed|Invocation of \w+ method failed|Process group watchdog thread terminated"
    r"|RayTaskError|ProcessRaisedException|ProcessExitedException|DestroyProcessGroup|Future exception was never"
    r"|Dumping (?:input data|scheduler output|scheduler stats)"
    r"|Engine(?:Core)? (?:client )?(?:process )?died unexpectedly|Engine core proc \S+ died unexpectedly"
    r"|[Gg]ot fatal signal from worker processes|Exception in thread |Exception in callback |unhandled exception"
    r"|Error raised in subprocess|Error in inspecting model architecture|failed to be inspected"
    r"|Ninja build failed|Error building extension|CalledProcessError\b"
    r"|Shutting down because of|Error in [Ee]ngine|[Ff]ailed to initialize (?:the )?engine\b"
    r"|DP Coordinator process failed|Process \S+ \(PID: \d+\) died with exit code|Input socket thread died during"
    r"|API server (?:process )?\S+ (?:exited \(code=|closed its address pipe)"
    r"|Traceback \(most recent call last\)|ExceptionGroup\b"
    r"|Ray (?:task|actor) \w* ?(?:failed|died)|ActorDiedError|WorkerCrashedError"
)
"""Messages that say that another process, or an earlier error, is the cause."""
_CONSEQUENCES = re.compile(
    r"(?:\w+\.){0,8}(?:SystemExit|StopIteration|KeyboardInterrupt|CancelledError|BrokenPipeError|EOFError|GeneratorExit"
    r"|ConnectionAbortedError|ConnectionResetError|ConnectionRefusedError|ZMQError|DistNetworkError|DistStoreError"
    r"|RayChannelError|IncompleteReadError|ProcessLookupError|ChildProcessError)\b"
    r"|\d{1,3}$|RuntimeError: cancelled$|(?:\w+\.){0,3}(?:Cancelled|Timeout)Error(?:$| at: )"
    r"|(?:_?queue\.)?Empty(?:$| at: )"
    r"|(?:Runtime|Assertion|Value)Error: .*(?:[Ee]vent loop is closed|[Ee]xecutor (?:has been|is) shut ?down"
    r"|after shutdown)"
    r"|.*(?:Connection reset by peer|Connection closed by peer|Broken pipe|Socket operation on non-socket"
    r"|remote process exited or there was a network error|Did the remote server shutdown or crash"
    r"|Bad file descriptor|Engine is (?:dead|shut ?down))"
)
_OWN = re.compile(
    r"EADDRINUSE|already in use|failed to (?:bind|listen)|[Tt]imed out|waiting for clients|Ran out of input"
    r"|ZMQError: (?:Cannot assign|No such|Invalid arg|Permission denied|Too many|File name too long|Protocol not)"
)
"""Words of such errors that have a reason of their own."""
DEATHS = re.compile(
    r"Engine core initialization failed|EngineCore failed to start|EngineCore encountered (?:a fatal error|an issue)"
    r"|Engine process (?:failed to start|\(pid \d+\) died)|Engine loop (?:has died|is not running)"
    r"|Background loop has errored already|WorkerProc (?:initialization failed|failed to start|hit an exception)"
    r"|Worker failed with error |Worker proc \S+ died unexpectedly|Worker VllmWorkerProcess pid \d+ died"
    r"|Error executing method |Exception in worker \w+ while processing method|EngineDeadError|MQEngineDeadError"
    r"|Failed core proc\(s\)|(?:Engine|EngineCore|core proc).* died unexpectedly|Executor failed\."
    r"|[Gg]ot fatal signal from worker processes|Application startup failed"
    r"|Watchdog caught collective operation timeout"
    r"|Process group watchdog thread terminated|ActorDiedError|WorkerCrashedError|MQLLMEngine is already dead"
    r"|[Bb]ackground task failed|AsyncEngineDeadError|Background loop is stopped|error while attempting to bind"
)
"""Signs in the log that a process of the server has died of itself."""
SURVIVED = re.compile(
    r"Exception in ASGI application|Task exception was never retrieved|Future exception was never|Exception ignored in"
    r"|[Cc]hat template warmup failed|warmup failed\b.*(?:continu|skip|ignor)|Invocation of \w+ method failed"
    r"|Error in (?:preprocessing|applying chat template|generating|processing|chat completion|completion"
    r"|handling request"
    r"|tokeniz|detokeniz|render|reasoning|tool)|Error (?:preprocessing|extracting tool call|trying to handle streaming)"
    r"|Error in (?:reasoning|extracting|\w+ (?:tool|reasoning) parser)"
    r"|Unexpected error pre-?processing request|Error while (?:processing|handling) request|Request \S+ failed"
    r"|[Ff]ailed to (?:collect|send|report|push|export|write) (?:usage|telemetry|metrics|stats|traces)|usage_lib"
    r"|usage stat"
    r"|[Rr]etrying\b|\b[Rr]etries left|will retry|falling back|[Ff]alls? back to|ignored?\b.*continu|continuing without"
    r"|Error retrieving (?:file|safetensors)|Error (?:fetching|downloading) .*(?:version|stats|metadata)"
)
"""What vLLM logs as an error and goes on: a request that it answers with an error, a thread beside it, a retry."""
BESIDE = re.compile(r"Exception in thread |Exception in callback |Logging error|--- Logging error ---")
"""An error of a thread or callback: it ends the server seldom, and by another error then."""
ASIDE = re.compile(r"usage|telemetry|_report_|tqdm|monitor|heartbeat", re.IGNORECASE)
"""Names of threads that never end a server."""
DEADLY_OPENINGS = re.compile(
    r"EngineCore (?:failed to start|encountered a fatal error|hit an exception)|WorkerProc (?:failed to start"
    r"|hit an exc)"
    r"|Error executing method |Exception in worker \w+ while processing method|Engine process failed|Process \S+:$"
    r"|Error in inspecting model architecture|Error raised in subprocess|(?:terminated|died) with the following error"
    r"|Application startup failed|Executor failed|Engine core .*failed|[Bb]ackground task failed"
    r"|Worker \S* ?(?:failed|hit an)"
)
"""What stands before the traceback of an error that ends its process."""
SHUTDOWN = re.compile(
    r"^Shutting down$|^Waiting for application shutdown|^Application shutdown complete"
    r"|Shutting down FastAPI HTTP server"
    r"|\[shutdown\] API server: shutdown triggered|Received (?:signal|SIGTERM|SIGINT)|[Ss]hutdown requested"
    r"|^orch: the server's (?:owner is gone|time is up)|Gracefully stopping|Keyboard ?[Ii]nterrupt received"
)
"""What a server says when it is asked to end; what follows comes of that."""
SUPERVISOR = re.compile(r"^orch: ")
"""What orch's own supervisor writes."""
ENGINE_SIDE = re.compile(
    r"(?:vllm|ray)?_?worker|engine|spawnprocess|forkprocess|process-|rank\d|ray::|raylet|pid="
    r"|ServeReplica",
    re.IGNORECASE,
)
"""Names of processes that hold or run the model."""
USAGE = re.compile(r"(?:[\w./-]+ ){1,4}?error: \S|(?:[\w./-]+ ){0,3}[\w./-]+: error: \S")
"""How argparse refuses."""
NATIVE = re.compile(
    r"Fatal Python error|Segmentation fault|Bus error|Illegal instruction|Aborted|terminate called |Floating point exce"
    r"|Memory access fault|.{0,200}symbol lookup error: |double free|corrupted |env: |exec: |\[?FATAL|panic:"
    r"|Fatal glibc error"
    r"|\w{1,40}\(\): (?:invalid|corrupted|unaligned|double|memory)|free\(\): |malloc\(\): |pure virtual method called"
    r"|\*\*\* (?:SIG(?!TERM|INT)\w+|stack smashing|Aborted)|!{3,} ?(?:Segfault|\w+ encountered)|Assertion .* failed"
    r"|.{1,300}: Assertion [`']|thread '.{1,80}' panicked at|Failed: (?:Cuda|CUDA|HIP|Hip|NCCL|RCCL)"
    r"|\w{0,20}(?:CUDA|HIP|NCCL|RCCL|BLAS|blas|DNN|MIOpen|HSA|hsa)\w{0,12}(?:\(\w+\))?:? .{0,60}\b[Ee]rror\b"
    r"|HSA_STATUS_ERROR|:[01]:[\w.]{1,60} *: *\d+ *: .*(?:[Ff]ault|[Aa]bort|[Ee]rror|[Cc]annot)|GPU core dump"
    r"|what\(\): "
    r"|.{0,80}pthread_create failed|error while loading shared libraries|.{1,200}: error while loading shared libraries"
    r"|.{1,200} line \d+: +\d+ (?:Aborted|Segmentation|Bus error|Illegal|Floating)|LLVM ERROR|Intel MKL FATAL"
    r"|OMP: Error|libgomp: |ERROR; return code from pthread_create|\S{1,60} fault by GPU"
)
"""How compiled code, the C library and the shell say that a process ends; at the beginning of a line."""
TROUBLE = re.compile(
    r"(?:[Ee]rror|ERROR|[Ff]ailed|FAILED|[Cc]annot|denied|not permitted)\b|not found$|\bline \d+: |No space left"
    r"|\bKilled$"
)
"""Words of trouble anywhere in a line that has no level."""
BUILDS = re.compile(
    r"CalledProcessError|Ninja build failed|Error building extension|C\+\+ compile error|CppCompileError|CompileError"
    r"|InductorError|BackendCompilerFailed|\bbuild \[.*failed|JIT compil\w+ failed|[Ff]ailed to (?:compile|build)\b"
)
"""Errors that only say that a compiler has failed."""
COMPILER_ERRORS = re.compile(
    r"(?:nvcc|ptxas|nvlink|hipcc|clang\S*|gcc|g\+\+|cc1plus|lld)\s*(?:fatal|:)? *:? *(?:fatal )?(?:error|fatal)\b"
    r"|nvcc fatal|[^\s:]+:\d+(?::\d+)?: (?:fatal )?error: |[^\s:]+\(\d+\): (?:fatal )?error\b|^(?:fatal )?error: "
    r"|\bld(?:\.\w+)?: (?:cannot find|error|\S.*undefined)|undefined reference to|collect2: error|ninja: error: "
    r"|(?:^|[\s/:])(?:nvcc|hipcc|clang|clang\+\+|gcc|g\+\+|cc|c\+\+|ninja|cmake): (?:command )?not found$"
)
"""The lines of a compiler or linker that say what is wrong."""
STEP_ERRORS = re.compile(
    rf"{COMPILER_ERRORS.pattern}|: (?:command )?not found$|No such file or directory$|Permission denied$|Killed$"
)
"""The same among the output of a step that is known to have failed."""
QUOTED = re.compile(
    r"Worker failed with error (?:%s, please [^'\"]{0,120}['\"], ['\"](?P<late>.+?)['\"]?\)?$|'(?P<one>.+?)', please"
    r"|\"(?P<two>.+?)\", please|['\"]?(?P<rest>[^%].+))"
)
"""The engine core's words for what a worker raised; the worker's message stands in quotes."""
QUOTE_END = "please check the stack trace"
"""What follows the quotes, in the same line or some lines below."""


def is_consequence(text: str) -> bool:
    """Say whether an error is one that a process raises because another one has gone."""
    return bool(_CONSEQUENCES.match(text)) and not _OWN.search(text)

"""Causes in processes: instructions, signals, and the death of the engine's own processes."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="illegal-instruction",
        title="the image's code uses instructions that this CPU does not have",
        why="It was compiled for a newer CPU (AVX-512, for instance).",
        advice=(
            "Use an image for this CPU; see its features: lscpu",
            (
                "On a CPU-only vLLM: the distribution vllm must have a version with cpu in it, else the wrong "
                "kernels are loaded."
            ),
        ),
        log=texts(
            r"(?:^|: |\d )Illegal instruction\b",
            r"Failed core proc\(s\): \{.*: -4\b|\(exit code:? -4\)|exit code: -4\b",
        ),
        exit_codes=(132,),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="segmentation-fault",
        title="a process crashed (segmentation fault)",
        why="Compiled code went wrong: libraries that do not fit together, a defect in a kernel, or a bad device.",
        advice=(
            "Read the lines before it in the log; Fatal Python error shows where each thread was.",
            "Use the image unchanged, without packages added to it; try server.flags.enforce-eager: true.",
        ),
        log=texts(
            r"(?:^|: |\d )Segmentation fault\b|Segfault encountered|SIGSEGV",
            r"Failed core proc\(s\): \{.*: -11\b|\(exit code:? -11\)|exit code: -11\b",
        ),
        exit_codes=(139,),
    ),
    Rule(
        id="owner-gone",
        title="orch's supervisor stopped the server",
        why="The orch that owned it is gone, or its time to live was over.",
        advice=(
            (
                "Start it again; a deployment that is to outlive its command: orch up, without a --ttl that is too "
                "short."
            ),
        ),
        log=texts(r"orch: the server's (?:owner is gone|time is up), stopping it"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="killed-from-outside",
        title="a process of the server was killed (SIGKILL)",
        why=(
            "Somebody ended it by force: docker kill, a process manager, or the kernel when the node ran out of memory."
        ),
        advice=(
            "See whether it was for memory: dmesg | grep -i -E 'oom|killed process' on the node.",
            "If so, free memory on the node or raise container.memory.",
        ),
        log=texts(r"Failed core proc\(s\): \{.*: -9\b|died unexpectedly \(exit code:? -9\)|died, exit code: -9\b"),
        exit_codes=(137,),
    ),
    Rule(
        id="ended-from-outside",
        title="the server was asked to end (SIGTERM)",
        why="Somebody stopped the container or the process: docker stop, a process manager, a shutdown of the node.",
        advice=("See who: docker events --since 1h, and the node's own log.",),
        strength=Strength.SYMPTOM,
        log=texts(
            r"^KeyboardInterrupt(?:: terminated)?$|^SystemExit: (?:15|143|130|2)$|\*\*\* SIG(?:TERM|INT) received at"
        ),
        quiet=texts(r"\[shutdown\] API server: shutdown triggered|Shutting down FastAPI HTTP server"),
        exit_codes=(143, 130),
        served_exit_codes=(0,),
    ),
    Rule(
        id="aborted",
        title="a process ended itself after an error in compiled code (abort)",
        why="A library found something that it cannot go on with; the line before says what.",
        advice=(
            "Read the lines before it in the log.",
            "Set NCCL_DEBUG: INFO in server.env if it happened between devices.",
        ),
        log=texts(
            (
                r"(?:^|: |\d )Aborted\b|terminate called (?:after throwing|without)"
                r"|Failed core proc\(s\): \{.*: -6\b|exit code: -6\b"
            ),
        ),
        exit_codes=(134,),
        strength=Strength.SYMPTOM,
    ),
    Rule(
        id="engine-died",
        title="a process of vLLM's engine died",
        why=(
            "The API server found its engine core or a worker gone. vLLM then ends with exit code 0, so the code "
            "says nothing."
        ),
        advice=(
            "Read the log from the first line of the engine core's or the worker's trouble.",
            (
                "A process that vanishes without a word was most often killed for memory: dmesg | grep -i oom on "
                "the node."
            ),
        ),
        log=texts(
            (
                r"EngineDeadError|AsyncEngineDeadError|EngineCore encountered (?:an issue|a fatal error)"
                r"|EngineCore.* died unexpectedly"
            ),
            r"Engine process \(pid \d+\) died|Engine loop has died",
            r"Worker proc \S+ died unexpectedly|Worker VllmWorkerProcess pid \d+ died",
            (
                r"[Ee]ngine (?:process|loop) (?:is not running|has died|died)|MQLLMEngine is already dead"
                r"|Engine process failed to start"
            ),
            r"Engine core initialization failed|No heartbeat received from MQLLMEngine",
            r"DP Coordinator process failed during startup|Frontend process failed during engine core init",
            r"API server (?:process )?\S+ (?:exited \(code=\S+\) before|closed its address pipe)",
            r"Input socket thread died",
            r"Process \S+ \(PID: \d+\) died with exit code",
            r"Ray workers have not started successfully|DPSupervisor exited before",
        ),
        strength=Strength.SYMPTOM,
    ),
)

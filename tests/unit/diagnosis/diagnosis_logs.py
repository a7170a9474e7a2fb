"""Logs in the forms of many versions of vLLM: how each writes a start, an error of a worker, its echoes, a healthy life.

The forms are those of the releases' log statements; models, paths, numbers and errors are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = "Traceback (most recent call last):"
SITE = "/opt/serving/lib/python3.11/site-packages"


@dataclass(frozen=True)
class Form:
    """How one generation of vLLM writes."""

    name: str
    banner: str
    api: str
    """Prefix of the API server's lines."""
    core: str
    """Prefix of the engine core's lines."""
    worker: str
    """Prefix of the lines of the worker with rank 2."""
    worker_name: str
    core_name: str
    """Process that the diagnosis is to name for the engine core's lines."""
    worker_file: str
    core_file: str
    worker_opening: str
    core_opening: str
    core_says: str
    """What the engine core raises after a worker has failed at the start."""
    core_process: str
    """The line before the engine core's last traceback; empty if there is none."""
    api_says: str
    """What the API server raises in the end."""
    stamp: str = "03-17 08:41:22"

    def at(self, prefix: str, level: str, file: str, *messages: str) -> list[str]:
        return [f"{prefix}{level} {self.stamp} [{file}] {message}" for message in messages]


V0 = Form(
    "0.8.5-V0",
    "INFO 03-17 08:40:02 [api_server.py:1043] vLLM API server version 0.8.5",
    "",
    "",
    "(VllmWorkerProcess pid=418) ",
    "VllmWorkerProcess",
    "engine process",
    "multiproc_worker_utils.py:238",
    "engine.py:448",
    "Exception in worker VllmWorkerProcess while processing method init_device.",
    "",
    "",
    "Process SpawnProcess-1:",
    "RuntimeError: Engine process failed to start. See stack trace for the root cause.",
)
V085 = Form(
    "0.8.5-V1",
    "INFO 03-17 08:40:02 [api_server.py:1043] vLLM API server version 0.8.5.post1",
    "",
    "",
    "(VllmWorker rank=2 pid=431) ",
    "VllmWorker rank=2",
    "EngineCore",
    "multiproc_executor.py:435",
    "core.py:396",
    "WorkerProc failed to start.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore_0:",
    "Exception: Engine core initialization failed. See root cause above.",
)
V09 = Form(
    "0.9.2",
    "INFO 03-17 08:40:02 [api_server.py:1395] vLLM API server version 0.9.2",
    "",
    "",
    "(VllmWorker rank=2 pid=431) ",
    "VllmWorker rank=2",
    "EngineCore",
    "multiproc_executor.py:487",
    "core.py:586",
    "WorkerProc failed to start.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore_0:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
)
V010 = Form(
    "0.10.1",
    "(APIServer pid=32) INFO 03-17 08:40:02 [api_server.py:1787] vLLM API server version 0.10.1.1",
    "(APIServer pid=32) ",
    "(APIServer pid=32) (EngineCore_0 pid=296) ",
    "(APIServer pid=32) (EngineCore_0 pid=296) (VllmWorker TP2 pid=304) ",
    "VllmWorker TP2",
    "EngineCore_0",
    "multiproc_executor.py:559",
    "core.py:700",
    "WorkerProc failed to start.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore_0:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
)
V012 = Form(
    "0.12-dp",
    "(APIServer pid=32) INFO 03-17 08:40:02 [api_server.py:1977] vLLM API server version 0.12.0",
    "(APIServer pid=32) ",
    "(EngineCore_DP1 pid=201) ",
    "(EngineCore_DP1 pid=201) (Worker_DP1_TP2_EP6 pid=307) ",
    "Worker_DP1_TP2_EP6",
    "EngineCore_DP1",
    "multiproc_executor.py:772",
    "core.py:868",
    "WorkerProc hit an exception.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore_DP1:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore_DP1': 1}",
)
V016 = Form(
    "0.16",
    "(APIServer pid=32) INFO 03-17 08:40:02 [utils.py:293]        █     █     █▄   ▄█\n"
    "(APIServer pid=32) INFO 03-17 08:40:02 [utils.py:293]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.16.0",
    "(APIServer pid=32) ",
    "(EngineCore_DP0 pid=201) ",
    "(Worker pid=307) (Worker_PP1_TP2 pid=307) ",
    "Worker_PP1_TP2",
    "EngineCore_DP0",
    "multiproc_executor.py:852",
    "core.py:1006",
    "WorkerProc failed to start.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore_DP0:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
)
V024 = Form(
    "0.24",
    "(APIServer pid=7) INFO 03-17 08:40:02 [api_utils.py:347]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.24.1",
    "(APIServer pid=7) ",
    "(EngineCore pid=201) ",
    "(Worker_TP2 pid=307) ",
    "Worker_TP2",
    "EngineCore",
    "multiproc_executor.py:903",
    "core.py:1165",
    "WorkerProc failed to start.",
    "EngineCore failed to start.",
    "Exception: WorkerProc initialization failed due to an exception in a background process. "
    "See stack trace for root cause.",
    "Process EngineCore:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
)
RAY = Form(
    "0.11-ray",
    "(APIServer pid=32) INFO 03-17 08:40:02 [api_server.py:1839] vLLM API server version 0.11.0",
    "(APIServer pid=32) ",
    "(EngineCore_DP0 pid=201) ",
    "(EngineCore_DP0 pid=201) (RayWorkerWrapper pid=1307, ip=10.44.0.7) ",
    "RayWorkerWrapper",
    "EngineCore_DP0",
    "worker_base.py:620",
    "core.py:708",
    "Error executing method 'init_device'. This might cause deadlock in distributed execution.",
    "EngineCore failed to start.",
    "",
    "Process EngineCore_DP0:",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
)
FORMS = (V0, V085, V09, V010, V012, V016, V024, RAY)


def frames(*functions: str) -> list[str]:
    return [
        line
        for number, function in enumerate(functions, 41)
        for line in (f'  File "{SITE}/vllm/part_{number}.py", line {number * 7}, in {function}', f"    step_{number}()")
    ]


def logged(form: Form, prefix: str, file: str, opening: str, error: list[str], *functions: str) -> list[str]:
    """A traceback as vLLM's logger writes it."""
    lines = [*([opening] if opening else []), HEADER, *frames(*(functions or ("worker_main", "init_device"))), *error]
    return form.at(prefix, "ERROR", file, *lines)


def uncaught(prefix: str, error: list[str], *functions: str) -> list[str]:
    """A traceback as Python writes it when a process ends by it."""
    return [f"{prefix}{line}" for line in (HEADER, *frames(*functions), *error)]


def start(form: Form) -> list[str]:
    """A start up to the weights."""
    return [
        "INFO 03-17 08:40:00 [__init__.py:239] Automatically detected platform rocm.",
        *form.banner.split("\n"),
        *form.at(form.api, "INFO", "utils.py:326", "non-default args: {'model': '/srv/models/heron-32b'}"),
        *form.at(
            form.api, "WARNING", "config.py:88", "failed to read the tuned table, using the default. This is slow"
        ),
        *form.at(form.core, "INFO", "core.py:58", "Initializing a V1 LLM engine (v0) with config: model='heron-32b'"),
        *form.at(form.worker, "INFO", "pynccl.py:69", "vLLM is using nccl==2.21.5"),
        *form.at(form.worker, "INFO", "gpu_model_runner.py:1875", "Starting to load model /srv/models/heron-32b..."),
    ]


def echoes(form: Form, error: list[str]) -> list[str]:
    """What the engine core and the API server say after a worker has failed at the start."""
    from_core = [form.core_says] if form.core_says else error
    core = logged(form, form.core, form.core_file, form.core_opening or error[0], from_core, "run_engine_core")
    process = f"{form.core}{form.core_process}"
    return [
        *core,
        process,
        *uncaught(form.core, from_core, "_bootstrap", "run", "run_engine_core"),
        *uncaught(form.api, [form.api_says], "<module>", "main", "run_server"),
    ]


def failed_start(form: Form, error: list[str], before: list[str] | None = None) -> list[str]:
    """A start that ended because the worker with rank 2 raised an error."""
    worker = logged(form, form.worker, form.worker_file, form.worker_opening, error)
    return [*start(form), *(before or []), *worker, *echoes(form, error)]


def ready(form: Form) -> list[str]:
    """The last lines of a start, and a first request."""
    return [
        *form.at(
            form.core, "INFO", "core.py:193", "init engine (profile, create kv cache, warmup model) took 31.2 seconds"
        ),
        *form.at(form.api, "INFO", "api_server.py:1090", "Starting vLLM API server 0 on http://0.0.0.0:8017"),
        f"{form.api}INFO:     Started server process [7]",
        f"{form.api}INFO:     Waiting for application startup.",
        f"{form.api}INFO:     Application startup complete.",
        f'{form.api}INFO:     10.3.0.9:51022 - "POST /v1/completions HTTP/1.1" 200 OK',
    ]


def shutdown(form: Form) -> list[str]:
    """How a server ends that is asked to."""
    return [
        f"{form.api}INFO:     Shutting down",
        f"{form.api}INFO:     Waiting for application shutdown.",
        f"{form.api}INFO:     Application shutdown complete.",
        *form.at(
            form.core,
            "ERROR",
            "core_client.py:605",
            "Engine core proc EngineCore_DP0 died unexpectedly, shutting down client.",
        ),
        *uncaught(
            form.worker, ["torch.distributed.DistNetworkError: The client socket has closed"], "_bootstrap", "run"
        ),
    ]


def healthy(form: Form, survived: list[str] | None = None, later: list[str] | None = None) -> list[str]:
    """A server that was started, measured, and was well all the time, whatever it logged."""
    return [*start(form), *(survived or []), *ready(form), *(later or [])]

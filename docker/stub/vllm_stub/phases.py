"""The lines that mark each phase of vLLM's start, for every emulated style."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_stub.style import Style

# (origin, where, text). Origins: the logger of the process api, core or worker; uvicorn writes to stderr.
# {…} is filled from the serve configuration.
Line = tuple[str, str, str]
_CONCURRENCY = "Maximum concurrency for {length:,} tokens per request: {concurrency:.2f}x"
_GRAPHS = "Graph capturing finished in {graphs:.0f} secs, took 0.21 GiB"
_INIT = "init engine (profile, create kv cache, warmup model) took {warm:.2f} seconds"
_LOGO = (
    "",
    "       █     █     █▄   ▄█",
    " ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version}",
    "  █▄█▀ █     █     █     █  model   {model}",
    "   ▀▀  ▀▀▀▀▀ ▀▀▀▀▀ ▀     ▀",
    "",
)
_OLD: dict[str, tuple[Line, ...]] = {
    "platform": (("api", "__init__.py:239", "Automatically detected platform rocm."),),
    "api": (
        ("api", "api_server.py:1043", "vLLM API server version {version}"),
        ("api", "api_server.py:1044", "args: Namespace(model_tag='{model}', port={port}, argv={argv})"),
    ),
    "engine": (
        ("api", "config.py:717", "Defaulting to use mp for distributed inference"),
        ("core", "core.py:58", "Initializing a V1 LLM engine (v{version}) with config: model='{model}'"),
        ("worker", "pynccl.py:69", "vLLM is using nccl==2.18.3"),
    ),
    "load": (("worker", "gpu_model_runner.py:1329", "Starting to load model {model}..."),),
    "weights": (
        ("worker", "loader.py:458", "Loading weights took {loaded:.2f} seconds"),
        ("worker", "gpu_model_runner.py:1347", "Model loading took 1.1240 GiB and {loaded:.6f} seconds"),
    ),
    "compile": (
        ("worker", "backends.py:430", "Dynamo bytecode transform time: 0.42 s"),
        ("worker", "monitor.py:33", "torch.compile takes 0.42 s in total"),
    ),
    "memory": (
        ("core", "kv_cache_utils.py:634", "GPU KV cache size: {kv:,} tokens"),
        ("core", "kv_cache_utils.py:637", _CONCURRENCY),
    ),
    "graphs": (("worker", "gpu_model_runner.py:1686", _GRAPHS),),
    "init": (("core", "core.py:159", _INIT),),
    "http": (
        ("api", "api_server.py:1090", "Starting vLLM API server on http://{host}:{port}"),
        ("api", "launcher.py:28", "Available routes are:"),
        ("api", "launcher.py:36", "Route: /health, Methods: GET"),
        ("api", "launcher.py:36", "Route: /v1/completions, Methods: POST"),
        ("uvicorn", "", "INFO:     Started server process [{pid}]"),
        ("uvicorn", "", "INFO:     Waiting for application startup."),
    ),
    "ready": (("uvicorn", "", "INFO:     Application startup complete."),),
}
_V0: dict[str, tuple[Line, ...]] = {
    **_OLD,
    "engine": (
        (
            "api",
            "llm_engine.py:240",
            "Initializing a V0 LLM engine (v{version}) with config: model='{model}'",
        ),
        ("worker", "pynccl.py:69", "vLLM is using nccl==2.18.3"),
    ),
    "load": (("worker", "model_runner.py:1108", "Starting to load model {model}..."),),
    "compile": (),
    "memory": (
        ("worker", "worker.py:287", "Memory profiling takes 0.42 seconds"),
        ("core", "executor_base.py:112", "# rocm blocks: {blocks}, # CPU blocks: 2048"),
        ("core", "executor_base.py:117", _CONCURRENCY.replace(":,", "")),
    ),
    "graphs": (("worker", "model_runner.py:1592", _GRAPHS),),
    "init": (("core", "llm_engine.py:437", _INIT),),
}
_NEW: dict[str, tuple[Line, ...]] = {
    **_OLD,
    "api": (
        *(("api", "api_utils.py:347", line) for line in _LOGO),
        ("api", "api_utils.py:286", "non-default args: {{'model_tag': '{model}', 'argv': {argv}}}"),
    ),
    "engine": (
        ("api", "model.py:2152", "Using max model len {length}"),
        ("core", "core.py:133", "Initializing a V1 LLM engine (v{version}) with config: model='{model}'"),
        ("worker", "pynccl.py:111", "vLLM is using nccl==2.27.5"),
    ),
    "weights": (
        ("worker", "default_loader.py:501", "Loading weights took {loaded:.2f} seconds"),
        ("worker", "gpu_model_runner.py:3905", "Model loading took 1.12 GiB memory and {loaded:.6f} seconds"),
    ),
    "compile": (
        ("worker", "backends.py:643", "Dynamo bytecode transform time: 0.42 s"),
        ("worker", "monitor.py:34", "torch.compile took 0.42 s in total"),
    ),
    "memory": (
        ("worker", "gpu_worker.py:356", "Available KV cache memory: 20.11 GiB"),
        ("core", "kv_cache_utils.py:2327", "GPU KV cache size: {kv:,} tokens, " + _CONCURRENCY),
    ),
    "init": (("core", "core.py:402", _INIT.replace("seconds", "s")),),
    "http": (("api", "entry.py:140", "Starting vLLM server on http://{host}:{port}"), *_OLD["http"][1:]),
}


def lines_of(phase: str, style: Style) -> tuple[Line, ...]:
    """The lines of `phase` as `style` writes them, to be filled with `str.format`."""
    return (_NEW if not style.old else _V0 if style.engine == "v0" else _OLD)[phase]

"""F2: each known cause says what to do with the profile's own keys, and its texts are not those of something else."""

from __future__ import annotations

import pytest
from diagnosis_fixtures import FIXTURES, Fixture

from orchestrator.diagnosis import Evidence, diagnose

WITH_ADVICE = [fixture for fixture in FIXTURES if "advice" in fixture.head]
BANNER = "INFO 03-02 10:00:00 [api_server.py:1839] vLLM API server version 0.11.2"


def by_name(fixture: Fixture) -> str:
    return fixture.name


@pytest.mark.parametrize("fixture", WITH_ADVICE, ids=by_name)
def test_the_advice_for_a_failure_names_the_way_out(fixture: Fixture) -> None:
    assert fixture.head["advice"] in " ".join(diagnose(fixture.evidence).advice)


def test_causes_that_were_composed_are_known_in_the_forms_of_two_versions() -> None:
    forms: dict[str, set[str]] = {}
    for fixture in WITH_ADVICE:
        forms.setdefault(fixture.cause, set()).add(fixture.head["source"].rpartition(" ")[2])
    older = {fixture.cause for fixture in FIXTURES if "advice" not in fixture.head}
    assert [cause for cause, versions in forms.items() if len(versions) < 2 and cause not in older] == []


@pytest.mark.parametrize(
    "line",
    [
        "sh: 1: lspci: not found",
        "/bin/sh: 1: hy-smi: not found",
        "/opt/vendor/env.sh: line 12: lsmod: command not found",
        (
            "WARNING 03-02 10:00:01 [system_utils.py:255] Found ulimit of 20000 and failed to automatically increase "
            "with error current limit exceeds maximum limit. This can cause fd limit errors like `OSError: [Errno 24] "
            "Too many open files`. Consider increasing with ulimit -n"
        ),
        (
            "WARNING 03-02 10:00:01 [arg_utils.py:1658] Speculative Decoding is not supported by the V1 Engine. "
            "Falling back to V0."
        ),
        (
            "WARNING 03-02 10:00:01 [custom_all_reduce.py:137] Custom allreduce is disabled because your platform "
            "lacks GPU P2P capability or P2P test failed."
        ),
        "INFO 03-02 10:00:01 [importing.py:53] Triton module has been replaced with a placeholder.",
        "INFO 03-02 10:00:01 [__init__.py:43] No module named 'vllm._version'",
        "WARNING 03-02 10:00:01 [cuda.py:302] Head size 80 is not supported by FlashAttention, using another backend.",
    ],
)
def test_a_line_that_harmless_starts_have_is_no_cause_of_an_unknown_failure(line: str) -> None:
    log = f'{BANNER}\n{line}\nTraceback (most recent call last):\n  File "x.py", line 1\nTernError: odd'
    diagnosis = diagnose(Evidence(exit_code=1, log=log))
    assert (diagnosis.cause, diagnosis.root_line) == ("unknown", "TernError: odd")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("/bin/sh: 1: /usr/local/cuda/bin/nvcc: not found", "compiler-missing"),
        ("sh: 1: hipcc: not found", "compiler-missing"),
        ("sh: line 1: g++: command not found", "compiler-missing"),
        ("sh: 1: /opt/dtk/bin/hipcc: not found", "dtk-mismatch"),
        ("bash: line 3: numactl: command not found", "command-missing"),
        ("sh: 1: vllm: not found", "command-missing"),
    ],
)
def test_a_program_that_is_not_found_is_a_compiler_the_dtk_or_the_servers_command(line: str, cause: str) -> None:
    assert diagnose(Evidence(exit_code=1, log=line)).cause == cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("OSError: [Errno 98] Address already in use", "port-in-use"),
        (
            "[Errno 98] error while attempting to bind on address ('0.0.0.0', 8100): address already in use",
            "port-in-use",
        ),
        ("zmq.error.ZMQError: Address already in use (addr='tcp://127.0.0.1:5570')", "internal-port-taken"),
    ],
)
def test_the_apis_port_is_told_from_those_between_processes(text: str, cause: str) -> None:
    assert diagnose(Evidence(exit_code=1, log=text)).cause == cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("ImportError: libmpi.so.40: cannot open shared object file: No such file or directory", "library-missing"),
        ("ImportError: libmpi.so.40: cannot open shared object file: Permission denied", "library-not-permitted"),
        ("ImportError: /opt/x/libmpi.so.40: undefined symbol: ompi_tern", "library-mismatch"),
    ],
)
def test_a_library_is_missing_or_may_not_be_read_or_does_not_fit(text: str, cause: str) -> None:
    assert diagnose(Evidence(exit_code=1, log=f"Traceback (most recent call last):\n  x\n{text}")).cause == cause


@pytest.mark.parametrize(
    "line",
    [
        "`rope_scaling`'s beta_slow field must be a float, got 2",
        "Unrecognized keys in `rope_scaling` for 'rope_type'='yarn': {'mscale_all_dim'}",
        "WARNING 03-02 10:00:01 [cpu.py:224] Triton is not installed. triton-cpu is expected on x86 CPUs.",
        "WARNING 03-02 10:00:01 [topk_topp_sampler.py:58] FlashInfer is not available. Falling back to PyTorch.",
        (
            "[W302 10:00:01.118 socket.cpp:755] [c10d] The client socket has failed to connect to [heron4]:29611 "
            "(errno: 111 - Connection refused)."
        ),
        (
            "ERROR 03-02 10:00:01 [config.py:131] Error retrieving safetensors: Repo id must be in the form "
            "'repo_name' or 'namespace/repo_name': '/models/tern.gguf'. Use `repo_type` argument if needed."
        ),
        (
            "ERROR 03-02 10:00:01 [fa_utils.py:57] Cannot use FA version 2 is not supported due to FA2 is only "
            "supported on devices with compute capability >= 8"
        ),
        (
            "heron4:71:71 [0] misc/cudawrap.cc:179 NCCL WARN Failed to find CUDA library libcuda.so : "
            "libcuda.so: cannot open shared object file: No such file or directory"
        ),
        (
            "libibverbs: Warning: couldn't load driver 'libtern.so': libtern.so: cannot open shared object "
            "file: Permission denied"
        ),
        'INFO 03-02 10:00:01 [__init__.py:53] Failed to import from amdsmi with ModuleNotFoundError("No module")',
        "hipblasLt error: Heuristic Fetch Failed!",
        "A module that was compiled using NumPy 1.x cannot be run in",
        "sh: 1: lspci: not found",
    ],
)
def test_what_harmless_starts_log_names_no_cause_of_a_server_that_needs_longer(line: str) -> None:
    assert diagnose(Evidence(timed_out=True, log=f"{BANNER}\n{line}\n{BANNER}")).cause == "unknown"

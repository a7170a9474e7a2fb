"""F5: what only points elsewhere is followed to what it points to, in the forms of several versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from diagnosis_logs import (
    FORMS,
    V010,
    V012,
    V016,
    V024,
    V085,
    echoes,
    failed_start,
    frames,
    healthy,
    logged,
    ready,
    start,
    uncaught,
)

from orchestrator.diagnosis import Diagnosis, Evidence, diagnose, render
from orchestrator.diagnosis.lines import read_lines

if TYPE_CHECKING:
    from diagnosis_logs import Form


def named(form: Form) -> str:
    return form.name


some_forms = pytest.mark.parametrize("form", [V085, V010, V012, V016, V024], ids=named)


def diagnosed(lines: list[str], exit_code: int | None = 1, **more: Any) -> Diagnosis:
    return diagnose(Evidence(exit_code=exit_code, log="\n".join(lines), **more))


def inspection(form: Form, subprocess: list[str]) -> list[str]:
    """A model class that vLLM's own subprocess could not look at."""
    command = "subprocess.CalledProcessError: Command '['/usr/bin/python3', '-m', 'vllm.model_executor.models.registry']' returned non-zero exit status 1."
    chain = "The above exception was the direct cause of the following exception:"
    inspected = [
        "Error in inspecting model architecture 'HeronForCausalLM'",
        "Traceback (most recent call last):", *frames("_run_in_subprocess"), command, "", chain, "",
        "Traceback (most recent call last):", *frames("_try_inspect_model_cls"), "RuntimeError: Error raised in subprocess:", *subprocess,
    ]  # fmt: skip
    failed = ["pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig", "  Value error, Model architectures ['HeronForCausalLM'] failed to be inspected. Please check the logs for more details. [type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]"]  # fmt: skip
    return [
        *start(form)[:3],
        *form.at(form.api, "ERROR", "registry.py:415", *inspected),
        *uncaught(form.api, failed, "<module>", "main"),
    ]


@some_forms
def test_a_model_that_could_not_be_inspected_fails_by_what_its_subprocess_raised(form: Form) -> None:
    raised = "LookupError: the plumage has no feather"
    stderr = ["<frozen runpy>:128: RuntimeWarning: 'registry' found in sys.modules", "Traceback (most recent call last):", '  File "<frozen runpy>", line 198, in _run_module_as_main', *frames("_run", "load"), raised]  # fmt: skip
    found = diagnosed(inspection(form, stderr))
    assert (found.cause, found.root_line) == ("unknown", raised)


def build(form: Form, wrapper: list[str], output: list[str]) -> list[str]:
    """A start whose kernels could not be compiled."""
    error = [*wrapper, *output, "ninja: build stopped: subcommand failed."]
    return [
        *start(form),
        *logged(form, form.core, form.core_file, form.core_opening, error, "run_engine_core", "build_and_load"),
        *uncaught(form.core, error, "_bootstrap", "run"),
        *uncaught(form.api, [form.api_says], "<module>", "main"),
    ]


@pytest.mark.parametrize(
    "told",
    [
        "nvcc fatal   : Unsupported gpu architecture 'compute_999'",
        "/bin/sh: 1: /opt/toolkit/bin/heroncc: not found",
        "/srv/cache/wing.cu:17:10: fatal error: wing_config.h: No such file or directory",
        "/srv/cache/wing.hip:91:7: error: no member named 'flap' in namespace 'wings'",
        "/usr/bin/ld: cannot find -lwings: No such file or directory",
    ],
)
@pytest.mark.parametrize(
    "wrapper",
    [
        ["RuntimeError: Ninja build failed. Ninja output:", "ninja: Entering directory `/root/.cache/flashinfer'"],
        ["RuntimeError: Error building extension 'wings': [1/3] c++ -c main.cpp: warning: unused error: handler"],
        ["subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1."],
    ],
    ids=["ninja", "extension", "called"],
)
@some_forms
def test_a_build_fails_by_what_the_compiler_said_after_the_step_that_failed(
    form: Form, wrapper: list[str], told: str
) -> None:
    output = ["[1/3] nvcc --error-limit 3 -c first.cu", "FAILED: wing.cuda.o", "/opt/toolkit/bin/nvcc -c wing.cu", told]
    found = diagnosed(build(form, wrapper, output))
    assert (found.root_line, found.process) == (told, form.core_name)


@some_forms
def test_a_compiler_that_is_called_alone_fails_by_what_it_wrote_before(form: Form) -> None:
    told = "/srv/launcher/main.c:3:10: fatal error: Python.h: No such file or directory"
    called = ["subprocess.CalledProcessError: Command '['/usr/bin/gcc', '/srv/launcher/main.c', '-O3']' returned non-zero exit status 1."]  # fmt: skip
    lines = failed_start(form, called, [f"{form.worker}{told}", f"{form.worker}compilation terminated."])
    found = diagnosed(lines)
    assert (found.root_line, found.process) == (told, form.worker_name)


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_an_engine_that_kills_itself_is_not_killed_from_outside(form: Form) -> None:
    error = ["RuntimeError: the heron's neck has 17 joints, 19 are wanted"]
    fatal = "CRITICAL 03-17 08:41:23 [core_client.py:269] Got fatal signal from worker processes, shutting down. See stack trace above for root cause issue."
    found = diagnosed([*failed_start(form, error), fatal], 137)
    assert (found.cause, found.root_line, found.process) == ("unknown", error[0], form.worker_name)


@pytest.mark.parametrize("code", [132, 134, 135, 137, 139, 143])
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_where_the_code_alone_names_the_cause_no_unrelated_exception_is_its_root(form: Form, code: int) -> None:
    aside = logged(form, form.api, "tuning.py:12", "Could not read the tuned table", ["KeyError: 'wing'"], "read")
    found = diagnosed([*start(form), *aside, *form.at(form.api, "INFO", "x.py:1", "Loading weights took 3.2 seconds")], code)  # fmt: skip
    assert (found.is_known, found.root_line) == (True, "")


@pytest.mark.parametrize("form", FORMS, ids=named)
def test_a_program_that_a_library_looks_for_is_not_the_server_s_command(form: Form) -> None:
    error = ["ValueError: too many feathers"]
    found = diagnosed(failed_start(form, error, ["sh: 1: lspci: not found", "/bin/sh: line 1: rocm_agent_enumerator: command not found"]))  # fmt: skip
    assert (found.cause, found.root_line) == ("unknown", error[0])


def test_a_command_that_is_missing_is_named_where_nothing_of_vllm_was_logged_or_the_code_says_so() -> None:
    assert diagnosed(["sh: 1: heron: not found"], 1).cause == "command-missing"
    found = diagnosed([*start(V085), "/entry.sh: line 3: exec: heron: not found"], 127)
    assert (found.cause, found.title) == ("command-missing", "the image does not have the command heron")


@pytest.mark.parametrize("compiler", ["nvcc", "hipcc", "gcc", "/usr/lib/llvm/bin/clang++", "g++"])
@some_forms
def test_a_compiler_that_is_missing_is_not_the_server_s_command(form: Form, compiler: str) -> None:
    called = ["subprocess.CalledProcessError: Command '['sh', '-c', 'compile']' returned non-zero exit status 127."]
    found = diagnosed(failed_start(form, called, [f"{form.worker}sh: 1: {compiler}: not found"]))
    assert (found.cause, found.root_line) == ("compiler-missing", f"sh: 1: {compiler}: not found")


@some_forms
def test_what_was_thrown_belongs_to_the_line_that_says_that_something_was(form: Form) -> None:
    both = [f"{form.worker}terminate called after throwing an instance of 'heron::error'", f"{form.worker}  what():  beak is stuck"]  # fmt: skip
    gone = form.at(form.core, "ERROR", "multiproc_executor.py:140", "Worker proc VllmWorker-2 died unexpectedly, shutting down executor.")  # fmt: skip
    found = diagnosed([*start(form), *ready(form), *both, *gone], 0)
    assert found.root_line == "terminate called after throwing an instance of 'heron::error' what():  beak is stuck"
    assert found.process == form.worker_name


@some_forms
def test_a_compilation_error_says_what_is_wrong_below_the_program_that_it_quotes(form: Form) -> None:
    program = ["triton.compiler.errors.CompilationError: at 31:12:", *(f"    x{number} = load(ptr + {number})" for number in range(28)), "            ^", 'ValueError("type heron8 not supported in this architecture")']  # fmt: skip
    found = diagnosed(failed_start(form, program))
    assert found.root_line == 'triton.compiler.errors.CompilationError: at 31:12: ValueError("type heron8 not supported in this architecture")'  # fmt: skip


def test_lines_that_differ_in_numbers_alone_are_one_of_the_first_errors() -> None:
    counted = [
        f"ERROR 03-17 08:41:22 [pool.py:7] wing {number} of 0x7f{number:04x} does not move" for number in range(30)
    ]
    found = diagnosed([*counted, "ERROR 03-17 08:41:23 [pool.py:9] the beak is stuck"])
    assert found.first_errors == ("line 1: wing 0 of 0x7f0000 does not move", "line 31: the beak is stuck")


@pytest.mark.parametrize("native", ["Failed: Cuda error /workspace/csrc/wing_reduce.cuh:455 'invalid argument'", "HIP runtime error: beak is stuck", "*** SIGFPE received at time=1700474158 on cpu 37 ***", "python3: wing.cpp:31: void flap(): Assertion `wings == 2' failed."])  # fmt: skip
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_the_words_of_compiled_code_before_a_silent_death_are_its_root(form: Form, native: str) -> None:
    gone = form.at(form.core, "ERROR", "multiproc_executor.py:140", "Worker proc VllmWorker-2 died unexpectedly, shutting down executor.")  # fmt: skip
    echo = logged(form, form.core, form.core_file, form.core_opening, ["RuntimeError: cancelled"], "run_busy_loop")
    for exit_code in (0, 1):
        found = diagnosed([*start(form), f"{form.worker}{native}", *gone, *echo], exit_code)
        assert found.root_line == native
        assert "memory" not in f"{found.title} {found.explanation}"


def test_a_worker_that_vanishes_without_a_word_may_have_been_killed_for_memory() -> None:
    gone = V024.at(V024.core, "ERROR", "multiproc_executor.py:140", "Worker proc VllmWorker-2 died unexpectedly, shutting down executor.")  # fmt: skip
    found = diagnosed([*start(V024), *ready(V024), *gone], 0)
    assert found.cause == "engine-died"
    assert any("killed for memory" in advice for advice in found.advice)


@pytest.mark.parametrize("says", ["Automatically detected platform cpu.", "vLLM API server version 0.20.2+cpu"])
def test_rules_of_accelerators_mean_nothing_where_the_server_runs_on_a_cpu(says: str) -> None:
    driver = ["RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU."]
    on_cpu = [f"INFO 03-17 08:40:00 [__init__.py:239] {says}"]
    lines = failed_start(V024, driver)
    assert diagnosed(lines).cause == "devices-not-visible"
    assert diagnosed([*on_cpu, *(line for line in lines if "rocm" not in line)]).cause == "unknown"


@pytest.mark.parametrize(
    ("raw", "process", "level", "text"),
    [
        ("(EngineCore_DP0 pid=201) (Worker_TP0 pid=301) ERROR 11-12 16:25:35 [multiproc_executor.py:711] boom", "Worker_TP0", "ERROR", "boom"),
        ("(Worker pid=12) (Worker_TP2 pid=12) INFO 11-12 16:25:35 [x.py:7] hello", "Worker_TP2", "INFO", "hello"),
        ("(APIServer pid=32) (EngineCore_0 pid=296) (VllmWorker TP0 pid=302) WARNING 11-12 16:25:35 [x.py:7] careful", "VllmWorker TP0", "WARNING", "careful"),
        ("(EngineCore_DP0 pid=4) (RayWorkerWrapper pid=13, ip=10.0.0.2) ERROR 11-12 16:25:35 [x.py:7] boom", "RayWorkerWrapper", "ERROR", "boom"),
        ("\x1b[36m(EngineCore_DP1 pid=4)\x1b[0m \x1b[36m(Worker_DP1_PP0_TP3_EP7 pid=13)\x1b[0m ValueError: x", "Worker_DP1_PP0_TP3_EP7", "", "ValueError: x"),
        ("(serve-heron, pid=2150) (EngineCore_0 pid=3966) ERROR 08-21 07:45:43 [core.py:700] boom", "EngineCore_0", "ERROR", "boom"),
        ("(raylet, ip=10.0.0.2) The node is low on memory", "raylet", "", "The node is low on memory"),
        ("(Worker_TP1 pid=5) [rank1]: ValueError: x", "Worker_TP1", "", "ValueError: x"),
        ("(ServeReplica:default:Heron pid=5, ip=10.0.0.2) ERROR 08-21 07:45:43 [core.py:700] boom", "ServeReplica:default:Heron", "ERROR", "boom"),
        ("2026-03-17 08:41:22,123\tboom", "", "", "2026-03-17 08:41:22,123\tboom"),
        ("[2026-03-17 08:41:22,123] ERROR raylet.py:12 -- boom", "", "ERROR", "boom"),
        ("2026-03-17 08:41:22,123 - heron.wings - ERROR - boom", "", "ERROR", "boom"),
        ("2026-03-17 08:41:22.123 | ERROR    | heron.wings:flap:31 - boom", "", "ERROR", "boom"),
        ("[W socket.cpp:663] [c10d] boom", "", "WARNING", "[c10d] boom"),
    ],
)  # fmt: skip
def test_all_prefixes_of_a_line_go_and_the_innermost_is_the_process(
    raw: str, process: str, level: str, text: str
) -> None:
    (line,) = read_lines(raw)
    assert (line.process, line.level, line.text) == (process, level, text)


def test_frames_that_ray_forwards_end_in_the_exception_of_the_worker() -> None:
    forwarded = ["ray.exceptions.RayTaskError(ValueError): ray::RayWorkerWrapper.execute_method() (pid=13, ip=10.0.0.2)", *frames("execute_method"), "ValueError: the wings are wet"]  # fmt: skip
    form = FORMS[-1]
    lines = [
        *start(form),
        *logged(form, form.core, form.core_file, form.core_opening, forwarded),
        *echoes(form, forwarded),
    ]
    assert diagnosed(lines).root_line == "ValueError: the wings are wet"


@pytest.mark.parametrize("words", ["'the wings are wet', please check", '"the wings are wet", please check', "%s, please check the stack trace above for the root cause', 'the wings are wet')"])  # fmt: skip
def test_all_forms_in_which_the_engine_core_quotes_a_worker_are_read(words: str) -> None:
    quote = f"RuntimeError: Worker failed with error {words}"
    found = diagnosed([*start(V085), *logged(V085, "", V085.core_file, "EngineCore hit an exception", [quote], "run")])
    assert (found.root_line, found.process) == ("the wings are wet", "EngineCore")


def test_line_numbers_are_those_of_the_file_that_is_named() -> None:
    lines = failed_start(V024, ["ValueError: the wings are wet"])
    before = diagnosed(lines)
    assert before.line_number is not None
    assert diagnosed(lines, first_line=101).line_number == before.line_number + 100
    whole = diagnosed([*healthy(V024), *lines])
    assert whole.line_number == before.line_number + len(healthy(V024))


def test_advice_that_the_profile_follows_already_is_left_out() -> None:
    lines = failed_start(V024, ["RuntimeError: HIP error: an illegal memory access was encountered"])
    told = render(diagnosed(lines), "")
    followed = {"server.flags.enforce-eager": "true", "server.env.AMD_SERIALIZE_KERNEL": "3"}
    left = render(diagnosed(lines, settings=followed), "")
    assert any("server.flags.enforce-eager: true" in line for line in told)
    assert not any("enforce-eager" in line for line in left)
    assert any("eave out kernel switches in server.env" in line for line in left)


def test_of_a_group_of_exceptions_the_first_member_is_the_root() -> None:
    group = [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "/usr/local/bin/vllm", line 10, in <module>',
        "  |     sys.exit(main())",
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        "    | Traceback (most recent call last):",
        '    |   File "/srv/nest.py", line 3, in connect',
        "    |     raise",
        "    | OSError: the nest is empty",
        "    +------------------------------------",
    ]
    found = diagnosed([*start(V024)[:3], *(f"{V024.api}{line}" for line in group)])
    assert (found.root_line, found.process) == ("OSError: the nest is empty", "APIServer")


def test_a_crash_at_the_very_end_does_not_hide_what_the_engine_failed_by() -> None:
    lines = [*failed_start(V024, ["ValueError: the wings are wet"]), "Segmentation fault (core dumped)"]
    assert diagnosed(lines, 139).root_line == "ValueError: the wings are wet"


@some_forms
def test_the_last_words_of_a_server_that_ends_with_0_are_its_root(form: Form) -> None:
    words = "[Errno 28] No space left on device"
    found = diagnosed([*healthy(form), words], 0)
    assert (found.cause, found.root_line) == ("disk-full", words)
    assert diagnosed([*healthy(form, later=[words]), *ready(form)], 0).cause == "ended-from-outside"

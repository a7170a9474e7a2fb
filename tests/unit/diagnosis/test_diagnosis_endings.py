"""F5: an unknown failure gets the right line, process and phase in every form of log; a healthy log never gets a cause.

Every kind of log is crossed with the forms of many versions of vLLM and with every ending of a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from diagnosis_fixtures import FIXTURES, Fixture
from diagnosis_logs import (
    FORMS,
    RAY,
    V0,
    V012,
    V085,
    Form,
    failed_start,
    healthy,
    logged,
    ready,
    shutdown,
    start,
    uncaught,
)

from orchestrator.diagnosis import Evidence, diagnose
from orchestrator.diagnosis.rule import Strength
from orchestrator.diagnosis.rules import RULES

if TYPE_CHECKING:
    from orchestrator.diagnosis import Diagnosis

Lines = Callable[[Form], list[str]]

ENDINGS = {
    "exit 0": Evidence(exit_code=0),
    "exit 1": Evidence(exit_code=1),
    "SIGKILL": Evidence(exit_code=137),
    "SIGTERM": Evidence(exit_code=143),
    "time-out": Evidence(timed_out=True),
}
OUTSIDE = {"exit 0": "ended-from-outside", "SIGKILL": "killed-from-outside", "SIGTERM": "ended-from-outside"}
ERROR = ["ValueError: the heron's wings do not fit rank 2 (17 of 24)"]


def diagnosed(lines: list[str], ending: str) -> Diagnosis:
    given = ENDINGS[ending]
    return diagnose(Evidence(exit_code=given.exit_code, timed_out=given.timed_out, log="\n".join(lines)))


def named(form: Form) -> str:
    return form.name


forms = pytest.mark.parametrize("form", FORMS, ids=named)
endings = pytest.mark.parametrize("ending", ENDINGS)


@forms
@endings
def test_an_unknown_error_of_a_worker_is_the_root_in_every_form_and_ending(form: Form, ending: str) -> None:
    found = diagnosed(failed_start(form, ERROR), ending)
    assert (found.cause, found.root_line, found.process) == ("unknown", ERROR[0], form.worker_name)


SURVIVED_AT_START: dict[str, Lines] = {
    "warm-up of the chat template": lambda form: logged(
        form, form.api, "serving.py:217", "Chat template warmup failed", ["KeyError: 'plumage'"], "warmup"
    ),
    "a download that was tried again": lambda form: form.at(
        form.api, "ERROR", "repo_utils.py:65", "Error retrieving file list: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /api (Caused by NameResolutionError), retrying 1 of 2",
    ) + form.at(form.core, "INFO", "gpu_model_runner.py:1875", "Starting to load model /srv/models/heron-32b..."),
    "statistics of usage": lambda form: [
        f"{form.api}Exception in thread Thread-3 (_report_usage_worker):",
        *uncaught(form.api, ["requests.exceptions.SSLError: certificate verify failed"], "_bootstrap_inner", "run"),
    ],
    "a library that is not there": lambda form: [
        *logged(form, form.core, "fused.py:31", "Failed to load the tuned kernels, falling back to the default", ["ImportError: libfused.so: cannot open shared object file"], "load")
    ],
    "programs that libraries look for": lambda _: ["sh: 1: lspci: not found", "/bin/sh: line 1: lspci: command not found"],
}  # fmt: skip
SURVIVED_LATER: dict[str, Lines] = {
    "a request that was refused": lambda form: [
        *logged(form, form.api, "serving_chat.py:200", "Error in preprocessing prompt inputs", ["ValueError: the prompt is empty"], "create"),
        f'{form.api}INFO:     10.3.0.9:51024 - "POST /v1/chat/completions HTTP/1.1" 400 Bad Request',
    ],
    "a request that failed": lambda form: [
        f'{form.api}INFO:     10.3.0.9:51024 - "POST /v1/completions HTTP/1.1" 500 Internal Server Error',
        f"{form.api}ERROR:    Exception in ASGI application",
        *uncaught(form.api, ["RuntimeError: HIP out of memory in the renderer"], "run_asgi", "__call__"),
    ],
    "a request to the engine that failed": lambda form: logged(
        form, form.core, form.core_file, "Invocation of add_lora method failed", ["FileNotFoundError: [Errno 2] No such file or directory: '/srv/lora'"], "_handle_client_request"
    ),
    "a task that nobody waited for": lambda form: [
        *form.at(form.api, "ERROR", "base_events.py:1758", "Task exception was never retrieved"),
        *logged(form, form.api, "base_events.py:1758", "", ["ConnectionResetError: [Errno 104] Connection reset by peer"], "stream"),
    ],
    "a client that went away": lambda form: logged(
        form, form.api, "serving_completion.py:411", "", ["OSError: [Errno 28] No space left on device"], "create_completion"
    ),
}  # fmt: skip
HEALTHY: dict[str, tuple[Lines, Lines]] = {
    "nothing": (lambda _: [], lambda _: []),
    **{name: (lines, lambda _: []) for name, lines in SURVIVED_AT_START.items()},
    **{name: (lambda _: [], lines) for name, lines in SURVIVED_LATER.items()},
}


@pytest.mark.parametrize("kind", HEALTHY)
@forms
@endings
def test_a_healthy_log_never_gets_a_cause_whatever_ended_the_server(form: Form, ending: str, kind: str) -> None:
    at_start, later = HEALTHY[kind]
    found = diagnosed(healthy(form, at_start(form), later(form)), ending)
    assert (found.cause, found.root_line) == (OUTSIDE.get(ending, "unknown"), "")
    assert not any("Error:" in line for line in found.first_errors if ending == "exit 1")


@pytest.mark.parametrize("kind", SURVIVED_AT_START)
@forms
@endings
def test_a_start_that_is_ended_from_outside_is_not_explained_by_what_it_went_on_after(
    form: Form, ending: str, kind: str
) -> None:
    if ending in ("exit 0", "exit 1"):  # a start that ends by itself has a reason, which this log does not show
        ending = "SIGTERM"
    found = diagnosed([*SURVIVED_AT_START[kind](form), *start(form)], ending)
    assert (found.cause, found.root_line) == (OUTSIDE.get(ending, "unknown"), "")


@pytest.mark.parametrize("kind", HEALTHY)
@forms
def test_a_server_that_was_asked_to_end_is_not_explained_by_its_shutdown(form: Form, kind: str) -> None:
    at_start, later = HEALTHY[kind]
    for ending in ("exit 0", "SIGTERM", "SIGKILL"):
        found = diagnosed([*healthy(form, at_start(form), later(form)), *shutdown(form)], ending)
        assert (found.cause, found.root_line) == (OUTSIDE[ending], "")


@pytest.mark.parametrize("kind", SURVIVED_AT_START)
@forms
@endings
def test_what_a_start_went_on_after_does_not_hide_what_it_failed_by(form: Form, ending: str, kind: str) -> None:
    found = diagnosed(failed_start(form, ERROR, SURVIVED_AT_START[kind](form)), ending)
    assert (found.cause, found.root_line, found.process) == ("unknown", ERROR[0], form.worker_name)


@forms
@endings
def test_a_failed_start_before_a_restart_does_not_explain_the_end_after_it(form: Form, ending: str) -> None:
    found = diagnosed([*failed_start(form, ["RuntimeError: HIP out of memory"]), *healthy(form)], ending)
    assert (found.cause, found.root_line) == (OUTSIDE.get(ending, "unknown"), "")


@forms
@endings
def test_a_start_that_fails_after_a_healthy_one_is_explained_by_itself(form: Form, ending: str) -> None:
    lines = [*healthy(form, later=SURVIVED_LATER["a request that failed"](form)), *failed_start(form, ERROR)]
    found = diagnosed(lines, ending)
    assert (found.cause, found.root_line, found.process) == ("unknown", ERROR[0], form.worker_name)
    assert found.line_number is not None
    assert lines[found.line_number - 1].endswith(ERROR[0])


def died_while_serving(form: Form, error: list[str]) -> list[str]:
    quoted = error[0].partition(": ")[2]
    if form is V0:
        echo = ["vllm.engine.multiprocessing.MQEngineDeadError: Engine loop is not running. Inspect the stacktrace."]
    else:
        echo = [
            f"RuntimeError: Worker failed with error '{quoted}', please check the stack trace above for the root cause"
        ]
    worker = logged(form, form.worker, form.worker_file, form.worker_opening, error, "execute_model")
    core = logged(form, form.core, form.core_file, "EngineCore encountered a fatal error.", echo, "run_busy_loop")
    dead = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause."
    api = logged(form, form.api, "async_llm.py:480", "AsyncLLM output_handler failed.", [dead], "output_handler")
    return [
        *healthy(form, later=SURVIVED_LATER["a request that was refused"](form)),
        *worker,
        *core,
        *api,
        f"{form.api}INFO:     Shutting down",
        f"{form.api}INFO:     Finished server process [7]",
    ]


@forms
@endings
def test_what_a_serving_engine_died_of_is_the_root_in_every_ending(form: Form, ending: str) -> None:
    found = diagnosed(died_while_serving(form, ERROR), ending)
    assert (found.cause, found.root_line, found.process) == ("unknown", ERROR[0], form.worker_name)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in (V0, RAY)], ids=named)
@endings
def test_an_error_that_the_engine_core_quotes_is_the_root_where_the_worker_s_own_words_are_missing(
    form: Form, ending: str
) -> None:
    lines = died_while_serving(form, ERROR)
    without = [line for line in lines if not line.startswith(form.worker) or "INFO" in line]
    if not form.core:
        without = [line for line in lines if "worker_main" not in line and not line.startswith("(VllmWorker")]
    found = diagnosed(without, ending)
    assert (found.cause, found.root_line) == ("unknown", ERROR[0].partition(": ")[2])
    assert found.process == form.core_name


@forms
def test_errors_of_workers_that_are_taken_down_never_beat_the_first_even_if_they_alone_have_a_rule(form: Form) -> None:
    first = ["TypeError: HeronDecoder.forward() got an unexpected keyword argument 'TAIL_FEATHERS'"]
    driver = ["RuntimeError: No HIP GPUs are available"]
    memory = ["OSError: [Errno 28] No space left on device"]
    lines = failed_start(form, first)
    lines += logged(form, form.worker, form.worker_file, "", driver, "shutdown")
    lines += logged(form, form.core, form.core_file, "", memory, "shutdown")
    found = diagnosed(lines, "exit 1")
    assert (found.cause, found.root_line, found.process) == ("unknown", first[0], form.worker_name)


@pytest.mark.parametrize("form", [V085, V012], ids=named)
def test_the_time_that_a_server_was_ready_is_known_from_its_own_line_alone(form: Form) -> None:
    said = f"{form.api}INFO 03-17 08:41:22 [logger.py:43] Received request cmpl-1: prompt: 'INFO: Application startup complete.'"
    found = diagnosed([*failed_start(form, ERROR), said], "exit 1")
    assert found.root_line == ERROR[0]


@forms
def test_a_server_that_was_ready_and_died_of_words_of_compiled_code_is_explained_by_them(form: Form) -> None:
    native = "Failed: Cuda error /workspace/csrc/wing_reduce.cuh:455 'invalid argument'"
    gone = form.at(
        form.core,
        "ERROR",
        "multiproc_executor.py:140",
        "Worker proc VllmWorker-2 died unexpectedly, shutting down executor.",
    )
    found = diagnosed([*start(form), *ready(form), f"{form.worker}{native}", *gone], "exit 0")
    assert (found.root_line, found.process) == (native, form.worker_name)
    assert found.cause != "engine-died"


SYMPTOMS = {rule.id for rule in RULES if rule.strength is Strength.SYMPTOM}
FATAL = [
    one
    for one in FIXTURES
    if one.cause not in {*SYMPTOMS, *OUTSIDE.values()}
    and any(begin in str(one.evidence.log) for begin in (", in <module>", ", in _bootstrap\\n", "error: unrecognized"))
]
"""Real logs that show that a process ended of itself."""


@pytest.mark.parametrize("fixture", FATAL, ids=lambda fixture: fixture.name)
@endings
def test_a_real_log_of_a_failure_keeps_its_cause_in_every_ending(fixture: Fixture, ending: str) -> None:
    given = ENDINGS[ending]
    log = fixture.evidence.log
    assert diagnose(Evidence(exit_code=given.exit_code, timed_out=given.timed_out, log=log)).cause == fixture.cause

"""Promise F5: errors of another start, and of a request that a server could not answer, are not causes of its own end."""

from __future__ import annotations

import pytest
from diagnosis_logs import HEADER, SITE, V012, V016, V024, V09, Form, echoes, frames, healthy, start

from orchestrator.diagnosis import UNKNOWN, Evidence, diagnose

REFUSED = "api_server.py: error: unrecognized arguments: --heron-rows 7"
TAKEN = "OSError: [Errno 98] Address already in use"
MODELS = "/vllm/model_executor/models/heron.py"


def cause_of(lines: list[str], exit_code: int | None = 1) -> str:
    return diagnose(Evidence(exit_code=exit_code, log="\n".join(lines).encode())).cause


def raised_below(form: Form, file: str, error: str, *functions: str) -> list[str]:
    lines = [HEADER, *frames(*functions), f'  File "{SITE}{file}", line 88, in forward', "    raise", error]
    return [*start(form), *form.at(form.worker, "ERROR", form.worker_file, *lines), *echoes(form, [error])]


@pytest.mark.parametrize("form", [V09, V012, V024], ids=lambda form: form.name)
def test_a_start_whose_flags_were_refused_does_not_explain_the_next_one(form: Form) -> None:
    ends = [f"{form.api}{line}" for line in (HEADER, *frames("<module>", "run_server"), TAKEN)]
    assert cause_of([REFUSED, *start(form)[:3], *ends]) == "port-in-use"
    assert cause_of([REFUSED]) == "unknown-flag"


def orphan(number: int) -> list[str]:
    error = "RuntimeError: Did not receive response from front-end process within 5 minutes"
    lines = ["EngineCore failed to start.", HEADER, *frames("run_engine_core"), error]
    return V016.at(f"(EngineCore_DP0 pid={number}) ", "ERROR", "core.py:936", *lines)


@pytest.mark.parametrize("exit_code", [0, 1, 137, 143, None])
def test_an_engine_core_that_an_earlier_start_left_behind_explains_nothing(exit_code: int | None) -> None:
    assert cause_of([*healthy(V016), *orphan(11)], exit_code) == cause_of(healthy(V016), exit_code)


def test_an_engine_core_of_the_server_s_own_is_no_orphan() -> None:
    assert cause_of([*healthy(V016), *orphan(201)]) == "engine-start-timeout"
    assert cause_of([*healthy(V016), *orphan(444)]) == "engine-start-timeout"


@pytest.mark.parametrize("form", [V09, V012, V024], ids=lambda form: form.name)
def test_what_a_model_refuses_of_a_request_is_no_refusal_of_the_model(form: Form) -> None:
    error = "ValueError: The heron is longer than its nest."
    assert cause_of(raised_below(form, MODELS, error, "worker_busy_loop", "execute_model")) == UNKNOWN
    trial = ("worker_busy_loop", "determine_available_memory", "profile_run", "execute_model")
    assert cause_of(raised_below(form, MODELS, error, *trial)) == "model-class-refused"
    assert cause_of(raised_below(form, MODELS, error, "worker_main", "load_model")) == "model-class-refused"


@pytest.mark.parametrize("file", ["/vllm/v1/worker/heron.py", "/heron/batch.py"])
def test_a_call_that_python_refuses_outside_plugins_stays_unknown(file: str) -> None:
    error = "TypeError: HeronBatch.__init__() got an unexpected keyword argument 'max_rows'"
    assert cause_of(raised_below(V024, file, error, "worker_main")) == UNKNOWN


def test_that_no_platform_was_detected_does_not_beat_an_error_that_ended_the_process() -> None:
    note = V012.at("", "INFO", "__init__.py:220", "No platform detected, vLLM is running on UnspecifiedPlatform")
    log = raised_below(V012, "/heron/batch.py", "ValueError: The heron has no nest.", "worker_main")
    assert cause_of([*note, *log]) == UNKNOWN
    assert cause_of([*note, *start(V012)]) == "platform-not-detected"


@pytest.mark.parametrize("exit_code", [0, 1, None])
def test_that_the_hub_or_another_host_did_not_answer_explains_no_end_of_a_ready_server(exit_code: int | None) -> None:
    late = "httpx.ReadTimeout: The read operation timed out"
    assert cause_of([*healthy(V024), late], exit_code) != "hub-unreachable"
    assert cause_of(raised_below(V024, "/httpx/heron.py", late, "worker_main"), 1) == "hub-unreachable"

"""What a failure is called, from whatever is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.diagnosis import Diagnosis, Evidence, diagnose, render, summary
from orchestrator.vllm.phases import Phase

REAL = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'model.layers.0.w13'\n"
DEAD = "(APIServer pid=7) ERROR 01-01 00:00:00 [a.py:1] EngineDeadError: EngineCore encountered an issue."


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (132, "illegal-instruction"),
        (134, "aborted"),
        (135, "shm-too-small"),
        (137, "killed-from-outside"),
        (139, "segmentation-fault"),
        (143, "ended-from-outside"),
        (127, "command-missing"),
        (126, "not-executable"),
    ],
)
def test_an_exit_code_speaks_where_the_log_says_nothing(code: int, cause: str) -> None:
    diagnosis = diagnose(Evidence(exit_code=code, log="INFO 01-01 00:00:00 [a.py:1] hello"))
    assert (diagnosis.cause, diagnosis.root_line, diagnosis.line_number) == (cause, "", None)


def test_a_named_error_in_the_log_says_more_than_the_exit_code() -> None:
    assert (
        diagnose(Evidence(exit_code=139, log="torch.OutOfMemoryError: HIP out of memory.")).cause
        == "out-of-device-memory"
    )


def test_a_signal_says_more_than_an_error_that_nobody_died_of() -> None:
    diagnosis = diagnose(Evidence(exit_code=137, log=REAL))
    assert (diagnosis.cause, diagnosis.root_line) == ("killed-from-outside", "")


def test_killed_for_memory_is_what_the_engine_says() -> None:
    diagnosis = diagnose(Evidence(exit_code=137, oom_killed=True, log=REAL))
    assert (diagnosis.cause, diagnosis.root_line) == ("killed-for-memory", "")
    assert diagnose(Evidence(exit_code=1, oom_killed=True)).root_line == ""


def test_an_unknown_cause_is_called_unknown_and_the_first_errors_are_shown() -> None:
    diagnosis = diagnose(Evidence(exit_code=1, log=REAL))
    assert not diagnosis.is_known
    assert diagnosis.first_errors == ("line 4: KeyError: 'model.layers.0.w13'",)
    assert render(diagnosis, "the server exited with code 1", "/logs/server.log") == [
        "the server exited with code 1",
        "  cause: not one that orch knows by name",
        "  why:   No rule of orch fits the log; these are its first errors.",
        "         line 4: KeyError: 'model.layers.0.w13'",
        "  try:   Read the log from the first of these lines on.",
        "  log:   /logs/server.log",
    ]


def test_a_symptom_does_not_hide_an_error_that_no_rule_knows() -> None:
    diagnosis = diagnose(Evidence(exit_code=0, log=f"{REAL}{DEAD}"))
    assert (diagnosis.cause, diagnosis.root_line) == ("unknown", "KeyError: 'model.layers.0.w13'")


def test_a_symptom_is_named_where_there_is_nothing_better() -> None:
    assert diagnose(Evidence(exit_code=0, log=DEAD)).cause == "engine-died"


def test_without_any_error_the_last_lines_are_shown() -> None:
    log = "\n".join(f"INFO 01-01 00:00:00 [a.py:1] step {number}" for number in range(9))
    diagnosis = diagnose(Evidence(exit_code=0, log=log))
    assert diagnosis.first_errors == tuple(f"line {number + 1}: step {number}" for number in range(4, 9))
    assert diagnosis.explanation == "The log shows no error; these are its last lines."


def test_a_server_that_needs_too_long_may_only_be_slow() -> None:
    diagnosis = diagnose(Evidence(timed_out=True, log="INFO 01-01 00:00:00 [a.py:1] loading"))
    assert diagnosis.explanation.startswith("The log shows no error: the server may hang")
    assert "raise health.deadline" in diagnosis.advice[0]


def test_an_empty_log_is_called_empty() -> None:
    diagnosis = diagnose(Evidence(exit_code=1))
    assert (diagnosis.explanation, diagnosis.advice, diagnosis.first_errors) == ("The log is empty.", (), ())


def test_what_the_engine_says_counts_before_everything() -> None:
    refusal = "the Docker engine refused starting the container: Unable to find group render: no matching entries in group file"
    diagnosis = diagnose(Evidence(engine_error=refusal, log=REAL))
    assert (diagnosis.cause, diagnosis.title) == ("group-missing", "the image has no group render")
    assert diagnosis.root_line == refusal
    assert diagnosis.line_number is None


def test_a_refusal_that_no_rule_knows_keeps_the_engines_words() -> None:
    diagnosis = diagnose(Evidence(engine_error="the engine is\n on strike"))
    assert render(diagnosis, "the Docker engine refused the container") == [
        "the Docker engine refused the container",
        "  cause: not one that orch knows by name",
        "  root:  the engine is on strike",
        "  why:   The Docker engine refused, in the words above.",
        "  try:   Try the same by hand: orch plan prints the docker run line.",
    ]


def test_the_message_has_failure_phase_cause_root_line_reason_advice_and_log() -> None:
    log = (
        "(EngineCore_DP0 pid=8) ERROR 01-01 00:00:00 [core.py:1] ValueError: User-specified max_model_len (100000) is greater "
        "than the derived max_model_len (max_position_embeddings=4096 or model_max_length=None in model's config.json)."
    )
    evidence = Evidence(phase=Phase.STARTING, exit_code=1, log=log)
    lines = render(diagnose(evidence), summary(evidence), Path("/logs/server.log"))
    assert lines[:2] == [
        "the server exited with code 1 while starting vLLM",
        "  cause: max-model-len is longer than the model allows (max-model-len-too-long)",
    ]
    assert lines[2].startswith("  root:  line 1, EngineCore_DP0: ValueError: User-specified max_model_len (100000)")
    assert lines[3:5] == [
        "  why:   The model's configuration ends earlier; longer positions would be out of its range.",
        "  try:   Set server.flags.max-model-len to 4096 or less.",
    ]
    assert lines[5].startswith("         If the model was made for more")
    assert lines[-1] == "  log:   /logs/server.log"


def test_a_flag_that_later_versions_have_dropped_gets_its_successor() -> None:
    log = "vllm serve: error: unrecognized arguments: --enable_reasoning --num-scheduler-steps 8"
    advice = diagnose(Evidence(exit_code=2, log=log, vllm_version="0.32.0")).advice
    assert advice[0].startswith("--enable-reasoning is gone since vLLM 0.10:")
    assert advice[1].startswith("--num-scheduler-steps is gone since vLLM 0.10.1: leave")
    assert "The image has vLLM 0.32.0." in advice


@pytest.mark.parametrize(
    "line",
    [
        "INFO 07-11 09:00:01 [api_server.py:1043] vLLM API server version 0.8.5.post1",
        "(APIServer pid=7) INFO 11-24 04:13:49 [api_utils.py:347]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.8.5.post1",
        "(EngineCore pid=9) INFO 11-24 04:14:47 [core.py:133] Initializing a V1 LLM engine (v0.8.5.post1) with config",
    ],
)
def test_the_version_is_read_from_the_log(line: str) -> None:
    log = f"{line}\nvllm serve: error: unrecognized arguments: --x"
    assert "The image has vLLM 0.8.5.post1." in diagnose(Evidence(exit_code=2, log=log)).advice


def test_a_long_line_is_shortened_in_the_message() -> None:
    diagnosis = diagnose(Evidence(exit_code=1, log=f"torch.OutOfMemoryError: HIP out of memory. {'x' * 1500}"))
    assert len(diagnosis.root_line) == 600
    assert diagnosis.root_line.endswith("…")


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (Evidence(exit_code=1, phase=Phase.WEIGHTS), "the server exited with code 1 while loading weights"),
        (Evidence(exit_code=137, oom_killed=True), "the server was killed for memory"),
        (Evidence(exit_code=1, oom_killed=True), "the server exited with code 1"),
        (
            Evidence(exit_code=139, phase="benchmarking"),
            "the server was ended by signal 11 (exit code 139) while benchmarking",
        ),
        (
            Evidence(timed_out=True, phase=Phase.GRAPHS),
            "the server was not healthy when its time was up while capturing graphs",
        ),
        (Evidence(engine_error="no"), "the Docker engine refused the container"),
        (Evidence(), "the server failed"),
    ],
)
def test_a_summary_says_what_failed_and_in_which_phase(evidence: Evidence, line: str) -> None:
    assert summary(evidence) == line


def test_a_diagnosis_without_a_line_has_no_root_in_its_message() -> None:
    diagnosis = Diagnosis("some-cause", "title", "", None, "", "why", ())
    assert render(diagnosis, "what") == ["what", "  cause: title (some-cause)", "  why:   why"]


def test_a_very_long_refusal_is_read_to_its_end_and_shown_shortened() -> None:
    diagnosis = diagnose(
        Evidence(engine_error=f"OCI runtime create failed: {'x ' * 500} Unable to find group render: no")
    )
    assert (diagnosis.cause, len(diagnosis.root_line)) == ("group-missing", 600)


def test_no_order_to_a_terminal_gets_into_the_message() -> None:
    assert diagnose(Evidence(engine_error="\x1b[31mred\x07 alert\x1b[0m")).root_line == "red alert"

"""The root cause is the first real error, whichever process raised it and whatever came after it."""

from __future__ import annotations

from textwrap import dedent

from orchestrator.diagnosis.lines import read_lines
from orchestrator.diagnosis.rootcause import RootCause, first_errors, root_cause
from orchestrator.diagnosis.tracebacks import take_apart

HEADER = "Traceback (most recent call last):"


def root(text: str) -> RootCause | None:
    return root_cause(take_apart(read_lines(dedent(text).lstrip("\n"))))


def told(text: str) -> tuple[str, str, int]:
    found = root(text)
    assert found is not None
    return found.text, found.process, found.number


def raised(prefix: str, *errors: str) -> list[str]:
    lines = [HEADER, '  File "a.py", line 1, in f', "    g()"]
    return [f"{prefix}{line}" for line in (*lines, *errors)]


def test_a_worker_is_believed_before_engine_core_and_api_server() -> None:
    log = "\n".join(
        [
            *raised("(Worker_TP1 pid=9) ERROR 01-01 00:00:00 [m.py:1] ", "RuntimeError: the real one"),
            *raised(
                "(EngineCore_DP0 pid=8) ERROR 01-01 00:00:00 [core.py:1] ",
                "Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.",
            ),
            *raised(
                "(APIServer pid=7) ",
                "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
            ),
        ]
    )
    assert told(log) == ("RuntimeError: the real one", "Worker_TP1", 4)


def test_an_api_server_error_before_the_engines_does_not_hide_it() -> None:
    log = "\n".join(
        [
            *raised("(APIServer pid=7) ", "KeyError: 'harmless'"),
            *raised("(EngineCore pid=8) ", "ValueError: the real one"),
        ]
    )
    assert told(log)[0] == "ValueError: the real one"


def test_tracebacks_of_two_workers_are_taken_apart() -> None:
    first = raised("(VllmWorker rank=0 pid=1) ERROR 01-01 00:00:00 [m.py:1] ", "RuntimeError: of zero")
    second = raised("(VllmWorker rank=1 pid=2) ERROR 01-01 00:00:00 [m.py:1] ", "ValueError: of one")
    mixed = "\n".join(line for pair in zip(second, first, strict=True) for line in pair)
    findings = take_apart(read_lines(mixed))
    assert [(failure.line.process, failure.line.text) for failure in findings.failures] == [
        ("VllmWorker rank=1", "ValueError: of one"),
        ("VllmWorker rank=0", "RuntimeError: of zero"),
    ]
    assert told(mixed) == ("ValueError: of one", "VllmWorker rank=1", 7)


def test_in_a_chain_the_innermost_exception_is_the_root() -> None:
    assert told(
        """
        Traceback (most recent call last):
          File "a.py", line 1, in f
            g()
        socket.gaierror: [Errno -3] Temporary failure in name resolution

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "a.py", line 2, in h
            f()
        OSError: cannot download

        During handling of the above exception, another exception occurred:

        Traceback (most recent call last):
          File "a.py", line 3, in <module>
            h()
        RuntimeError: no model
        """
    ) == ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "", 4)


def test_the_name_of_a_process_stands_before_its_traceback() -> None:
    assert told(
        """
        Process SpawnProcess-1:
        Traceback (most recent call last):
          File "a.py", line 1, in f
            g()
        ValueError: boom
        Traceback (most recent call last):
          File "b.py", line 1, in <module>
        RuntimeError: Engine process failed to start. See stack trace for the root cause.
        """
    ) == ("ValueError: boom", "SpawnProcess-1", 5)


def test_what_processes_say_when_another_one_has_gone_is_not_the_root() -> None:
    log = "\n".join(
        [
            *raised("(Worker_TP0 pid=1) ", "BrokenPipeError: [Errno 32] Broken pipe"),
            *raised("(Worker_TP2 pid=3) ", "torch.distributed.DistBackendError: Connection reset by peer"),
            *raised("(Worker_TP3 pid=4) ", "SystemExit"),
            *raised("(Worker_TP1 pid=2) ", "ZeroDivisionError: division by zero"),
        ]
    )
    assert told(log)[0] == "ZeroDivisionError: division by zero"


def test_an_exception_without_a_message_shows_the_line_that_raised_it() -> None:
    assert told(
        """
        Traceback (most recent call last):
          File "rocm.py", line 66, in <module>
            assert val == cuda_val
                   ^^^^^^^^^^^^^^^
        AssertionError
        """
    ) == ("AssertionError at: assert val == cuda_val", "", 5)


def test_a_validation_error_shows_what_it_is_about() -> None:
    assert told(
        """
        (APIServer pid=7) Traceback (most recent call last):
        (APIServer pid=7)   File "a.py", line 1, in f
        (APIServer pid=7) pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
        (APIServer pid=7)   Value error, what is wrong [type=value_error]
        """
    )[0].startswith(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig Value error, what"
    )


def test_a_usage_error_is_a_real_error() -> None:
    assert told("usage: vllm serve [options]\nvllm serve: error: unrecognized arguments: --x")[2] == 2


def test_a_line_at_level_error_counts_where_there_is_no_traceback() -> None:
    log = "WARNING 01-01 00:00:00 [a.py:1] failed to be fast\nERROR 01-01 00:00:01 [a.py:1] the real one"
    assert told(log) == ("the real one", "", 2)


def test_a_traceback_in_a_warning_is_worth_less_than_an_error_line() -> None:
    log = "\n".join(
        [
            *raised("WARNING 01-01 00:00:00 [a.py:1] ", "ImportError: not needed"),
            "ERROR 01-01 00:00:01 [a.py:1] the real one",
        ]
    )
    assert told(log)[0] == "the real one"


def test_words_of_the_c_library_are_found_among_progress_bars() -> None:
    log = "Loading safetensors checkpoint shards:  50% Completed | 1/2\rSegmentation fault (core dumped)\n"
    assert told(log) == ("Segmentation fault (core dumped)", "", 1)


def test_wrappers_count_where_there_is_nothing_else() -> None:
    found = root("ERROR 01-01 00:00:00 [core.py:1] EngineCore failed to start.")
    assert found is not None
    assert (found.text, found.process) == ("EngineCore failed to start.", "EngineCore")


def test_an_ordinary_log_has_no_root_cause() -> None:
    assert root("INFO 01-01 00:00:00 [a.py:1] hello\nApplication startup complete.") is None


def test_a_line_of_another_process_in_the_middle_of_a_traceback_does_not_end_it() -> None:
    assert told(
        """
        Traceback (most recent call last):
          File "a.py", line 1, in f
        Loading safetensors checkpoint shards:  50% Completed | 1/2
            g()
        ValueError: boom
        """
    )[0] == ("ValueError: boom")


def test_the_first_few_different_errors_are_given_in_the_order_of_the_log() -> None:
    lines = [line for name in "abcabdefg" for line in raised("", f"ValueError: {name}")]
    errors = first_errors(take_apart(read_lines("\n".join(lines))))
    assert [error.text for error in errors] == [f"ValueError: {name}" for name in "abcde"[:3] + "de"]


def test_a_line_long_after_an_exception_is_not_part_of_its_message() -> None:
    between = "\n".join(f"INFO 01-01 00:00:00 [a.py:1] step {number}" for number in range(20))
    (failure,) = take_apart(
        read_lines("\n".join([*raised("", "ValueError: boom", "  more"), between, "later"]))
    ).failures
    assert [line.text for line in failure.details] == ["  more"]

"""A log is read line by line: whose each is, how grave, and what it says without its prefixes."""

from __future__ import annotations

import pytest

from orchestrator.diagnosis import lines as module
from orchestrator.diagnosis.lines import read_lines


@pytest.mark.parametrize(
    ("raw", "process", "level", "text"),
    [
        ("INFO 07-11 09:00:01 [__init__.py:239] hello", "", "INFO", "hello"),
        ("ERROR 07-11 09:00:01 [core.py:396] EngineCore failed to start.", "EngineCore", "ERROR", "EngineCore failed to start."),
        ("ERROR 07-11 09:00:01 [engine.py:448] boom", "engine process", "ERROR", "boom"),
        ("ERROR 11-25 08:17:34 multiproc_worker_utils.py:229] boom", "", "ERROR", "boom"),
        ("(VllmWorker rank=3 pid=406) ERROR 07-23 19:34:51 [multiproc_executor.py:435] boom", "VllmWorker rank=3", "ERROR", "boom"),
        ("(VllmWorkerProcess pid=760) INFO 07-24 08:25:45 utils.py:784] hello", "VllmWorkerProcess", "INFO", "hello"),
        ("(EngineCore_DP0 pid=43) ERROR 03-20 17:39:14 [core.py:1100] boom", "EngineCore_DP0", "ERROR", "boom"),
        ("(Worker_TP3 pid=812) WARNING 03-20 17:39:14 [v1/worker/utils.py:1] careful", "Worker_TP3", "WARNING", "careful"),
        ("(APIServer pid=7) Traceback (most recent call last):", "APIServer", "", "Traceback (most recent call last):"),
        ("(RayWorkerWrapper pid=4567, ip=10.0.0.2) boom [repeated 6x across cluster]", "RayWorkerWrapper", "", "boom"),
        ('\x1b[1;36m(EngineCore_0 pid=204)\x1b[0;0m   File "x.py"', "EngineCore_0", "", '  File "x.py"'),
        ("[rank0]: RuntimeError: boom", "rank0", "", "RuntimeError: boom"),
        ("[rank0]:[E321 02:07:08.408271257 ProcessGroupNCCL.cpp:607] [Rank 0] boom", "rank0", "ERROR", "[Rank 0] boom"),
        ("W1124 04:13:47.454000 7 torch/_library/triton.py:53] Triton", "", "WARNING", "Triton"),
        ('INFO:     127.0.0.1:52156 - "GET /health HTTP/1.1" 200 OK', "", "INFO", '127.0.0.1:52156 - "GET /health HTTP/1.1" 200 OK'),
        ("ERROR:    [Errno 98] in use", "", "ERROR", "[Errno 98] in use"),
        ("2026-11-24T04:09:55.578957884Z ERROR 07-11 09:00:01 [a.py:1] boom", "", "ERROR", "boom"),
        ("Bus error (core dumped)", "", "", "Bus error (core dumped)"),
        ("a\x07b\x1b]0;title\x07c\u202e", "", "", "ab]0;titlec"),
    ],
)  # fmt: skip
def test_prefixes_tell_process_and_level(raw: str, process: str, level: str, text: str) -> None:
    (line,) = read_lines(raw)
    assert (line.process, line.level, line.text) == (process, level, text)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    lines = read_lines(b"one\n\nthree\r\nfour 10%\rfour 20%\r\n\n")
    assert [(line.number, line.text) for line in lines] == [(1, "one"), (3, "three"), (4, "four 10%"), (4, "four 20%")]


@pytest.mark.parametrize("log", [b"one\ntwo", "one\ntwo", [b"one\n", "two\n"], ("one", b"two")])
def test_a_log_may_be_bytes_text_or_lines(log: bytes | str | list[bytes | str]) -> None:
    assert [(line.number, line.text) for line in read_lines(log)] == [(1, "one"), (2, "two")]


def test_what_is_no_text_is_read_all_the_same() -> None:
    assert [line.text for line in read_lines(b"\xff\xfe boom")] == ["\ufffd\ufffd boom"]
    assert [line.text for line in read_lines("\ud800 boom")] == ["? boom"]


def test_a_very_long_line_is_cut() -> None:
    (line,) = read_lines("x" * 1_000_000)
    assert len(line.text) == module.LONGEST_LINE


def test_of_a_huge_log_the_beginning_and_the_end_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_BYTES", 100)
    monkeypatch.setattr(module, "TAIL_BYTES", 100)
    lines = read_lines("\n".join(f"line {number}" for number in range(1, 1001)))
    assert [lines[0].text, lines[-1].text] == ["line 1", "line 1000"]
    assert len(lines) < 25
    assert all(line.text == f"line {line.number}" for line in lines)


def test_a_huge_line_at_the_end_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_BYTES", 10)
    monkeypatch.setattr(module, "TAIL_BYTES", 10)
    assert [(line.number, line.text) for line in read_lines("one\n" + "x" * 100)] == [(1, "one"), (2, "x" * 10)]

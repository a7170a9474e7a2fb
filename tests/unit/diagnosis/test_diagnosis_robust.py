"""No input makes a diagnosis fail, and none makes it slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.diagnosis import Evidence, diagnose, render, summary
from orchestrator.diagnosis.rules import RULES
from orchestrator.vllm.phases import Phase

PIECES = [
    "Traceback (most recent call last):",
    '  File "a.py", line 1, in f',
    "    g()",
    "ValueError: boom",
    "AssertionError",
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
    "Process EngineCore_0:",
    "(Worker_TP0 pid=1) ",
    "ERROR 01-01 00:00:00 [core.py:1] ",
    "[rank0]: ",
    "\r",
    "\x1b[31m",
    "No space left on device: /dev/shm",
]
logs = st.one_of(
    st.binary(),
    st.text(),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=20)).map("\n".join),
    st.lists(st.lists(st.sampled_from(PIECES), max_size=3).map("".join)),
    st.lists(st.binary() | st.text()),
)
evidences = st.builds(
    Evidence,
    phase=st.sampled_from(Phase) | st.text(),
    exit_code=st.none() | st.integers(),
    oom_killed=st.booleans(),
    engine_error=st.text(),
    log=logs,
    timed_out=st.booleans(),
    vllm_version=st.none() | st.text(),
)


@given(evidences)
@settings(max_examples=300, deadline=None)
def test_whatever_the_evidence_there_is_a_message_of_single_lines(evidence: Evidence) -> None:
    diagnosis = diagnose(evidence)
    lines = render(diagnosis, summary(evidence), "/logs/server.log")
    assert diagnosis.cause in {"unknown", *(rule.id for rule in RULES)}
    assert not any("\n" in line for line in lines[1:])


NOISE = {
    "info": b"INFO 07-11 09:00:01 [metrics.py:481] Avg prompt throughput: 12.5 tokens/s, Running: 3 reqs\n",
    "plain": b"request 4711 took 12.5 ms and returned 128 tokens to a client somewhere on the network\n",
    "error": b"ERROR 07-11 09:00:01 [a.py:1] request 4711 failed: something that no rule knows at all\n",
    "frames": b'  File "/opt/venv/lib/python3.11/site-packages/vllm/v1/engine/core.py", line 370, in run\n',
    "spaces": b" " * 1999 + b"\n",
    "letters": b"a" * 1999 + b"\n",
    "colons": b"a.a.a: " * 280 + b"\n",
    "libraries": b"ImportError: " + b"lib.so " * 280 + b"\n",
    "one line": b"No space left on device x",
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())
def test_a_noisy_log_of_a_hundred_megabytes_takes_seconds(noise: bytes) -> None:
    last = b"\nvllm serve: error: unrecognized arguments: --x\n"
    log = noise * (100_000_000 // len(noise)) + last
    began = time.process_time()
    diagnosis = diagnose(Evidence(exit_code=2, log=log))
    assert time.process_time() - began < 5
    assert diagnosis.cause in {"unknown-flag", "disk-full"}
    assert diagnosis.line_number is not None

"""Lines that differ in numbers alone are not all held against every rule, and nothing is lost by that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnosis import Evidence, diagnose, matching
from orchestrator.diagnosis.rootcause import RootCause

if TYPE_CHECKING:
    import pytest

START = "INFO 02-03 04:05:06 [api_server.py:1839] vLLM API server version 0.11.2"
ALIKE = [f"ERROR 02-03 04:05:07 [a.py:1] step {number} was lost" for number in range(500)]


def judged(*lines: str) -> str:
    return diagnose(Evidence(exit_code=1, log="\n".join((START, *lines)).encode())).cause


def test_of_many_lines_alike_only_the_first_are_held_against_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def counted(text: str, number: int, process: str, *, chain: int = 0) -> RootCause:
        looked_at.append(text)
        return RootCause(text, number, process, chain=chain)

    monkeypatch.setattr(matching, "RootCause", counted)
    assert judged(*ALIKE) == "unknown"
    assert matching.ALIKE <= len(looked_at) <= matching.ALIKE + 5


def test_a_cause_after_many_lines_alike_is_found() -> None:
    raised = "ValueError: No common block size for 24 (CPU_ATTN: [MultipleOf(32)])"
    assert judged(*ALIKE, f"ERROR 02-03 04:05:08 [core.py:9] {raised}") == "block-size-refused"


def test_lines_of_another_level_are_not_alike() -> None:
    taken = "[Errno 98] error while attempting to bind on address ('0.0.0.0', {}): address already in use"
    warned = [f"WARNING 02-03 04:05:07 [a.py:1] {taken.format(8000 + number)}" for number in range(40)]
    assert judged(*warned, f"ERROR 02-03 04:05:08 [a.py:1] {taken.format(9000)}") == "port-in-use"

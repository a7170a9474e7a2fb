"""The page of causes is the rules'."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.diagnosis.readable import anchors, readable
from orchestrator.diagnosis.reference import reference
from orchestrator.diagnosis.rules import RULES

PAGE = Path(__file__).parents[3] / "docs" / "causes.md"


def test_the_committed_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m orchestrator.diagnosis.reference > docs/causes.md"
    )


def test_running_the_module_writes_the_page() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "orchestrator.diagnosis.reference"], capture_output=True, check=True, text=True
    )
    assert run.stdout == reference()


def test_every_cause_has_a_row_of_four_cells() -> None:
    rows = {line.split("`")[1]: line for line in reference().splitlines() if line.startswith("| `")}
    assert set(rows) == {rule.id for rule in RULES}
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows.values()} == {6}


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        (r"please set tensor_parallel_size \((?P<asked>\d+)\)", ["please set tensor_parallel_size (<asked>)"]),
        (r"(?:HIP|CUDA) out of memory\b", ["HIP out of memory"]),
        (r"^one$|two", ["one", "two"]),
        (r"[Uu]nable to find \S+ in (?:the )?file", ["Unable to find … in file"]),
        (r"models?: .*\d+", ["model: …"]),
        (r"a{2,3}b(?!x)c*", ["ab"]),
        (r"'(?P<path>[^']*)'\.", ["'<path>'."]),
        (r"[\w.]+ error", ["… error"]),
        (r"exit code -4)", ["exit code -4"]),
    ],
)
def test_an_expression_is_shown_as_the_text_it_stands_for(expression: str, texts: list[str]) -> None:
    assert readable(expression) == texts


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (r"(?:HIP|CUDA) out of memory\b", [" out of memory"]),
        (r"one thing|(?P<n>\d+) other things?", ["one thing", " other thing"]),
        (r"abc+def \(x\)", ["def (x)"]),
        (r"(?:only one)+ way|[Uu]nable", [" way", "nable"]),
        (r"(?P<a>exactly)\.this(?!not)", ["exactly.this"]),
    ],
)
def test_a_line_that_matches_an_expression_holds_these_words(expression: str, words: list[str]) -> None:
    assert anchors(expression) == words


def test_an_expression_that_demands_no_words_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to look for"):
        anchors(r"long enough|\S+ \d+")

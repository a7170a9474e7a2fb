"""What users read is what the code does: the page of commands, and the columns that the glossaries explain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from samples import a_manifest, a_record

import orchestrator
from orchestrator.cli.reference import MEANINGS, RESERVED, VARIABLES, reference
from orchestrator.errors import ExitCode
from orchestrator.metrics.values import STATISTICS
from orchestrator.report.table import GUIDE_COLUMNS, wide_row

SOURCES = Path(orchestrator.__file__).parent
PAGE = SOURCES.parent / "docs" / "cli.md"


def source_texts() -> str:
    here = (SOURCES / "cli" / "reference.py", SOURCES / "errors.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py")) if path not in here)


def test_the_committed_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "docs/cli.md is stale: make generated"


def test_every_exit_code_is_explained() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_an_exit_code_is_called_reserved_as_long_as_nothing_ends_in_it() -> None:
    used = {code for code in ExitCode if f"ExitCode.{code.name}" in source_texts()}
    raised = {ExitCode.RUN_FAILED, ExitCode.USAGE, ExitCode.ENVIRONMENT, ExitCode.TEARDOWN_INCOMPLETE, ExitCode.BUSY}
    assert set(ExitCode) - used - raised == RESERVED


def test_every_variable_of_orch_is_explained() -> None:
    named = set(re.findall(r"\bORCH_[A-Z_]+\b", source_texts()))
    assert named <= set(VARIABLES)


def test_no_control_character_of_click_reaches_the_page() -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", reference())


@pytest.mark.parametrize("page", ["metrics.md", "metrics.zh-CN.md"])
def test_every_column_is_in_the_glossary(page: str) -> None:
    text = (PAGE.parent / page).read_text(encoding="utf-8")
    of_a_latency = re.compile(rf"({'|'.join(STATISTICS)})_(?=\w+_ms$)")
    columns = {of_a_latency.sub("mean_", column) for column in wide_row(a_manifest(), a_record(), None)}
    explained = {f"`{word}`" for word in (*columns, *GUIDE_COLUMNS, *STATISTICS)}
    assert {word for word in explained if word not in text} == set()

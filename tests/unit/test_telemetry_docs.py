"""The page on telemetry names every source, column, gap and reason that there is."""

from __future__ import annotations

import re
from pathlib import Path

import fake_cards
import pytest

from orchestrator.accelerators.outputs.values import COLUMNS, FAULTS
from orchestrator.accelerators.tools import TOOLS
from orchestrator.metrics.readings import Quality
from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.samples import GAPS
from orchestrator.telemetry.sources import sources_of

PAGE = (Path(__file__).parents[2] / "docs/telemetry.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("told", [GAPS, FAULTS])
def test_every_reason_stands_on_the_page_as_the_code_says_it(told: dict[str, str]) -> None:
    assert [name for name, text in told.items() if f"| `{name}` | {text} |" not in PAGE] == []


def test_every_column_of_a_device_letter_and_file_stands_on_the_page() -> None:
    words = set(re.findall(r"`([^`]+)`", PAGE))
    assert set(COLUMNS) - words == set()
    assert {quality.value for quality in Quality} - words == set()
    assert FILE in words


def test_every_source_stands_on_the_page(tmp_path: Path) -> None:
    words = set(re.findall(r"`([^`]+)`", PAGE))
    fake_cards.cards(tmp_path, 1)
    names = {source.name for source in sources_of(fake_cards.CONTAINER, lambda: None, lambda: False, tmp_path)}
    names |= {name for tools in TOOLS.values() for tool in tools for name in tool.names} | {"nvml", "clock"}
    assert names - words == set()

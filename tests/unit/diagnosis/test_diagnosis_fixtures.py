"""F2: each cause is found in the text of a real failure, and nothing else is."""

from __future__ import annotations

import pytest
from diagnosis_fixtures import FIXTURES, Fixture

from orchestrator.diagnosis import diagnose
from orchestrator.diagnosis.lines import read_lines
from orchestrator.diagnosis.readable import anchors
from orchestrator.diagnosis.rule import Strength
from orchestrator.diagnosis.rules import RULES

CAUSES = [rule.id for rule in RULES]
WIDER = {"not-executable": {"permission-denied"}, "shm-too-small": {"disk-full"}}
"""Causes whose text another one has too, and that win over it."""
PATTERNS = [pattern for rule in RULES for pattern in (*rule.log, *rule.quiet, *rule.engine)]


def by_name(fixture: Fixture) -> str:
    return fixture.name


@pytest.mark.parametrize("fixture", FIXTURES, ids=by_name)
def test_the_cause_of_a_real_failure_is_named(fixture: Fixture) -> None:
    assert diagnose(fixture.evidence).cause == fixture.cause


@pytest.mark.parametrize("fixture", [one for one in FIXTURES if "root" in one.head], ids=by_name)
def test_the_root_cause_line_is_the_first_real_error(fixture: Fixture) -> None:
    diagnosis = diagnose(fixture.evidence)
    assert diagnosis.root_line.startswith(fixture.head["root"])
    assert diagnosis.process == fixture.head.get("process", "")


@pytest.mark.parametrize("fixture", [one for one in FIXTURES if one.evidence.log], ids=by_name)
def test_the_root_cause_line_can_be_found_in_the_log_by_its_number(fixture: Fixture) -> None:
    diagnosis = diagnose(fixture.evidence)
    if diagnosis.line_number is not None:
        assert isinstance(fixture.evidence.log, bytes)
        line = fixture.evidence.log.decode().split("\n")[diagnosis.line_number - 1]
        beginning, _, _ = diagnosis.root_line.partition(" at: ")[0].partition(" what(): ")
        assert beginning.removesuffix("…")[:40] in line


@pytest.mark.parametrize("fixture", FIXTURES, ids=by_name)
def test_the_root_cause_line_belongs_to_one_cause(fixture: Fixture) -> None:
    line = diagnose(fixture.evidence).root_line
    is_engine = bool(fixture.evidence.engine_error)
    fitting = {
        rule.id
        for rule in RULES
        if rule.strength < Strength.SYMPTOM
        for pattern in (rule.engine if is_engine else rule.log)
        if pattern.search(line)
    }
    assert fitting - {fixture.cause} <= WIDER.get(fixture.cause, set())


def test_looking_for_words_first_misses_no_line() -> None:
    logs = [fixture.evidence.log or fixture.evidence.engine_error for fixture in FIXTURES]
    texts = {line.text for log in logs for line in read_lines(log)}
    for pattern in PATTERNS:
        words = anchors(pattern.pattern)
        assert not [text for text in texts if not any(word in text for word in words) and pattern.search(text)]


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_a_fixture(cause: str) -> None:
    assert cause in {fixture.cause for fixture in FIXTURES}


def test_every_fixture_belongs_to_a_cause_and_says_where_it_is_from() -> None:
    assert {fixture.cause for fixture in FIXTURES} <= {*CAUSES, "unknown"}
    assert [fixture.name for fixture in FIXTURES if not fixture.head.get("source")] == []


@pytest.mark.parametrize("fixture", FIXTURES, ids=by_name)
def test_advice_names_what_the_text_names_and_leaves_no_place_open(fixture: Fixture) -> None:
    diagnosis = diagnose(fixture.evidence)
    assert diagnosis.advice
    assert not [line for line in diagnosis.advice if "{" in line.replace("{{", "").replace("{m", "").replace("{n", "")]

"""Rules are data that holds together: names, places, keys of the profile, expressions that cannot run away."""

from __future__ import annotations

import re

import pytest

from orchestrator.diagnosis.rule import Rule, fill, fill_title
from orchestrator.diagnosis.rules import RULES
from orchestrator.profile.schema.profile import Profile

PATTERNS = [
    pytest.param(pattern, id=f"{rule.id}-{index}")
    for rule in RULES
    for index, pattern in enumerate((*rule.log, *rule.quiet, *rule.source, *rule.engine))
]
PLACE = re.compile(r"(?<!\{)\{(\w+)\}")
KEY = re.compile(r"\b(container|server|health|bench)\.([a-z_]+)")


def named(rule: Rule) -> str:
    return rule.id


def forms(rule: Rule) -> list[str]:
    return [form for advice in rule.advice for form in ((advice,) if isinstance(advice, str) else advice)]


def test_no_cause_has_the_name_of_another() -> None:
    names = [rule.id for rule in RULES]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_cause_can_be_recognised_and_says_why_and_what_to_do(rule: Rule) -> None:
    assert rule.log or rule.quiet or rule.source or rule.engine or rule.exit_codes or rule.is_oom
    assert rule.why.endswith(".")
    assert rule.advice


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_title_and_advice_name_only_what_some_text_can_name(rule: Rule) -> None:
    groups = {name for pattern in (*rule.log, *rule.source, *rule.engine) for name in pattern.groupindex}
    places = {place for text in (rule.title, *forms(rule)) for place in PLACE.findall(text)}
    assert places <= groups | {"version"}


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_advice_names_keys_that_a_profile_has(rule: Rule) -> None:
    sections = {name: field.annotation for name, field in Profile.model_fields.items()}
    sections["bench"] = Profile.model_fields["bench"].annotation.__args__[0]  # type: ignore[union-attr]
    for section, key in KEY.findall(" ".join((rule.title, rule.why, *forms(rule), *rule.notes.values()))):
        assert key in sections[section].model_fields, f"{section}.{key}"  # type: ignore[union-attr]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_expression_repeats_a_repetition(pattern: re.Pattern[str]) -> None:
    assert not re.search(r"\([^()]*[*+][^()]*\)[*+]", pattern.pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_expression_matches_an_ordinary_line(pattern: re.Pattern[str]) -> None:
    ordinary = (
        "",
        "Starting to load model /data/model/DeepSeek-R1-awq...",
        "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01,  1.2it/s]",
        "Application startup complete.",
        "  warnings.warn('resource_tracker: There appear to be %d '",
    )
    assert not [line for line in ordinary if pattern.search(line)]


def test_of_the_forms_of_an_advice_the_first_that_can_be_filled_is_used() -> None:
    advice = ("at most {derived}", "less")
    assert fill(advice, {"derived": "4096"}) == "at most 4096"
    assert fill(advice, {}) == "less"
    assert fill("at most {derived}", {"derived": ""}) is None


def test_a_title_shows_what_is_not_known_as_an_ellipsis() -> None:
    assert fill_title("no command {command}", {}) == "no command …"
    assert fill_title("no command {command}", {"command": "vllm"}) == "no command vllm"

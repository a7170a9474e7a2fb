"""Promise V7: Every form of a vendor's output is read right, with all of its figures, or refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_forms import FORMS, Form

from orchestrator.accelerators.outputs.reading import read_output
from orchestrator.accelerators.outputs.throttling import WORDS, of_amd, of_nvidia
from orchestrator.accelerators.outputs.values import FAULTS, Card
from orchestrator.metrics.readings import Quality


def key_of(card: Card, form: Form) -> Any:
    return card.index if card.index in form.cards else (card.index, card.address, card.part)


def plain(card: Card) -> dict[str, Any]:
    return {
        name: each.value if each.quality in (Quality.OK, Quality.ABSENT) else (each.value, each.quality.value)
        for name, each in card.figures.items()
    }


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_a_form_is_read_right_or_refused_with_its_reason(form: Form) -> None:
    output = read_output(form.text, form.fields)
    assert {key_of(card, form): plain(card) for card in output.cards} == form.cards
    assert {fault.id for fault in output.faults} == set(form.faults)
    assert output.cards or output.faults


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_an_output_that_is_cut_off_anywhere_gives_no_figure_that_the_whole_one_does_not_give(form: Form) -> None:
    """A figure at the cut itself may have lost its last digits, so cuts are made between lines."""
    whole = {key_of(card, form): card.figures for card in read_output(form.text, form.fields).cards}
    lines = form.text.splitlines(keepends=True)
    for length in range(len(lines)):
        for card in read_output("".join(lines[:length]), form.fields).cards:
            known = whole.get(key_of(card, form)) or {}
            believed = {name: each.value for name, each in card.figures.items() if each.quality is Quality.OK}
            wrong = {name for name, value in believed.items() if name in known and known[name].value != value}
            assert wrong == set()


@given(st.text(), st.sampled_from([form.fields for form in FORMS]))
def test_nothing_that_a_tool_may_print_is_an_error(text: str, fields: tuple[str, ...]) -> None:
    output = read_output(text, fields)
    assert output.cards or output.faults
    assert {fault.id for fault in output.faults} <= set(FAULTS)


@given(st.sampled_from(FORMS), st.data())
def test_a_garbled_output_is_no_error(form: Form, data: st.DataObject) -> None:
    text = form.text
    at = data.draw(st.integers(0, len(text)))
    output = read_output(
        text[:at] + data.draw(st.text(max_size=8)) + text[at + data.draw(st.integers(0, 40)) :], form.fields
    )
    assert output.cards or output.faults


@pytest.mark.parametrize(
    ("reasons", "word"),
    [
        (0x0, "none"),
        (0x1, "none"),
        (0x2, "none"),
        (0x4, "power"),
        (0x80, "power"),
        (0x20, "thermal"),
        (0x44, "thermal"),
        (0x8, "other"),
        (0x10, "other"),
    ],
)
def test_the_reasons_of_nvidia_become_one_word(reasons: int, word: str) -> None:
    assert of_nvidia(reasons) == word


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (0, "none"),
        (1 << 3, "power"),
        (1 << 17, "power"),
        (1 << 33, "thermal"),
        (1 << 33 | 1, "thermal"),
        (1 << 60, "other"),
    ],
)
def test_the_status_of_amd_becomes_one_word(status: int, word: str) -> None:
    assert of_amd(status) == word
    assert word in WORDS

"""Promise F5: a refusal that no text knows is named by the part of vLLM that raised it; nothing else is."""

from __future__ import annotations

import pytest
from diagnosis_logs import FORMS, HEADER, SITE, Form, echoes, frames, start

from orchestrator.diagnosis import UNKNOWN, Evidence, diagnose
from orchestrator.diagnosis.rules import RULES

REFUSAL = "The heron is refused for reasons of its own."
PLACES = [(rule.id, place) for rule in RULES for place in rule.raised_in]


def named(form: Form, file: str, error: str) -> str:
    lines = [
        form.worker_opening,
        HEADER,
        *frames("worker_main"),
        f'  File "{file}", line 88, in check',
        "    raise",
        error,
    ]
    log = [*start(form), *form.at(form.worker, "ERROR", form.worker_file, *lines), *echoes(form, [error])]
    return diagnose(Evidence(exit_code=1, log="\n".join(log).encode())).cause


def file_in(place: str) -> str:
    return f"{SITE}/vllm/model_executor{place}{'' if place.endswith('.py') else 'part.py'}"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize(("cause", "place"), PLACES)
def test_a_refusal_is_named_by_the_part_that_raised_it(form: Form, cause: str, place: str) -> None:
    assert named(form, file_in(place), f"ValueError: {REFUSAL}") == cause
    assert named(form, file_in(place), f"NotImplementedError: {REFUSAL}") == cause
    assert named(form, file_in(place), f"AssertionError: {REFUSAL}") == cause
    assert named(form, file_in(place), f"vllm.exceptions.VLLMValidationError: {REFUSAL}") == cause


@pytest.mark.parametrize(("cause", "place"), PLACES)
def test_what_is_no_refusal_is_not_named_by_its_place(cause: str, place: str) -> None:
    for error in (
        f"RuntimeError: {REFUSAL}",
        "ValueError: too many values to unpack (expected 3)",
        "ValueError: 7 is not in list",
        "KeyError: 'heron'",
        "AssertionError",
    ):
        assert named(FORMS[0], file_in(place), error) == UNKNOWN, (cause, error)


def test_a_text_that_is_known_says_more_than_the_place() -> None:
    error = "ValueError: Unknown quantization method: heron. Must be one of ['awq']."
    assert named(FORMS[0], file_in("/vllm/lora/"), error) == "quantization-unknown"


def test_a_refusal_elsewhere_stays_unknown() -> None:
    assert named(FORMS[0], f"{SITE}/vllm/v1/worker/heron.py", f"ValueError: {REFUSAL}") == UNKNOWN

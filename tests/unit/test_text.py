"""What is said keeps what it is made of."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from orchestrator.errors import Busy, ContainerGone, PortTaken
from orchestrator.text import Text, said

LATE = Text("{what} took {taken_s:.1f} s of {allowed_s:g}", what="the pull", taken_s=12.34, allowed_s=10)


def test_a_text_reads_as_what_it_says() -> None:
    assert LATE == "the pull took 12.3 s of 10"
    assert f"{LATE}." == "the pull took 12.3 s of 10."


def test_a_text_keeps_its_template_and_its_fields() -> None:
    assert LATE.template == "{what} took {taken_s:.1f} s of {allowed_s:g}"
    assert LATE.fields == {"what": "the pull", "taken_s": 12.34, "allowed_s": 10}


def pickled(text: Text) -> Text:
    copied: Text = pickle.loads(pickle.dumps(text))  # noqa: S301 - it is what was written the moment before
    return copied


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_keeps_them_too(again: Callable[[Text], Text]) -> None:
    copied = again(LATE)
    assert (copied, copied.template, copied.fields) == (LATE, LATE.template, LATE.fields)


def test_as_plain_data_it_says_both_and_a_text_within_does_so_too() -> None:
    outer = Text("{why}; twice: {names}", why=LATE, names=("a", "b"))
    data = json.loads(json.dumps(said(outer)))
    assert data["text"] == str(outer)
    assert data["fields"]["why"] == said(LATE)
    assert data["fields"]["names"] == ["a", "b"]


def test_a_sentence_without_fields_is_its_own_template() -> None:
    plain = "write {from_env: NAME}"
    assert str(said(plain)["template"]).format() == plain


def test_an_error_is_known_by_the_id_of_its_kind() -> None:
    assert [kind.kind() for kind in (Busy, ContainerGone, PortTaken)] == ["busy", "container-gone", "port-taken"]


def test_an_error_as_plain_data_says_what_its_sentence_is_made_of() -> None:
    data = PortTaken(Text("port {port} is in use", port=8000), "See: ss").data()
    assert (data["id"], data["message"], data["hint"]) == ("port-taken", "port 8000 is in use", "See: ss")
    assert data["said"]["message"]["fields"] == {"port": 8000}

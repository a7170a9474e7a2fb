"""Promise S1: a secret occurs in nothing that passes through, however it is written and wherever it is cut."""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from samples import CANARY

from orchestrator.mask import MASKED, Mask

secrets = st.text(min_size=4, max_size=20)
pieces_of = st.lists(st.integers(min_value=0, max_value=200), max_size=8)


def written(value: str) -> dict[str, bytes]:
    raw = value.encode()
    return {
        "as it is": raw,
        "base64": base64.b64encode(raw),
        "base64 for URLs": base64.urlsafe_b64encode(raw),
        "base64 without padding": base64.b64encode(raw).rstrip(b"="),
        "URL escapes": urllib.parse.quote(value, safe="").encode(),
        "form escapes": urllib.parse.quote_plus(value).encode(),
        "JSON": json.dumps(value)[1:-1].encode(),
        "JSON beyond ASCII": json.dumps(value, ensure_ascii=False)[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
    }


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("form", written(CANARY))
def test_a_secret_is_masked_however_it_is_written(form: str) -> None:
    assert Mask([CANARY]).apply(b"before " + written(CANARY)[form] + b" after") == b"before " + MASKED + b" after"


@given(secrets, st.sampled_from(sorted(written("x"))), st.text(), st.text(), pieces_of)
def test_a_secret_is_masked_wherever_the_log_is_cut(
    value: str, form: str, before: str, after: str, places: list[int]
) -> None:
    assume(value.encode() not in MASKED)
    data = before.encode() + written(value)[form] + after.encode()
    out = b"".join(Mask([value]).stream(cut(data, places)))
    assert not [name for name, text in written(value).items() if text in out.replace(MASKED, b"\n\0\n")]
    assert MASKED in out


@given(
    st.text("ab", min_size=2, max_size=6),
    st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=2),
    st.lists(st.text("abc", max_size=6), max_size=6),
    pieces_of,
)
def test_a_secret_that_begins_or_lies_in_another_is_masked_as_in_one_piece(
    value: str, more: list[str], between: list[str], places: list[int]
) -> None:
    values = [value, value + more[0], *(f"b{value}{rest}" for rest in more[1:])]
    mask = Mask(values)
    data = "".join(text + values[number % len(values)] for number, text in enumerate(between)).encode()
    assert b"".join(mask.stream(cut(data, places))) == mask.apply(data)


@pytest.mark.parametrize("place", range(len("abc123def456")))
def test_no_end_of_a_longer_secret_is_left_where_it_is_cut(place: int) -> None:
    mask = Mask(["abc123", "abc123def456"])
    assert b"".join(mask.stream(cut(b"abc123def456", [place]))) == MASKED


@given(st.lists(secrets, max_size=3), st.binary(), pieces_of)
def test_what_holds_no_secret_passes_through_untouched(values: list[str], data: bytes, places: list[int]) -> None:
    mask = Mask(values)
    assume(mask.apply(data) == data)
    assert b"".join(mask.stream(cut(data, places))) == data


def test_several_secrets_are_masked_the_longer_one_first() -> None:
    mask = Mask(["abcd", "abcdef"])
    assert mask.apply(b"abcdef abcd") == MASKED + b" " + MASKED


def test_without_secrets_nothing_waits() -> None:
    assert list(Mask().stream([b"a", b"", b"b"])) == [b"a", b"", b"b"]
    assert Mask([""]).apply(b"text") == b"text"


def test_only_what_could_become_a_secret_waits() -> None:
    stream = Mask(["secret"]).stream([b"line\nse", b"ven\nsecr", b"et\n"])
    assert list(stream) == [b"line\n", b"seven\n", MASKED + b"\n"]


@pytest.mark.parametrize("place", [0, 5, 14, 20, 36, 60])
def test_a_secret_of_several_lines_is_masked_where_another_stream_comes_in_between(place: int) -> None:
    mask = Mask(["the first line\nthe second line\nend"])
    said = b"Error: the first line\nINFO ready\nthe second line\nend\n"
    pieces = [said[:place], said[place:]]
    assert b"".join(mask.stream(pieces)) == b"Error: ********\nINFO ready\n********\nend\n"


def test_a_secret_of_several_lines_is_masked_in_one_piece_where_it_stands_in_one() -> None:
    assert (
        Mask(["the first line\nthe second line\nend"]).apply(b"<the first line\nthe second line\nend>") == b"<********>"
    )

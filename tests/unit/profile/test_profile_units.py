"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from orchestrator.units import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("1k", 1024), ("512m", 2**29), ("64G", 2**36), ("1.5GiB", 3 * 2**29), ("2 TB", 2**41), ("5b", 5)],
)  # fmt: skip
def test_sizes_are_multiples_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "1x", "-1", "1 2", "64 Gigs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1h 30m", 5400), ("250ms", 0.25), ("2d", 172800)],
)  # fmt: skip
def test_durations_are_seconds_or_parts_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1y", "-1s", "1h-1m", "1h foo"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (750, "12m 30s"), (3900, "1h 05m")]
)
def test_durations_are_shown_by_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text

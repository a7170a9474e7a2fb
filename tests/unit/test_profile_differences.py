"""What differs between two profiles is told key by key."""

from __future__ import annotations

from typing import Any

import pytest
from samples import a_profile

from orchestrator.profile.difference import differences

CASES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"a": {"x": 1}}, {"a": {"x": 1}}, []),
    ({"a": {"x": 1}}, {"a": {"x": 2}}, ["a.x: 1 → 2"]),
    ({"a": {"x": 1}}, {"a": {}}, ["a.x: 1 → nothing"]),
    ({"a": {}}, {"a": {"x": False}}, ["a.x: nothing → false"]),
    ({"a": {"x": {"y": "é"}}}, {"a": {"x": {"y": "z"}}}, ['a.x.y: "é" → "z"']),
    ({"a": {"x": {"y": 1}}}, {"a": {"x": 5}}, ['a.x: {"y": 1} → 5']),
    ({"a": {"x": [1, 2]}}, {"a": {"x": [2, 1]}}, ["a.x: [1, 2] → [2, 1]"]),
    ({"a": {"x": 1, "y": 1}}, {"a": {"y": 2, "x": 2, "z": 3}}, ["a.x: 1 → 2", "a.y: 1 → 2", "a.z: nothing → 3"]),
    ({"a": {"x": 1}, "b": 1}, {"a": {"x": 1}, "b": 2}, []),
    ({}, {"a": {"x": 1}}, ['a: nothing → {"x": 1}']),
    ({"a": "x"}, {"a": "y"}, ['a: "x" → "y"']),
]


@pytest.mark.parametrize(("before", "after", "lines"), CASES, ids=str)
def test_a_difference_is_told_by_its_key(before: dict[str, Any], after: dict[str, Any], lines: list[str]) -> None:
    assert differences(before, after, ("a",)) == lines


def test_sections_are_told_in_the_order_they_are_asked_for() -> None:
    before, after = {"a": 1, "b": 1}, {"a": 2, "b": 2}
    assert differences(before, after, ("b", "a")) == ["b: 1 → 2", "a: 1 → 2"]


def test_two_resolved_profiles_are_compared_as_plain_data() -> None:
    one, other = a_profile(), a_profile(container={"mounts": ["/data:/data:ro"]}, server={"port": 8010})
    assert differences(one.model_dump(mode="json"), other.model_dump(mode="json"), ("container", "server")) == [
        'container.mounts: [] → [{"source": "/data", "target": "/data", "read_only": true}]',
        "server.port: 8000 → 8010",
    ]

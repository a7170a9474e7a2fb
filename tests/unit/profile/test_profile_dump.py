"""S2: a resolved profile written out loads back to an equal one, every text byte for byte."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.profile.dump import dump_profile
from orchestrator.profile.reading.load import load_profile
from orchestrator.profile.reading.stored import read_stored
from orchestrator.profile.schema.mount_text import VARIABLE
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.document import parse
from orchestrator.profile.text.scalars import Dumper
from orchestrator.profile.text.tree import plain

HOSTILE = (
    *("", " ", "no", "Yes", "on", "true", "null", "~", "010", "1e3", "1_000", "0x1f", "1:30", ".inf", ".nan", "inf"),
    *("<<", "=", "-", "--", "- a", "? a", "a: b", "a #b", "#", "&a", "*a", "!a", "%a", "@a", "`a`", "{", "[", "]", ","),
    *("2026-01-01", "$(rm -rf /)", "`id`", "a'b\"c\\d", "\n", "a\n", "\na", "a\n\n b\n", "\t", "\ta", "a\tb", "\r\n"),
    *("\x85", "\u2028", "\ufeff", "\x7f", "\x1b[31m", "中文", "😀", "  lead", "trail  ", "x" * 500, "|", ">", "'", '"'),
    *("+1", "-1", "1.", ".5", "5e-1", "...", "---", "--- a", "a:", ":a", ": a", "a" * 200 + " " + "b" * 200),
)


def is_written_out(path: str) -> bool:
    """Say whether a path holds nothing that a shell would put a value in for; a profile with one is refused."""
    return VARIABLE.search(path) is None


characters = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
texts = st.text(characters, max_size=60) | st.sampled_from(HOSTILE)
some_text = texts.filter(bool)
env_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
flag_names = st.from_regex(r"[a-z][A-Za-z0-9_-]{0,10}", fullmatch=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
mounts = st.fixed_dictionaries(
    {"source": texts.filter(is_written_out).map("/".__add__), "target": st.just("/t")},
    optional={"read_only": st.booleans(), "propagation": st.sampled_from(["rslave", "shared"])},
).map(lambda mount: [mount]) | st.sampled_from(["cache:/t", "/a:/t:ro,Z"])
env_values = texts | st.builds(lambda name: {"from_env": name}, env_names) | st.just({"from_file": "/run/secret"})
inherited = st.sampled_from([{"inherit": True}, {"inherit": "if-set"}])
counts = st.integers(1, 10**6)


def looks_like_flags(value: object) -> bool:
    """Say whether a list holds what a parser would take for another flag; a profile with one is refused."""
    return isinstance(value, list) and any(str(item).startswith("-") for item in value)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    flags = draw(st.dictionaries(flag_names.map(lambda name: "f-" + name), json_values.filter(lambda v: v is not None)))
    flags = {name.replace("_", "-"): value for name, value in flags.items() if not looks_like_flags(value)}
    data: dict[str, Any] = {
        "name": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
        "description": draw(texts),
        "container": {
            "image": draw(st.from_regex(r"[a-z0-9./:@-]{1,30}", fullmatch=True)),
            "mounts": draw(mounts),
            "labels": draw(st.dictionaries(some_text.map("x".__add__), some_text, max_size=2)),
            "sysctls": draw(st.dictionaries(some_text, st.integers(0, 9) | some_text, max_size=2)),
            "tmpfs": draw(st.just([]) | st.just("/run:size=1g,mode=0755")),
            "cpus": draw(st.none() | st.floats(0.01, 100).map(lambda value: round(value, 3))),
            "workdir": draw(st.none() | texts.map("/".__add__)),
            "env_file": draw(st.lists(texts.filter(is_written_out).map("/".__add__), max_size=1)),
            "shm_size": draw(st.none() | st.integers(0, 2**60)),
            "gpus": draw(st.none() | st.just("all") | counts | st.lists(st.from_regex(r"[A-Za-z0-9:-]{1,9}", fullmatch=True), min_size=1, max_size=2)),
            "group_add": draw(st.lists(some_text, max_size=2)),
            "user": draw(st.none() | some_text),
            "ulimits": draw(st.dictionaries(st.from_regex("[a-z]{1,9}", fullmatch=True), st.just({"soft": 1, "hard": -1}), max_size=2)),
            "env": draw(st.dictionaries(env_names, env_values | inherited, max_size=3)),
        },
        "server": {"model": draw(some_text), "flags": flags, "env": draw(st.dictionaries(env_names, env_values, max_size=3))},
        "health": {"deadline": draw(st.floats(1e-6, 3e7)), "expected": {"weights": draw(st.floats(1e-6, 3e7))}},
        "bench": {
            "lengths": draw(st.lists(st.tuples(counts, counts), min_size=1, max_size=2) | st.just({"input": [1], "output": [2]})),
            "request_rate": draw(st.lists(st.just("inf") | st.floats(1e-6, 1e6), min_size=1, max_size=2)),
            "num_prompts": [draw(counts)],
            "client_flags": flags,
        },
    }  # fmt: skip
    return Profile.model_validate(data)


def reload(text: str) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "other.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        return load_profile(str(path), [])


@given(profiles())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_resolved_profile_loads_back_to_an_equal_one(profile: Profile) -> None:
    text = dump_profile(profile)
    again = reload(text)
    assert again == profile
    assert again.model_dump_json() == profile.model_dump_json()
    assert dump_profile(again) == text
    assert yaml.safe_load(text) == profile.model_dump(mode="json"), "readable by any other YAML reader too"


@given(profiles())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_profile_on_record_is_read_as_the_one_that_was_written_down(profile: Profile) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.yaml"
        path.write_text(dump_profile(profile), encoding="utf-8", newline="")
        stored = read_stored(path)
    assert stored.profile == profile
    assert stored.profile.model_dump_json() == profile.model_dump_json()
    assert (stored.note(), stored.refused()) == ("", ())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_survive_as_value_and_as_key(text: str) -> None:
    written = yaml.dump({text: [text, {text: text}]}, Dumper=Dumper, allow_unicode=True, width=float("inf"))
    document = parse(written, "f")
    assert document.faults == ()
    assert document.root is not None
    assert plain(document.root) == {text: [text, {text: text}]}


def test_a_value_that_occurs_twice_is_written_twice() -> None:
    value = ["a"]
    assert yaml.dump({"x": value, "y": value}, Dumper=Dumper) == "x:\n- a\ny:\n- a\n"

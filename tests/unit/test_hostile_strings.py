"""S2: whatever stands in any string of a profile reaches docker and the client exactly, or the profile is refused."""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING, Any

import docker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.engine.create import create_arguments
from orchestrator.errors import EnvironmentFault
from orchestrator.plan.bench_command import bench_argv, client_target
from orchestrator.plan.container import Identity, container_spec
from orchestrator.plan.sweep import sweep
from orchestrator.profile.schema.profile import Profile
from orchestrator.vllm.client import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE: dict[str, Any] = {
    "name": "whole",
    "description": "all of it",
    "container": {
        "image": "image:1",
        "pull": "never",
        "devices": ["/dev/one", {"source": "/dev/two", "target": "/dev/three", "permissions": "r"}],
        "gpus": ["GPU-1"],
        "mounts": ["/a:/b:ro", {"source": "/c", "target": "/d"}],
        "ipc": "private",
        "network": "net",
        "security_opt": ["label=disable"],
        "group_add": ["render"],
        "cap_add": ["SYS_NICE"],
        "cap_drop": ["NET_RAW"],
        "ulimits": {"memlock": -1},
        "cpuset_cpus": "0-1",
        "cpuset_mems": "0",
        "runtime": "runc",
        "user": "me",
        "env": {"C": "c"},
        "holds": ["npu0"],
        "source": ["/opt/env.sh"],
    },
    "server": {
        "model": "/models/m",
        "command": ["vllm", "serve"],
        "host": "127.0.0.1",
        "flags": {"text": "t", "listed": ["l", "m"], "nested": {"key": "n", "deep": ["d"]}},
        "env": {"S": "s"},
    },
    "bench": {
        "num_prompts": 1,
        "client": "/opt/benchmark_serving.py",
        "dataset": {"name": "sharegpt", "path": "/data/file.json"},
        "client_flags": {"label": "x"},
    },
}
"""Each kind of string that a profile can hold."""
UNSEEN = {("name",), ("description",), ("container", "pull")}
"""What no other program is told; the record has it."""
HOSTILE = (
    "it's 'quoted'", 'say "hi" \\"twice\\"', "one\ntwo\r\nthree\n", "$(touch pwned) `id` ${HOME} $$",
    "; rm -rf / #", "a && b || c | d > e &", "* ? [a-z] ~ {a,b} !!", "\\n \\\\ \\t", "  spaces\t ",
    "目录 🚀 \u202e\u2028\ufeff e\u0301",
    "\x01\x1b[31m\x7f", '{"a": [1, null]}', "%s {0} %(x)s", "a=b=c", "x '\"$" * 2048,
    "-rf", "--", "--port=1", "",
    ":", "a:b", "null", "1e3", "yes", "---", "- a", "&a", "*a", "!x", "|", ">", "@", "`", "\x85", "\ud7ff",
)  # fmt: skip
Place = tuple[Any, ...]


def strings(data: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield each string of plain data with its place; the keys of mappings are not among them."""
    if isinstance(data, str):
        yield place, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from strings(value, (*place, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from strings(value, (*place, index))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PLACES = [place for place, _ in strings(WHOLE)]


def read(data: dict[str, Any]) -> Profile | None:
    """Return the profile of this data; None if it is refused."""
    try:
        return Profile.model_validate(data)
    except ValidationError:
        return None


def told(profile: Profile) -> list[str]:
    """Return every string that docker and the benchmark client would be told."""
    api = docker.APIClient(base_url="tcp://127.0.0.1:1", version="1.41")
    try:
        asked = create_arguments(api, container_spec(profile, Identity("mine", "0a1b2c3d", "/state")))
    finally:
        api.close()
    assert profile.bench is not None
    client, target = profile.bench.client, client_target(profile)
    dialect = dialect_of(client, "0.8.5", None)
    commands = [bench_argv(client, target, item, dialect) for item in sweep(profile.bench)]
    return [text for _, text in strings([asked, commands])]


def put(place: Place, text: str) -> dict[str, Any]:
    data = copy.deepcopy(WHOLE)
    inner: Any = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = text
    return data


def check(place: Place, text: str) -> bool:
    """Check one text at one place; say whether it was accepted."""
    profile = read(put(place, text))
    if profile is None:
        return False
    if place in UNSEEN:
        assert profile.model_dump().get(place[0]) == text or place == ("container", "pull")
        return True
    try:
        changed = set(told(profile)) - usually_told()
    except EnvironmentFault:  # a seccomp profile that cannot be read
        assert place[:2] == ("container", "security_opt")
        return False
    assert changed or text == dict(strings(WHOLE))[place] or text in usually_told(), (place, text)
    for part in arriving(place, text):
        assert not changed or part in usually_told() or any(part in word for word in changed), (place, text, changed)
    return True


@functools.cache
def usually_told() -> set[str]:
    profile = read(WHOLE)
    assert profile is not None
    return set(told(profile))


def arriving(place: Place, text: str) -> list[str]:
    """Return what is to arrive: the text, in the form in which its receiver reads it."""
    if place[:2] in (("container", "cap_add"), ("container", "cap_drop")):
        return [text.upper()]
    if place[:2] in (("container", "devices"), ("container", "mounts")) and len(place) == 3:
        return text.split(":")
    if place[:3] == ("server", "flags", "nested"):
        return [json.dumps(text, ensure_ascii=False)]
    return [text]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_hostile_text_in_any_string_arrives_exactly_or_is_refused(place: Place) -> None:
    original = dict(strings(WHOLE))[place]
    accepted = [text for hostile in HOSTILE for text in (hostile, original + hostile) if check(place, text)]
    assert original in accepted


@given(
    st.sampled_from(PLACES),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.booleans(),
)
@settings(max_examples=400)
def test_any_text_in_any_string_arrives_exactly_or_is_refused(place: Place, text: str, behind: bool) -> None:
    check(place, dict(strings(WHOLE))[place] + text if behind else text)


@pytest.mark.parametrize(
    "place",
    [
        ("server", "flags", "text"),
        ("server", "env", "S"),
        ("container", "env", "C"),
        ("bench", "client_flags", "label"),
    ],
)
def test_where_programs_read_anything_nothing_is_refused(place: Place) -> None:
    assert all(check(place, hostile) for hostile in HOSTILE)

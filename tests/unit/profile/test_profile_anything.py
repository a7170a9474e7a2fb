"""F4: whatever a file says, the answer is a profile or a list of faults in plain words, never a traceback."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.plan.variants import variants
from orchestrator.profile.reading.resolve import resolve
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Container, Health, Profile, Server
from orchestrator.profile.schema.values import MountSpec
from orchestrator.profile.text.scalars import Dumper

FAULT = re.compile(r"(?P<file>.+?):\d+:\d+( \S.*)? — \S.*")
NOISE = re.compile(r"Input should|validator|Value error|_[a-z]+\[|None|<[a-z_]+>|Traceback")
MODELS = (Profile, Container, Server, Health, Bench, MountSpec)
KEYS = sorted(
    {name for model in MODELS for name in model.model_fields} | {"extends", "from_env", "input", "soft", "zz"}
)

keys = st.sampled_from(KEYS) | st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=5
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70000)
    | st.floats(-1, 5)
    | st.sampled_from(["/a", "/a:/b:ro", "a", "", "64G", "1h", "inf", "host", "all", "./x.yaml", "p", "-1"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
axes = st.sampled_from(["server.port", "server.flags", "server.flags.a", "server.env.A", "container.image", "server.x"])
VARY = {
    "axes": st.dictionaries(axes | keys, st.lists(values, max_size=3) | values, max_size=3) | values,
    "linked": st.lists(st.lists(axes | keys, max_size=3), max_size=2) | values,
    "exclude": st.lists(st.dictionaries(axes | keys, values, max_size=2), max_size=2) | values,
    "include": st.lists(st.dictionaries(axes | keys, values, max_size=2), max_size=2) | values,
}
sections = st.fixed_dictionaries(
    {},
    optional={
        "container": st.dictionaries(st.sampled_from([*Container.model_fields]) | keys, values, max_size=6) | values,
        "server": st.dictionaries(st.sampled_from([*Server.model_fields]) | keys, values, max_size=6) | values,
        "health": st.dictionaries(st.sampled_from([*Health.model_fields]) | keys, values, max_size=3) | values,
        "bench": st.dictionaries(st.sampled_from([*Bench.model_fields]) | keys, values, max_size=6) | values,
        "vary": st.fixed_dictionaries({}, optional=VARY) | values,
        "extends": values,
        "name": scalars,
        "zz": values,
    },
)


def check(text: str, sets: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        resolved = resolve(path, [Path(folder)], sets)
    assert (resolved.profile is None) == bool(resolved.faults)
    if resolved.profile is not None:
        assert variants(resolved.profile)
    for fault in resolved.faults:
        line = str(fault).replace(folder, "")
        assert FAULT.fullmatch(line), line
        assert fault.problem.startswith("not YAML: ") or not NOISE.search(fault.problem), line


@given(sections, st.lists(st.tuples(keys, keys, st.text("ab[]{}:,=&*!'\"\n 1", max_size=8)), max_size=2))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_data_gives_a_profile_or_faults(data: dict[str, Any], overrides: list[tuple[str, str, str]]) -> None:
    text = yaml.dump(data, Dumper=Dumper, allow_unicode=True, width=float("inf"))
    check(text, [f"{first}.{second}={value}" for first, second, value in overrides])


@given(st.text(st.sampled_from("ab: -[]{},&*!|>'\"#%@`\n\t\r?<0\\\0\x01\x85\u2028é"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_profile_or_faults(text: str) -> None:
    check(text, [])

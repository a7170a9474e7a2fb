"""C4: the committed JSON Schema and the reference page are what the models say, and accept what orch accepts."""

# ruff: noqa: E501 - a row holds an input and the exact text that it gives

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from profile_folder import SHIPPED
from pydantic import TypeAdapter, ValidationError

import orchestrator.profile
from orchestrator.profile.docs.jsonschema import json_schema, schema_text
from orchestrator.profile.docs.reference import reference
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.schema.quantities import Duration, Size

PACKAGE = Path(orchestrator.profile.__file__).parent
COMMITTED = PACKAGE / "docs" / "profile.schema.json"
PAGE = PACKAGE.parents[1] / "docs" / "profile.md"


SIZES = ("0", "1024", "5b", "1.5GiB", "2 TB", "64Gib", " 64 g ", "1KB")
NO_SIZES = (".", "1.2.3g", "64 i", "64Gi", "1 2", "g", "64g.", "-1")
DURATIONS = ("90", "1.5", "1h30m", "1h 30m", " 2 d ", "250ms", "0.5s", "1h0m")
NO_DURATIONS = ("2hours", "30 min please", "1.2.3s", "1h-1m", ".5s", "1 2m", "0s", "0.0")


def validate(text: str) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(text))


def is_valid(text: str) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(yaml.safe_load(text))


def is_read(adapter: TypeAdapter[Any], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def test_the_committed_schema_is_the_one_of_the_models() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), (
        "python -m orchestrator.profile.docs.jsonschema > orchestrator/profile/docs/profile.schema.json"
    )


def test_the_reference_page_is_the_one_of_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m orchestrator.profile.docs.reference > docs/profile.md"
    )


@pytest.mark.parametrize(
    ("module", "expected"),
    [("orchestrator.profile.docs.jsonschema", schema_text()), ("orchestrator.profile.docs.reference", reference())],
)
def test_both_can_be_written_from_the_command_line(
    module: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(RuntimeWarning, match="found in sys.modules"):
        runpy.run_module(module, run_name="__main__")
    assert capsys.readouterr().out == expected


def test_the_schema_is_valid_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_has_a_description_in_the_schema_and_a_row_on_the_page() -> None:
    schema = json_schema()
    page = PAGE.read_text(encoding="utf-8")
    for section in (schema, *schema["$defs"].values()):
        for key, value in section.get("properties", {}).items():
            row = next(line for line in page.splitlines() if line.startswith(f"| `{key}` |"))
            assert row.rpartition(" | ")[2] != " |", key
            assert "description" in value or "$ref" in json.dumps(value), key


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_validates_and_points_to_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    validate(text)
    line = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert line is not None
    assert (path.parent / line[1]).resolve() == COMMITTED.resolve()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "extends: [a, ./b.yaml]\nserver: {port: null, flags: {x: null}, env: {A: null}}\nbench: null\n",
        "container: {shm_size: 64G, gpus: 2, user: 0, ulimits: {memlock: -1}, mounts: [/a:/b, {source: /a, target: /b}]}",
        "container: {env: {A: 1, B: x, C: {from_env: C}, D: {from_file: /d}}}",
        "bench: {lengths: {input: [1], output: [2]}, num_prompts: 5, concurrency: [1, 2], request_rate: [inf, 2.5]}",
        "health: {deadline: 1h30m, expected: {weights: 90}}",
        *(f"health: {{deadline: '{text}'}}" for text in DURATIONS),
        *(f"container: {{shm_size: '{text}'}}" for text in SIZES),
        "server: {flags: {speculative_config: {a: [1, {b: null}]}}}",
        "vary: {axes: {server.flags.a: [1, null], container.image: null}, exclude: [{server.flags.a: null}]}",
        "vary: {linked: [[server.port, server.flags.a]], include: [{server.env.A: x}, {}]}",
    ],
)
def test_what_a_file_may_say_validates(text: str) -> None:
    validate(text)


@pytest.mark.parametrize(
    "text",
    [
        "extnds: a",
        "container: {shmsize: 1}",
        "container: {shm_size: big}",
        *(f"container: {{shm_size: '{text}'}}" for text in NO_SIZES),
        *(f"health: {{deadline: '{text}'}}" for text in NO_DURATIONS),
        "container: {mounts: [{source: /a}]}",
        "container: {env: {A-B: 1}}",
        "container: {privileged: 'no'}",
        "server: {port: 0}",
        "server: {flags: {---x: 1}}",
        "health: {expected: {wieghts: 1}}",
        "bench: {lengths: [[1]]}",
        "bench: {num_prompts: []}",
        "bench: {request_rate: 0}",
        "vary: {axes: {bench.concurrency: [1]}}",
        "vary: {axes: {server.port: []}}",
        "vary: {linked: [[port]]}",
        "vary: {exclude: [{port: 1}]}",
    ],
)
def test_what_orch_refuses_does_not_validate(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(text)


@pytest.mark.parametrize("text", [*SIZES, *NO_SIZES])
def test_the_schema_takes_the_sizes_that_orch_takes(text: str) -> None:
    assert is_valid(f"container: {{shm_size: '{text}'}}") == is_read(TypeAdapter(Size), text)


@pytest.mark.parametrize("text", [*DURATIONS, *NO_DURATIONS])
def test_the_schema_takes_the_durations_that_orch_takes(text: str) -> None:
    assert is_valid(f"health: {{deadline: '{text}'}}") == is_read(TypeAdapter(Duration), text)


def test_a_resolved_profile_validates_too() -> None:
    profile = Profile.model_validate(
        {"name": "p", "container": {"image": "i"}, "server": {"model": "m"}, "bench": {"lengths": [[1, 1]], "num_prompts": 1}}
    )  # fmt: skip
    data: dict[str, Any] = profile.model_dump(mode="json")
    jsonschema.Draft202012Validator(json_schema()).validate(data)

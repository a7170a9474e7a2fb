"""Promise C4: whatever orch writes has a schema in docs/schemas that names every key; a new one fails here.

`python tests/golden/make.py --schemas` writes them anew.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from golden.outputs import EXPECTED, RUNS
from golden.schemas import FOLDER, KEPT, KINDS, SUFFIX, schema_of, schemas, text_of
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from samples import RECORDED, a_manifest, a_record, deployment_facts

import orchestrator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kit.command import Orch

SAID = RUNS.parent / "said"
VARIED = ("--set", "vary.axes.server.flags.max-num-seqs=[2, 32]")
LIVE: tuple[tuple[str, ...], ...] = (
    ("plan", "cpu-tiny"),
    ("plan", "ds-671b-awq"),
    ("plan", "cpu-tiny", *VARIED),
    ("plan", "cpu-tiny", "--set", "bench.ramp_up={strategy: linear, from: 1, to: 9}"),
    ("plan", "cpu-tiny", "--set", "bench.backend=openai-chat", "--set", "bench.ignore_eos=false"),
    ("profile", "list"),
    ("profile", "show", "cpu-tiny"),
    ("profile", "show", "--resolved", "ds-671b-awq"),
    ("profile", "lint", "cpu-tiny", "ds-671b-awq"),
    ("profile", "lint", "cpu-tiny", "--set", "bench.nonsense=1"),
    ("results", "list"),
)
"""Commands that need no engine."""


OPEN = ("fields", "client_flags", "dataset_options")
"""Objects whose keys are data: each cause has its own fields, each client its own flags."""


def registry() -> Registry[Any]:
    files = [
        *FOLDER.glob(f"*{SUFFIX}"),
        Path(orchestrator.__file__).parent / "profile" / "docs" / "profile.schema.json",
    ]
    return Registry().with_resources(
        [(path.as_uri(), Resource.from_contents(json.loads(path.read_bytes()))) for path in files]
    )


REGISTRY = registry()


def check(document: object, name: str) -> None:
    """Raise ValidationError unless a document is as the schema of a name says."""
    Draft202012Validator({"$ref": (FOLDER / f"{name}{SUFFIX}").as_uri()}, registry=REGISTRY).validate(document)


def check_said(text: str) -> str:
    document = json.loads(text)
    check(document, f"json-{document['kind']}")
    return str(document["kind"])


def with_a_new_key(document: Any) -> Iterator[Any]:
    """Yield a copy of a document for each kind of object in it, with one more key there."""

    def objects(part: Any) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict):
            yield part
            for key, value in part.items():
                if key not in OPEN:
                    yield from objects(value)
        elif isinstance(part, list) and part:
            yield from objects(part[0])

    for number, _ in enumerate(objects(document)):
        copy = json.loads(json.dumps(document))
        list(objects(copy))[number]["a_new_key"] = {}
        yield copy


@pytest.mark.parametrize("name", schemas())
def test_the_files_are_those_that_derive_from_the_models_and_are_schemas(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == text_of(schemas()[name])
    Draft202012Validator.check_schema(schemas()[name])


def test_there_is_no_schema_of_what_is_not_written() -> None:
    kept = {f"{name}{SUFFIX}" for name in KEPT}
    assert {path.name for path in FOLDER.iterdir()} - {"README.md"} == set(schemas()) | kept


@pytest.mark.parametrize("path", sorted(RUNS.glob("**/*.json")), ids=lambda path: str(path.relative_to(RUNS)))
def test_every_file_of_the_golden_runs_is_as_its_schema_says(path: Path) -> None:
    if path.name != "result.json":  # vLLM's own
        document = json.loads(path.read_bytes())
        check(document, schema_of(path.stem, document))


@pytest.mark.parametrize("path", sorted(EXPECTED.glob("**/*.json")), ids=lambda path: str(path.relative_to(EXPECTED)))
def test_what_is_said_of_the_golden_runs_is_as_its_schema_says(path: Path) -> None:
    if path.name != "resume.json":  # of the tests
        check_said(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(SAID.glob("*.json")), ids=lambda path: path.stem)
def test_what_commands_said_of_a_live_engine_is_as_its_schema_says(path: Path) -> None:
    assert check_said(path.read_text(encoding="utf-8")) == path.stem


@pytest.mark.parametrize("words", LIVE, ids=" ".join)
def test_what_commands_say_without_an_engine_is_as_its_schema_says(words: tuple[str, ...], orch: Orch) -> None:
    check_said(orch(*words, "--json").stdout)


def test_an_unreadable_run_is_listed_as_the_schema_says(orch: Orch) -> None:
    (orch.runs / "x").mkdir(parents=True)
    (orch.runs / "x" / "manifest.json").write_text("{", encoding="utf-8")
    assert check_said(orch.ok("results", "list", "--json")) == "runs"


def test_what_is_written_now_is_as_the_schemas_say() -> None:
    facts = deployment_facts()
    for document, name in (
        (a_manifest(deployment=facts, earlier=(facts,)), "manifest"),
        (a_record(), "record"),
        (RECORDED, "deployment"),
    ):
        check(document.model_dump(mode="json"), name)


def test_every_kind_that_a_command_writes_has_a_schema_and_was_seen() -> None:
    calls = [
        node
        for path in Path(orchestrator.__file__).parent.glob("cli/**/*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "emit_json"
    ]
    written = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert written | {"plan", "study-plan"} == set(KINDS), "which of the two a plan is, the profile decides"
    kept = {json.loads(path.read_bytes()).get("kind") for path in (*SAID.glob("*.json"), *EXPECTED.glob("**/*.json"))}
    assert set(KINDS) - kept == {"plan", "study-plan", "profiles", "profile", "lint"}, "those are said live, above"


@pytest.mark.parametrize("path", sorted(SAID.glob("*.json")), ids=lambda path: path.stem)
def test_a_key_that_no_schema_names_is_refused_wherever_it_is_added(path: Path) -> None:
    for changed in with_a_new_key(json.loads(path.read_bytes())):
        with pytest.raises(ValidationError):
            check(changed, f"json-{path.stem}")

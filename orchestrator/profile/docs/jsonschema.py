"""The JSON Schema of a profile's file, by which editors complete and check it.

It describes the file, not the resolved profile: what another file may supply is optional, null takes a key away.
`make generated` writes the committed copy.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from orchestrator.profile.docs.docstrings import key_docstrings
from orchestrator.profile.schema.profile import Profile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MERGED = ("Container", "Server")
"""Sections that a file may give in part, because it extends another."""
EXTENDS = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
        {"type": "null"},
    ],
    "description": "Profiles that this one is laid over, by name or path; later ones win over earlier ones.",
    "title": "Extends",
}

Schema = dict[str, Any]


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: ModelSchema) -> Schema:
        made = super().model_schema(schema)
        own = inspect.get_annotations(schema["cls"])
        names = {name: field.alias or name for name, field in schema["cls"].model_fields.items()}
        first = [names[name] for name in names if name in own]
        inherited = [name for name in made["properties"] if name not in first]
        made["properties"] = {name: made["properties"][name] for name in (*first, *inherited)}
        for key, text in key_docstrings(schema["cls"]).items():
            made["properties"][schema["cls"].model_fields[key].alias or key]["description"] = text
        return made


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a profile's file."""
    schema = Profile.model_json_schema(schema_generator=_Described)
    sections: Schema = schema.pop("$defs")
    for name in MERGED:
        del sections[name]["required"]
    del schema["required"]
    schema["properties"] = {"extends": EXTENDS, **schema["properties"]}
    for section in (schema, *sections.values()):
        _finish(section)
    return {"$schema": DIALECT, **schema, "description": "A profile of orch.", "$defs": sections}


def schema_text() -> str:
    """Return the JSON Schema as the text of its committed file."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def _finish(section: Schema) -> None:
    required = section.get("required", [])
    for name, value in section.get("properties", {}).items():
        _close(value)
        if name not in required and not _takes_null(value):
            section["properties"][name] = _or_null(value)


def _close(value: Schema) -> None:
    """Refuse the keys that a mapping's pattern does not fit; null takes each of the others away."""
    if "patternProperties" in value:
        value["additionalProperties"] = False
        for pattern, inner in value["patternProperties"].items():
            if inner and not _takes_null(inner):
                value["patternProperties"][pattern] = _or_null(inner)
    if isinstance(value.get("items"), dict):
        _close(value["items"])


def _takes_null(value: Schema) -> bool:
    return {"type": "null"} in value.get("anyOf", ())


def _or_null(value: Schema) -> Schema:
    about: Schema = {key: value[key] for key in ("title", "description", "default") if key in value}
    rest = {key: item for key, item in value.items() if key not in about}
    choices = rest["anyOf"] if list(rest) == ["anyOf"] else [rest]
    return {"anyOf": [*choices, {"type": "null"}], **about}


if __name__ == "__main__":
    sys.stdout.write(schema_text())

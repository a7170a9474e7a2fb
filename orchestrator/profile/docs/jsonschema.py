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
from orchestrator.profile.schema.patterns import JSON_LINES_PATTERN
from orchestrator.profile.schema.profile import Profile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MERGED = ("Container", "Server", "RampUp", "UlimitSpec")
"""Sections that a file may give in part, because it extends another."""
LISTED = ("MountSpec", "DeviceSpec", "CdiDevice")
"""Sections that stand in lists, where no other file has a value that null could take away."""
REFUSED = {("Server", "env"): "Inherit"}
"""Kinds of a value that stand with its type, and that another section alone takes."""
EXTENDS = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
        {"type": "null"},
    ],
    "description": "Profiles that this one is laid over, by name or path; later ones win over earlier ones.",
    "title": "Extends",
}
FURTHER = {
    (section, key): JSON_LINES_PATTERN
    for section in ("CustomDataset", "CustomMediaDataset")
    for key in ("file", "path")
}
"""What a text must fit beside its type's own pattern."""

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


def json_schema(*, in_part: bool = True) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a profile's file; without `in_part`, of one that extends no other."""
    schema = Profile.model_json_schema(schema_generator=_Described)
    sections: Schema = schema.pop("$defs")
    for (name, key), kind in REFUSED.items():
        _remove(sections[name]["properties"][key], f"#/$defs/{kind}")
    for (name, key), pattern in FURTHER.items():
        sections[name]["properties"][key]["pattern"] = pattern
    schema["properties"] = {"extends": EXTENDS, **schema["properties"]}
    schema["required"].remove("name")
    if in_part:
        for section in (schema, *(sections[name] for name in MERGED)):
            section.pop("required", None)
        _name_left_out(sections)
    for name, section in {"": schema, **sections}.items():
        _finish(section, listed=name in LISTED)
    return {"$schema": DIALECT, **schema, "description": "A profile of orch.", "$defs": sections}


def schema_text() -> str:
    """Return the JSON Schema as the text of its committed file."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def _name_left_out(sections: Schema) -> None:
    """Let a file leave out a dataset's name, and what a dataset needs, where it may extend one that gives them."""
    dataset = sections["Bench"]["properties"]["dataset"]
    kinds = dataset.pop("oneOf")
    keys: Schema = {}
    for kind in kinds:
        for key, value in sections[kind["$ref"].rpartition("/")[2]]["properties"].items():
            about = {name: item for name, item in value.items() if name not in ("title", "description", "default")}
            known = keys.setdefault(key, {"anyOf": []})["anyOf"]
            known += [] if about in known else [about]
    del keys["name"]
    unnamed = {"type": "object", "properties": keys, "additionalProperties": False}
    _finish(unnamed, listed=False)
    dataset["anyOf"] = [*kinds, unnamed]


def _remove(value: Any, reference: str) -> None:
    """Take a kind of value out of all choices within a part of a schema."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _remove(inner, reference)
    for word in ("anyOf", "oneOf"):
        if isinstance(value, dict) and word in value:
            value[word] = [item for item in value[word] if item.get("$ref") != reference]


def _finish(section: Schema, *, listed: bool) -> None:
    required = section.get("required", [])
    for name, value in section.get("properties", {}).items():
        _close(value)
        kept = listed and value.get("default") is not None
        if name not in required and not kept and not _takes_null(value):
            section["properties"][name] = _or_null(value)


def _close(value: Schema) -> None:
    """Refuse the keys that a mapping's pattern does not fit; null takes each of the others away."""
    if "patternProperties" in value:
        value["additionalProperties"] = False
        for pattern, inner in value["patternProperties"].items():
            if inner and not _takes_null(inner):
                value["patternProperties"][pattern] = _or_null(inner)
    elif isinstance(value.get("additionalProperties"), dict) and not _takes_null(value["additionalProperties"]):
        value["additionalProperties"] = _or_null(value["additionalProperties"])
    for inner in (value.get("items"), *value.get("anyOf", ()), *value.get("oneOf", ())):
        if isinstance(inner, dict):
            _close(inner)


def _takes_null(value: Schema) -> bool:
    return {"type": "null"} in value.get("anyOf", ())


def _or_null(value: Schema) -> Schema:
    about: Schema = {key: value[key] for key in ("title", "description", "default") if key in value}
    rest = {key: item for key, item in value.items() if key not in about}
    choices = rest["anyOf"] if list(rest) == ["anyOf"] else [rest]
    return {"anyOf": [*choices, {"type": "null"}], **about}


if __name__ == "__main__":
    sys.stdout.write(schema_text())

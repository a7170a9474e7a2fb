"""Which keys there are: the models of the schema, walked by path.

Nothing here knows a key by name, except the mappings whose keys the user invents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.profile.schema.pairs import FORMS, SECTION
from orchestrator.profile.schema.profile import Profile
from orchestrator.profile.text.tree import Keys

ENVS: frozenset[Keys] = frozenset({("container", "env"), ("server", "env")})
"""Mappings of environment variables; a value here, plain or secret, is replaced as a whole."""
FLAGS: frozenset[Keys] = frozenset({("server", "flags"), ("bench", "client_flags")})
"""Mappings of command-line flags; a flag's name may hold dots, and inside a value null is JSON's null."""
AXES: Keys = ("vary", "axes")
"""Mapping of keys of the profile itself, dots and all, to the values that each takes; null is one of them."""
CHOICES: frozenset[Keys] = frozenset({("vary", "exclude"), ("vary", "include")})
"""Lists of such keys with one value each."""

PAIRED: frozenset[Keys] = frozenset((SECTION, name) for name in FORMS)
"""Mappings that may be written as docker writes them too: a list of names, each with its value."""
DOTTED: frozenset[Keys] = PAIRED - {("container", "ulimits")}
"""Mappings whose keys may hold dots as well."""
INVENTED: frozenset[Keys] = ENVS | FLAGS | PAIRED | {AXES, ("container", "gpus", "options")}
"""Mappings whose keys the schema does not know: the user invents them."""
KINDS: dict[Keys, str] = {("bench", "dataset"): "random"}
"""Mappings that are of one kind among several, told by their `name`, each with the name of those that give none."""


def valid_keys(path: Keys) -> tuple[str, ...]:
    """Return the keys that the schema knows in the mapping at a path; none where the user invents them."""
    if path in INVENTED:
        return ()
    return tuple(dict.fromkeys([*(name for known in fields_at(path) for name in known), *_literal_keys(path)]))


def is_unknown(keys: Keys) -> bool:
    """Say whether the schema knows the keys of a mapping, and one that stands in it is none of them."""
    known = file_keys(keys[:-1])
    return bool(known) and keys[-1] not in known


def fields_at(path: Keys) -> list[dict[str, FieldInfo]]:
    """Return the fields of each kind of mapping that may stand at a path, by the keys that a file has for them."""
    return [_fields(model) for model in _models_at(path)]


def _models_at(path: Keys) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [Profile]
    for key in path:
        fields = [known[key] for known in map(_fields, models) if isinstance(key, str) and key in known]
        if fields:
            models = [inner for field in fields for inner in _models(field.annotation)]
    return models


def _literal_keys(path: Keys) -> tuple[str, ...]:
    """Return the keys of a mapping that no model stands for, but a list of names."""
    fields = [known[path[-1]] for known in fields_at(path[:-1]) if path[-1] in known] if path else []
    names = (get_args(get_args(field.annotation)[0]) for field in fields if get_origin(field.annotation) is Mapping)
    return tuple(name for found in names for name in found if isinstance(name, str))


def file_keys(path: Keys) -> tuple[str, ...]:
    """Return the keys that a file may have at a path: the schema's, and `extends` at the top."""
    return (*valid_keys(path), *(() if path else ("extends",)))


def homes(name: str) -> tuple[str, ...]:
    """Return the sections of the schema that know a key of this name."""
    return tuple(dict.fromkeys(section for section, names in _sections(Profile, "") if name in names))


def split_key(text: str) -> tuple[str, ...]:
    """Return the path that a dotted key means; below flags, axes and sysctls all is one name."""
    parts = text.split(".")
    for depth in range(1, len(parts)):
        if tuple(parts[:depth]) in {*FLAGS, *DOTTED, AXES}:
            return (*parts[:depth], ".".join(parts[depth:]))
    return tuple(parts)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the key that a file has for each."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    fields = _fields(model)
    yield path or "the top level", tuple(fields)
    for name, field in fields.items():
        for inner in _models(field.annotation):
            yield from _sections(inner, f"{path}.{name}" if path else name)

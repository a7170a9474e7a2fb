"""Reads plain data into the schema's frozen models by their structure alone: which keys there are, and of what type.

No check of a value or of what goes together is made. What has no place in the models is kept aside, never refused:
what was written down once can be read for good.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Discriminator, JsonValue, Tag
from pydantic.fields import FieldInfo

from orchestrator.profile.text.tree import Keys

What = Literal["unknown", "shape", "missing"]
"""A key that is not known, a value of another type, or a required key that is absent."""
UNKNOWN: What = "unknown"
SHAPE: What = "shape"
MISSING: What = "missing"

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Aside:
    """One thing in the data that the models have no place for, or that they lack."""

    keys: Keys
    what: What
    value: Any = None


@dataclass(frozen=True)
class _Read:
    value: Any
    asides: tuple[Aside, ...] = ()

    @property
    def misshapen(self) -> int:
        return sum(aside.what is not UNKNOWN for aside in self.asides)


class _MisfitError(Exception):
    """The data are of another type."""


def read_model(model: type[_Model], data: Any) -> tuple[_Model, tuple[Aside, ...]]:
    """Return a model made of plain data, and what of the data is not in it.

    An absent key has its default; a required one that is absent is empty text, an empty section or None.
    """
    read = _model(model, data if isinstance(data, Mapping) else {}, ())
    return read.value, read.asides


def _model(model: type[BaseModel], data: Mapping[str, Any], keys: Keys) -> _Read:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    values: dict[str, Any] = {}
    asides = [Aside((*keys, key), UNKNOWN, value) for key, value in data.items() if key not in fields]
    for key, field in fields.items():
        if key in data:
            try:
                read = _any(field.rebuild_annotation(), data[key], (*keys, key))
            except _MisfitError:
                asides.append(Aside((*keys, key), SHAPE, data[key]))
            else:
                values[key] = read.value
                asides += read.asides
                continue
        if field.is_required():
            asides += [] if key in data else [Aside((*keys, key), MISSING)]
            values[key] = _nothing(field)
    return _Read(model.model_construct(**values), tuple(asides))


def _nothing(field: FieldInfo) -> Any:
    kind = _bare(field.annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _model(kind, {}, ()).value
    return "" if kind is str else None


def _bare(annotation: Any) -> Any:
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _any(annotation: Any, data: Any, keys: Keys) -> _Read:
    """Return data as a value of a type; raise _MisfitError if they are of another one."""
    if annotation in (Any, JsonValue):
        return _Read(data)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _plain(annotation, data, keys)
    if origin is Annotated:
        return _best(_kinds(arguments, data), data, keys)
    if origin in (Union, types.UnionType):
        return _best(arguments, data, keys)
    read = {Literal: _literal, tuple: _tuple}.get(origin, _mapping)
    return read(arguments, data, keys)


def _plain(kind: type, data: Any, keys: Keys) -> _Read:
    if not issubclass(kind, BaseModel):
        return _SCALARS[kind](data)
    if not isinstance(data, Mapping):
        raise _MisfitError
    return _model(kind, data, keys)


def _kinds(arguments: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    """Return the types that an annotated one may be; of several told apart by a function, first the one it names."""
    told = next((item.discriminator for item in arguments[1:] if isinstance(item, Discriminator)), None)
    if not callable(told):
        return arguments[:1]
    tag = Tag(str(told(data)))
    return tuple(sorted(get_args(arguments[0]), key=lambda kind: tag not in get_args(kind)))


def _literal(allowed: tuple[Any, ...], data: Any, _keys: Keys) -> _Read:
    return _scalar(any(type(one) is type(data) and one == data for one in allowed), data)


def _best(kinds: Iterable[Any], data: Any, keys: Keys) -> _Read:
    """Return data as the first of several types that has a place for most of them."""
    found: list[_Read] = []
    for kind in kinds:
        try:
            found.append(_any(kind, data, keys))
        except _MisfitError:
            continue
    if not found:
        raise _MisfitError
    return min(found, key=lambda read: (read.misshapen, type(read.value) is not type(data)))


def _tuple(kinds: tuple[Any, ...], data: Any, keys: Keys) -> _Read:
    if kinds[-1] is not Ellipsis:
        if not isinstance(data, list | tuple) or len(data) != len(kinds):
            raise _MisfitError
        pairs = [_any(kind, item, keys) for kind, item in zip(kinds, data, strict=True)]
        return _Read(tuple(read.value for read in pairs), tuple(aside for read in pairs for aside in read.asides))
    items, asides = [], []
    listed = data if isinstance(data, list | tuple) else (data,)
    for number, item in enumerate(listed):
        try:
            read = _any(kinds[0], item, (*keys, number))
        except _MisfitError:
            if listed is not data:
                raise
            asides.append(Aside((*keys, number), SHAPE, item))
        else:
            items.append(read.value)
            asides += read.asides
    return _Read(tuple(items), tuple(asides))


def _mapping(kinds: tuple[Any, ...], data: Any, keys: Keys) -> _Read:
    if not isinstance(data, Mapping):
        raise _MisfitError
    values, asides = {}, []
    for key, item in data.items():
        try:
            read = _any(kinds[1], item, (*keys, key))
            values[_any(kinds[0], key, keys).value] = read.value
        except _MisfitError:
            asides.append(Aside((*keys, key), SHAPE, item))
        else:
            asides += read.asides
    return _Read(values, tuple(asides))


def _scalar(fits: bool, value: Any) -> _Read:
    if not fits:
        raise _MisfitError
    return _Read(value)


def _text(data: Any) -> _Read:
    if isinstance(data, int | float) and not isinstance(data, bool):
        return _Read(str(data))
    return _scalar(isinstance(data, str), data)


def _whole(data: Any) -> _Read:
    if isinstance(data, float) and data.is_integer():
        return _Read(int(data))
    return _scalar(isinstance(data, int) and not isinstance(data, bool), data)


def _number(data: Any) -> _Read:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _MisfitError
    return _Read(float(data))


def _truth(data: Any) -> _Read:
    return _scalar(isinstance(data, bool), data)


def _null(data: Any) -> _Read:
    return _scalar(data is None, data)


_SCALARS: dict[Any, Callable[[Any], _Read]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    type(None): _null,
}
